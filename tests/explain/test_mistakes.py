"""Each mistake that ends in an exception is explained; what looks like it and is none gets no explanation."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation
from tutor.trace.command import Reply


@dataclass(frozen=True)
class Mistake:
    """A piece of code that fails, what its explanation must say, and the code of the step that made it inevitable."""

    name: str
    code: str
    says: tuple[str, ...]
    cause: str | None = None


MISTAKES = [
    Mistake("second backward", """
        x = torch.tensor([2.0], requires_grad=True)
        y = x * x
        y.backward()
        y.backward()
        """, ("graph behind y was freed", "`y.backward()` on line", "retain_graph=True"), "y.backward()"),
    Mistake("second backward by the function", """
        x = torch.tensor([2.0], requires_grad=True)
        y = x * x
        torch.autograd.backward(y)
        torch.autograd.backward([y])
        """, ("graph behind y was freed",), "torch.autograd.backward(y)"),
    Mistake("a hidden state carried over", """
        w = torch.tensor(0.5, requires_grad=True)
        h = torch.tensor(1.0)
        for t in range(3):
            h = torch.tanh(w * h)
            loss = h ** 2
            loss.backward()
        """, ("A part of the graph behind loss", "through h,", "h = h.detach()"), "loss.backward()"),
    Mistake("a leaf in place", """
        w = torch.tensor([1.0], requires_grad=True)
        w -= 0.1
        """, ("w is a leaf that requires grad", "`w -= 0.1`", "torch.no_grad()")),
    Mistake("a leaf in place by a method", """
        w = torch.tensor([1.0], requires_grad=True)
        w.add_(1)
        """, ("w is a leaf that requires grad", "`w.add_(1)`")),
    Mistake("an element of a leaf", """
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        w[0] = 5.
        """, ("`w[0] = 5.`", "writes into w", "torch.no_grad()")),
    Mistake("what exp has saved, changed", """
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        a = w.exp()
        a += 1
        a.sum().backward()
        """, ("`a += 1` on line", "changed a in place", "which ExpBackward0 has kept", "`a = a + 1`"), "a += 1"),
    Mistake("what sigmoid has saved, changed by a method", """
        w = torch.tensor([1.0], requires_grad=True)
        a = w.sigmoid()
        a.mul_(2)
        a.backward()
        """, ("`a.mul_(2)` on line", "`a = a.mul(2)`"), "a.mul_(2)"),
    Mistake("no leaf requires grad", """
        x = torch.tensor([1.0, 2.0])
        y = (x * 2).sum()
        y.backward()
        """, ("y has no history", "nothing that y was computed from requires grad", "requires_grad=True")),
    Mistake("detached on the way", """
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        d = (x * 3).detach()
        y = (d * 2).sum()
        y.backward()
        """, ("y has no history", "`(x * 3).detach()` on line", "cut it off"), "(x * 3).detach()"),
    Mistake("computed under no_grad", """
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        with torch.no_grad():
            y = (x * 2).sum()
        y.backward()
        """, ("y has no history", "gradients were switched off"), "x * 2"),
    Mistake("backward of a number", """
        x = torch.tensor(2.0, requires_grad=True)
        loss = x * 2
        loss.item().backward()
        """, ("loss.item() is a plain Python number", "Call backward() on the tensor")),
    Mistake("backward of a number with a name", """
        x = torch.tensor(2.0, requires_grad=True)
        loss = x * 2
        number = loss.item()
        number.backward()
        """, ("number is a plain Python number since `loss.item()` on line",), "loss.item()"),
    Mistake("a gradient before any backward", """
        v = torch.tensor(2.0, requires_grad=True)
        v.grad.zero_()
        """, ("v.grad is None",)),
    Mistake("a gradient of what needs none", """
        v = torch.tensor(2.0)
        v.grad.zero_()
        """, ("v.grad is None: v does not require grad", "requires_grad=True")),
    Mistake("reckoning with a gradient that is not there", """
        v = torch.tensor(2.0, requires_grad=True)
        v.data -= 0.1 * v.grad
        """, ("v.grad is None",)),
    Mistake("a parameter that was rebound", """
        w = torch.tensor(2.0, requires_grad=True)
        for i in range(2):
            l = (w - 1) ** 2
            l.backward()
            w = w - 0.1 * w.grad
        """, ("w.grad is None: w is no leaf", "not rebound but updated in place", "`w -= 0.1 * w.grad`"),
            "w - 0.1 * w.grad"),
    Mistake("a gradient that was cleared", """
        w = torch.tensor(2.0, requires_grad=True)
        (w * w).backward()
        w.grad = None
        w.grad.zero_()
        """, ("w.grad is None: `w.grad = None` on line", "cleared it, after the last backward pass"), "w.grad"),
    Mistake("backward from three elements", """
        w = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
        y = w * 2
        y.backward()
        """, ("y has 3 elements (shape 3)", "y.sum().backward()")),
    Mistake("gradients of whole numbers", "torch.tensor([1], requires_grad=True)",
            ("whole numbers", "Write 1. instead of 1")),
    Mistake("numpy", """
        t = torch.tensor([1.0], requires_grad=True)
        (t * 2).numpy()
        """, ("(t * 2).detach().numpy()",)),
    Mistake("a gradient by what was not used", """
        x, z = (torch.tensor([1.0], requires_grad=True) for _ in range(2))
        torch.autograd.grad(x * 2, [z])
        """, ("x * 2 was not computed from z", "allow_unused=True")),
    Mistake("an optimizer of what was computed", """
        v = torch.tensor([1.0], requires_grad=True) * 2
        torch.optim.SGD([v], lr=0.1)
        """, ("v was computed from other tensors", "v = v.detach().requires_grad_()"),
            "torch.tensor([1.0], requires_grad=True) * 2"),
    Mistake("an optimizer of nothing", """
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.w = torch.zeros(3, requires_grad=True)
        net = Net()
        torch.optim.SGD(net.parameters(), lr=0.1)
        """, ("net.parameters() is empty", "nn.Parameter")),
    Mistake("item of two", """
        t = torch.tensor([1.0, 2.0])
        t.item()
        """, ("t has 2 elements, shape 2", "t.tolist()")),
    Mistake("two dtypes", """
        layer = torch.nn.Linear(2, 1)
        layer(torch.ones(3, 2, dtype=torch.float64))
        """, ("are float32", "is float64", ".float()")),
    Mistake("two shapes", """
        p, t = torch.full((4, 1), 0.5), torch.ones(4)
        torch.nn.functional.binary_cross_entropy(p, t)
        """, ("shape 4×1 and the target 4:", "t.unsqueeze(1)")),
    Mistake("a question on the screen", "name = input()", ("was at its end.", "`gradtutor open FILE` asks")),
    Mistake("in a function", """
        def train(p):
            loss = p * p
            loss.backward()
            loss.backward()
        train(torch.tensor(1.0, requires_grad=True))
        """, ("graph behind loss was freed",), "loss.backward()"),
]  # fmt: skip

ALIKE = {
    "raised by hand": 'raise RuntimeError("Trying to backward through the graph a second time (or ...")',
    "raised by a function of the learner's": """
        def check(parameters):
            raise ValueError("optimizer got an empty parameter list")
        check([])
        """,
    "None that is no gradient": """
        nothing = None
        nothing.zero_()
        """,
    "a grad that is no tensor's": """
        class Thing:
            grad = None
        Thing().grad.zero_()
        """,
    "arithmetic with another None": """
        w = torch.tensor(2.0, requires_grad=True)
        rate = None
        0.1 * rate
        """,
    "another end of a file": """
        import io, pickle
        pickle.load(io.BytesIO())
        """,
    "backward of a text": '"loss".backward()',
    "another error in a backward": """
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward(inputs=[])
        """,
}

FINE = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
y = x + 3
y.backward()
y.backward()
z = x * x
z.backward(retain_graph=True)
z.backward()
a = x.exp()
b = a + 1
b.backward()
with torch.no_grad():
    x -= 0.1
c = x * 1
c += 1
c.backward()
x.grad.zero_()
x.detach().numpy()
torch.autograd.grad(x * 2, [x])
torch.optim.SGD([x], lr=0.1)
torch.tensor([1])
h = torch.tensor(1.0)
for t in range(3):
    h = torch.tanh(x * h).sum()
    (h ** 2).backward()
    h = h.detach()
"""


def script(pieces: list[str]) -> str:
    """Each piece in a `try` of its own."""
    text = "import torch\nseen = []\n"
    for piece in pieces:
        text += (
            "try:\n"
            + textwrap.indent(textwrap.dedent(piece).strip(), "    ")
            + "\nexcept Exception as error: seen.append(error)\n"
        )
    return text


def failures(recording: Recording, count: int) -> list[int]:
    found = recording.steps_of("failed")
    assert len(found) == count, [recording.timeline.event(step) for step in found]
    return found


@pytest.fixture(scope="module")
def mistakes(record: Forker) -> Recording:
    return record(script([mistake.code for mistake in MISTAKES]))


@pytest.fixture(scope="module")
def alike(record: Forker) -> Recording:
    return record(script(list(ALIKE.values())))


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake_is_explained(mistakes: Recording, number: int) -> None:
    step = failures(mistakes, len(MISTAKES))[number]
    said = explanation(mistakes.timeline, step)
    assert said is not None, mistakes.timeline.event(step)
    for words in MISTAKES[number].says:
        assert words in said
    assert "%" not in said
    assert said.endswith(".")


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[mistake.name for mistake in MISTAKES])
def test_what_made_it_inevitable(mistakes: Recording, number: int) -> None:
    step = cause(mistakes.timeline, failures(mistakes, len(MISTAKES))[number])
    assert (None if step is None else mistakes.code(step)) == MISTAKES[number].cause


@pytest.mark.parametrize("number", range(len(ALIKE)), ids=list(ALIKE))
def test_what_looks_alike_is_not_explained(alike: Recording, number: int) -> None:
    step = failures(alike, len(ALIKE))[number]
    assert explanation(alike.timeline, step) is None
    assert cause(alike.timeline, step) is None


def test_what_is_right_does_not_fail(record: Forker) -> None:
    recording = record(FINE)
    assert recording.status == 0, recording.stderr
    assert recording.steps_of("failed") == []


def test_other_steps_have_no_explanation(mistakes: Recording) -> None:
    assert explanation(mistakes.timeline, 1) is None
    assert cause(mistakes.timeline, 1) is None


def test_the_end_of_the_input_is_explained_by_who_could_type(record: Forker) -> None:
    """In a lesson nothing could be typed; in a script that was answered, Ctrl+D ended the input."""
    lesson = '# ---\n# jupyter:\n#   gradtutor:\n#     title: {en: "A"}\n# ---\n# %%\nname = input()\n'
    said = []
    for text, replies in ((lesson, []), ("name = input()\n", [Reply("", None)])):
        recording = record(text, replies=replies)
        (step,) = recording.steps_of("failed")
        said.append(explanation(recording.timeline, step) or "")
    assert "was at its end. The code of a lesson cannot ask" in " ".join(said[0].split())
    assert "Ctrl+D" in said[1]
