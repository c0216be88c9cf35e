"""Transforms, checkpoint, forward mode, modes without gradients: each is named as what it is, and only there."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.mistakes.registry import diagnose_step
from tutor.trace.timeline import Timeline

FUNCTIONS = """\
import torch
from torch.utils.checkpoint import checkpoint
x = torch.tensor([1.0, 2.0])
w = torch.tensor([3.0, 4.0], requires_grad=True)
def f(t):
    u = t * t
    return u.sum()
"""


def first_note(timeline: Timeline, step: int) -> str | None:
    return next((diagnosis.sentence for diagnosis in diagnose_step(timeline, step)), None)


def said(recorded: Recording, kind: str) -> list[str]:
    return [text for step in recorded.steps_of(kind) if (text := first_note(recorded.timeline, step)) is not None]


@pytest.mark.parametrize(
    ("code", "name", "result"),
    [
        ("r = torch.func.grad(f)(x)", "torch.func.grad", [2.0, 4.0]),
        ("r, _ = torch.func.grad_and_value(f)(x)", "torch.func.grad_and_value", [2.0, 4.0]),
        ("_, pull = torch.func.vjp(f, x)\n(r,) = pull(torch.tensor(3.0))", "torch.func.vjp", [6.0, 12.0]),
        ("r = torch.func.jacrev(f)(x)", "torch.func.jacrev", [2.0, 4.0]),
        ("r = torch.func.hessian(f)(x)", "torch.func.jacfwd", [[2.0, 0.0], [0.0, 2.0]]),
        ("r = torch.vmap(torch.func.grad(f))(torch.ones(3, 2))", "torch.vmap", [[2.0, 2.0]] * 3),
        ("r = torch.autograd.functional.jacobian(f, x)", "torch.autograd.functional.jacobian", [2.0, 4.0]),
    ],
)
def test_whose_pass_it_is(code: str, name: str, result: list[float], record: Forker) -> None:
    recorded = record(FUNCTIONS + code + "\n(w * 2).sum().backward()\n")
    *inside, own = recorded.steps_of("backward")
    assert inside
    for step in inside:
        assert (first_note(recorded.timeline, step) or "").startswith(name)
        assert name in plain(recorded.timeline, step)
    assert first_note(recorded.timeline, own) is None
    assert recorded.value("r") == result
    assert recorded.grad("x") is None


def test_what_stands_for_several_says_so(record: Forker) -> None:
    recorded = record(
        FUNCTIONS + "r = torch.vmap(lambda t: t * 2)(torch.ones(3, 2))\n"
        "rr = torch.vmap(lambda t: torch.vmap(torch.sin)(t))(torch.ones(3, 4, 2))\n"
    )
    assert plain(recorded.timeline, recorded.op("t * 2")) == "mul: t * 2 = shape 2, for 3 at once"
    assert "shape 2, for 12 at once" in plain(recorded.timeline, recorded.op("torch.vmap(torch.sin)(t)"))
    assert recorded.timeline.notices == []
    assert recorded.value("r") == [[2.0, 2.0]] * 3


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint_runs_the_forward_again(reentrant: bool, record: Forker) -> None:
    recorded = record(
        FUNCTIONS + f"def block(t):\n    inner = t * t\n    return inner.sin()\nf(w)\n"
        f"y = checkpoint(block, w, use_reentrant={reentrant}).sum()\ny.backward()\n"
    )
    again = [step for step in recorded.steps_of("line") if "second time" in plain(recorded.timeline, step)]
    assert [recorded.code(step) for step in again] == ["inner = t * t"]
    (first,) = recorded.steps_of("backward")[:1]
    assert again[0] > first
    assert recorded.code(recorded.op("t * t", 3)) == "t * t"  # f, the forward, and the forward again
    assert recorded.op("t * t", 3) > first
    nodes = said(recorded, "node")
    assert [("ran a second time" in text) for text in nodes] == ([True] if reentrant else [])


def test_forward_mode(record: Forker) -> None:
    recorded = record(
        "import torch\nimport torch.autograd.forward_ad as fwd\nx = torch.tensor([3.0])\n"
        "with fwd.dual_level():\n    d = fwd.make_dual(x, torch.ones(1))\n    y = d * d\n"
        "    value, tangent = fwd.unpack_dual(y)\n    del d, y\n"
    )
    assert [text.partition(":")[0] for text in said(recorded, "op")] == ["forward mode"] * 2
    assert recorded.value("tangent") == [6.0]


def test_modes_without_gradients(record: Forker) -> None:
    recorded = record(
        FUNCTIONS + "a = w * 2\nwith torch.no_grad():\n    b = w * 3\n    w -= 1\n"
        "with torch.inference_mode():\n    c = w * 4\nd = w.detach()\ne = (w > 0) * 1\n"
        "g = a.argmax()\nh = x * 5\na.add_(1)\n"
    )
    found = {
        recorded.code(step): text
        for step in recorded.steps_of("op")
        if (text := first_note(recorded.timeline, step)) is not None
    }
    assert {code: text.split(" ")[0] for code, text in found.items()} == {
        "w * 3": "gradients", "w -= 1": "autograd", "w * 4": "made", "w.detach()": "the",
    }  # fmt: skip


def test_hooks_of_a_module(record: Forker) -> None:
    recorded = record(
        "import torch\nnet = torch.nn.Linear(1, 1)\nx = torch.ones(1, requires_grad=True)\n"
        "net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))\nnet(x).backward()\n"
    )
    assert all("hooks of a module" in text for text in said(recorded, "node"))
    assert len(said(recorded, "node")) == 2
    assert ("mul", "gi[0] * 2") in recorded.ops()


def test_the_elements_of_what_runs_inside_are_told(record: Forker) -> None:
    """Some versions of torch give none inside a transform, and none gives the bytes of more than a few."""
    recorded = record("""\
import torch
def f(x):
    y = x * 2
    return y.sum()
for x in (torch.ones(3), torch.ones(20), torch.ones(50, 50), torch.ones(3) * 1j):
    torch.func.grad(f)(x) if x.is_floating_point() else torch.func.vjp(f, x)
torch.func.grad(lambda x: torch.func.grad(lambda x: x ** 3)(x))(torch.tensor(2.0))
""")
    texts = [plain(recorded.timeline, step) for step in range(1, recorded.timeline.steps + 1)]
    assert not [text for text in texts if "cannot be read" in text]
    doubled = [text for text in texts if text.startswith("mul: y = x * 2 = ")]
    assert [text.rpartition(" = ")[2] for text in doubled] == [
        "[2 2 2]", f"[{'2 ' * 19}2]", "[0+2j 0+2j 0+2j]",
    ]  # fmt: skip
    assert "mul: y = x * 2: 2 … 2 (mean 2 ± 0)" in texts
