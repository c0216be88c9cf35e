"""Where a history was lost, and a leaf that goes by its name no more: the very call is named, and what mends it."""

from __future__ import annotations

import pytest

from tests.explain.test_mistakes import Mistake, failures, script
from tests.worker.recording import Forker, Recording
from tutor.explain import cause, explanation, plain

LEAF = "\n        w = torch.tensor([1.0, 2.0], requires_grad=True)\n        "
CUTS = [
    Mistake("a list of tensors", LEAF + """parts = [w[0] * 2, w[1] * 3]
        total = torch.tensor(parts).sum()
        total.backward()
        """, ("total has no history", "`torch.tensor(parts)` on line", "torch.stack(parts)"), "torch.tensor(parts)"),
    Mistake("a list written out", LEAF + """total = torch.tensor([w[0] * 2, w[1]]).mean()
        total.backward()
        """, ("`torch.tensor([w[0] * 2, w[1]])` on line", "torch.stack([w[0] * 2, w[1]])"),
            "torch.tensor([w[0] * 2, w[1]])"),
    Mistake("one tensor copied", LEAF + """loss = (w * w).sum()
        again = torch.tensor(loss)
        again.backward()
        """, ("`torch.tensor(loss)` on line", "copied the numbers of loss", "Use loss itself"), "torch.tensor(loss)"),
    Mistake("item in between", LEAF + """loss = (w * w).sum()
        again = torch.tensor(loss.item())
        again.backward()
        """, ("`loss.item()` took plain numbers out", "`torch.tensor(loss.item())` on line", "compute with loss"),
            "torch.tensor(loss.item())"),
    Mistake("a number with a name in between", LEAF + """number = (w * w).sum().item()
        scaled = number / 2
        again = torch.tensor(scaled) * 3
        again.backward()
        """, ("`(w * w).sum().item()` took plain", "`torch.tensor(scaled)` on line", "compute with (w * w).sum()"),
            "torch.tensor(scaled)"),
    Mistake("numbers collected in a loop", LEAF + """losses = []
        for i in range(2):
            losses.append((w[i] * 2).item())
        again = torch.tensor(losses).mean()
        again.backward()
        """, ("`(w[i] * 2).item()` took plain", "`torch.tensor(losses)` on line"), "torch.tensor(losses)"),
    Mistake("in each turn of a long loop", LEAF + """x = (w * w).sum()
        for i in range(40):
            x = torch.tensor(x.item() * 0.9)
        x.backward()
        """, ("`x.item()` took plain", "`torch.tensor(x.item() * 0.9)` on line"), "torch.tensor(x.item() * 0.9)"),
    Mistake("by way of NumPy", LEAF + """array = (w * 2).detach().numpy()
        again = torch.from_numpy(array).sum()
        again.backward()
        """, ("`(w * 2).detach().numpy()` took plain", "`torch.from_numpy(array)` on line", "compute with w * 2"),
            "torch.from_numpy(array).sum()"),
    Mistake("by way of NumPy, with names", LEAF + """array = (w * 2).detach().numpy()
        tensor = torch.from_numpy(array)
        again = tensor.sum()
        again.backward()
        """, ("`(w * 2).detach().numpy()` took plain", "`torch.from_numpy(array)` on line", "compute with w * 2"),
            "torch.from_numpy(array)"),
    Mistake("a new tensor of that shape", LEAF + """again = torch.zeros_like(w).sum()
        again.backward()
        """, ("`torch.zeros_like(w)` on line", "cut it off"), "torch.zeros_like(w)"),
    Mistake("a new tensor of that shape under no_grad", LEAF + """with torch.no_grad():
            copy = w.detach()
        copy.sum().backward()
        """, ("`w.detach()` on line", "cut it off"), "w.detach()"),
    Mistake("by way of a list", LEAF + """again = torch.tensor((w * 2).tolist()).sum()
        again.backward()
        """, ("`(w * 2).tolist()` took plain", "compute with w * 2"), "torch.tensor((w * 2).tolist())"),
    Mistake("by way of float", LEAF + """loss = (w * w).sum()
        again = torch.tensor(float(loss)) * 2
        again.backward()
        """, ("`float(loss)` took plain", "compute with loss"), "torch.tensor(float(loss))"),
    Mistake("numbers added to a tensor", LEAF + """total = torch.tensor(0.0)
        for i in range(2):
            error = (w[i] - 3) ** 2
            total += error.item()
        total.backward()
        """, ("`total += error.item()` on line", "plain numbers that `error.item()` took out", "Compute with error"),
            "total += error.item()"),
    Mistake("a factor that was a number", LEAF + """factor = w.sum().item()
        loss = (torch.ones(2) * factor).mean()
        loss.backward()
        """, ("`torch.ones(2) * factor` on line", "`w.sum().item()` took out", "Compute with w.sum()"),
            "torch.ones(2) * factor"),
    Mistake("in a function", LEAF + """def model(x):
            return torch.tensor([float(w[0]) * x, float(w[1])])
        model(2.0).sum().backward()
        """, ("`float(w[0])` and `float(w[1])` took plain numbers out", "compute with w[0] and w[1]"),
            "torch.tensor([float(w[0]) * x, float(w[1])])"),
    Mistake("a leaf that is not reached", LEAF + """loss = (w * w).sum()
        again = torch.tensor(loss.item(), requires_grad=True)
        again.backward()
        w.grad.zero_()
        """, ("the last backward pass did not reach w", "`loss.item()` took plain", "compute with loss"),
            "torch.tensor(loss.item(), requires_grad=True)"),
    Mistake("a detach before the leaf that is not reached", LEAF + """v = torch.tensor(1.0, requires_grad=True)
        h = (w * w).detach()
        (h * v).sum().backward()
        0.1 * w.grad
        """, ("did not reach w", "`(w * w).detach()` on line", "cut it off"), "(w * w).detach()"),
    Mistake("what was copied needs no gradient", LEAF + """u = torch.tensor([w[0] * 2, w[1]])
        u.grad.zero_()
        """, ("u.grad is None: u does not require grad", "`torch.tensor([w[0] * 2, w[1]])`", "torch.stack"),
            "torch.tensor([w[0] * 2, w[1]])"),
    Mistake("by way of data", LEAF + """loss = (w.data * 2).sum()
        loss.backward()
        """, ("`w.data * 2` on line", "uses w.data", "the same memory without the history"), "w.data * 2"),
    Mistake("by way of data with a name", LEAF + """v = w.data
        loss = (v * 2).sum()
        loss.backward()
        """, ("`v = w.data` on line", "uses w.data", "Write w alone"), "v = w.data"),
    Mistake("rebound under no_grad", LEAF + """for i in range(2):
            loss = (w * w).sum()
            loss.backward()
            with torch.no_grad():
                w = w - 0.1 * w.grad
        """, ("loss has no history", "gave the name w to a new tensor", "`w -= 0.1 * w.grad`"), "w - 0.1 * w.grad"),
    Mistake("whole numbers", LEAF + """loss = (w * 2).to(torch.int64).sum()
        loss.backward()
        """, ("`(w * 2).to(torch.int64)` on line", "has no derivative"), "(w * 2).to(torch.int64)"),
    Mistake("a choice", LEAF + """loss = w.argmax()
        loss.backward()
        """, ("`w.argmax()` on line", "has no derivative"), "w.argmax()"),
    Mistake("numbers that never were a tensor", LEAF + """number = 3.0
        again = torch.tensor(number) * 2
        again.backward()
        """, ("nothing that again was computed from requires grad",)),
    Mistake("numbers of data", LEAF + """data = torch.ones(3)
        again = torch.tensor(data.sum().item())
        again.backward()
        """, ("nothing that again was computed from requires grad",)),
    Mistake("cleared, though a part was detached", LEAF + """(w * w.detach()).sum().backward()
        w.grad = None
        w.grad.zero_()
        """, ("cleared it, after the last backward pass",), "w.grad"),
    Mistake("zero_grad before step", LEAF + """optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(2):
            (w * w).sum().backward()
            optimizer.zero_grad()
            optimizer.step()
        w.grad * 0.1
        """, ("`optimizer.zero_grad()` on line", "cleared it, after the last backward pass"), "optimizer.zero_grad()"),
    Mistake("a parameter made of a result", LEAF + """u = torch.nn.Parameter(w * 2)
        u.sum().backward()
        w.grad.zero_()
        """, ("did not reach w", "`torch.nn.Parameter(w * 2)` on line", "made a new leaf"),
            "torch.nn.Parameter(w * 2)"),
    Mistake("another loss", LEAF + """v = torch.tensor(1.0, requires_grad=True)
        (v * 2).backward()
        w.grad.zero_()
        """, ("the last backward pass did not reach w", "was not computed from w")),
    Mistake("a leaf in another dtype", """
        w = torch.tensor([2.0], requires_grad=True)
        w = w.to(torch.float64)
        (w * w).sum().backward()
        w.grad.zero_()
        """, ("w is no leaf any more", "`w.to(torch.float64)` on line", "from the earlier w", "right dtype",
              "`w = w.to(torch.float64).detach().requires_grad_()`"), "w.to(torch.float64)"),
    Mistake("made and converted at once", """
        w = torch.tensor([2.0], requires_grad=True).double()
        (w * w).sum().backward()
        w.grad.zero_()
        """, ("w is no leaf.", "from another tensor", "right dtype"),
            "torch.tensor([2.0], requires_grad=True).double()"),
    Mistake("a leaf times one", """
        w = torch.tensor([2.0], requires_grad=True)
        w = w * 1
        (w * w).sum().backward()
        w.grad.zero_()
        """, ("w is no leaf any more", "from the earlier w", "`w = (w * 1).detach().requires_grad_()`"), "w * 1"),
    Mistake("a parameter updated by rebinding", """
        w = torch.tensor([2.0], requires_grad=True)
        for i in range(2):
            (w * w).sum().backward()
            w = w - 0.1 * w.grad
        """, ("w is no leaf any more", "`w - 0.1 * w.grad` on line", "`w -= 0.1 * w.grad`"), "w - 0.1 * w.grad"),
    Mistake("another result", LEAF + """y = w * 2
        y.sum().backward()
        y.grad.zero_()
        """, ("y is no leaf, it was computed by MulBackward0", "y.retain_grad() before backward"), "w * 2"),
]  # fmt: skip


@pytest.fixture(scope="module")
def cuts(record: Forker) -> Recording:
    return record(script([cut.code for cut in CUTS]))


@pytest.mark.parametrize("number", range(len(CUTS)), ids=[cut.name for cut in CUTS])
def test_the_call_that_cut_is_named(cuts: Recording, number: int) -> None:
    step = failures(cuts, len(CUTS))[number]
    said = explanation(cuts.timeline, step)
    assert said is not None, cuts.timeline.event(step)
    for words in CUTS[number].says:
        assert words in said
    assert said.endswith(".")
    made = cause(cuts.timeline, step)
    assert (None if made is None else cuts.code(made)) == CUTS[number].cause


def test_the_earlier_leaf_is_not_taken_for_the_one_that_has_its_name(record: Forker) -> None:
    recording = record(
        "import torch\nw = torch.tensor([2.0], requires_grad=True)\nw = w * 3\nb = torch.ones(1, requires_grad=True)\n"
        "(w * w + b).sum().backward()\n"
    )
    told = [plain(recording.timeline, step) for step in recording.steps_of("accumulate")]
    assert any(text.startswith("b.grad was None; 1 arrives") and "means another" not in text for text in told)
    (lost,) = [text for text in told if not text.startswith("b.grad")]
    assert lost.startswith("(old w).grad was None; 36 arrives")  # of 9 w² at 2
    assert lost.endswith("since line 3 w means another tensor, which is no leaf: w.grad gets nothing")
    nodes = " ".join(plain(recording.timeline, step) for step in recording.steps_of("node"))
    assert "of w = (old w)·3: the gradient" in nodes
    assert "dw/d(old w) = 3" in nodes
    assert recording.grad("w") is None
