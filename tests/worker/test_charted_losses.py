"""Under which name the loss of a backward pass is charted, and with which value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.recording import Forker, Recording

SETUP = """\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
def cost():
    return (w * w).sum()
"""


def curves(recorded: Recording) -> dict[str, list[float]]:
    assert recorded.status == 0, recorded.stderr
    return {name: [point.value for point in points] for name, points in recorded.timeline.series.items()}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("loss = cost()\nloss.backward()", {"loss": [5.0]}),
        ("loss = cost()\n(loss / 2).backward()", {"loss": [5.0]}),
        ("loss = cost()\n(-(0.5 * loss * 3)).backward()", {"loss": [5.0]}),
        ("n = torch.tensor(4.0)\nloss = cost()\n(loss / n).backward()", {"loss": [5.0]}),
        ("loss = cost()\n(loss + 1).float().double().squeeze().backward()", {"loss": [5.0]}),
        ("loss = cost()\nloss = loss / 2\nloss.backward()", {"loss": [2.5]}),
        ("loss = cost()\nscaled = loss * 8\nscaled.backward()", {"scaled": [40.0]}),
        ("s = torch.amp.GradScaler('cpu', init_scale=8.0)\nloss = cost()\ns.scale(loss).backward()", {"loss": [5.0]}),
        (
            "a, b = cost(), cost()\n(a + 0.5 * b).backward()",
            {"a + 0.5 * b": [7.5], "a": [5.0], "b": [5.0]},
        ),
        ("a = cost()\n(a + 0.1 * w.abs().sum()).backward()", {"a": [5.0]}),
        ("a, b = cost(), cost()\ntorch.stack([a, b]).mean().backward()", {
            "torch.stack([a, b]).mean()": [5.0], "a": [5.0], "b": [5.0],
        }),
        ("parts = [cost(), cost()]\nsum(parts).backward()", {"sum(parts)": [10.0]}),
        ("parts = {'a': cost(), 'b': cost()}\nsum(parts.values()).backward()", {
            "sum(parts.values())": [10.0], "parts['a']": [5.0], "parts['b']": [5.0],
        }),
        ("parts = {'a': cost()}\n(parts['a'] / 2).backward()", {"parts['a']": [5.0]}),
        ("past = []\nfor _ in range(3):\n    past.append(cost())\n    past[-1].backward()", {"past[-1]": [5.0] * 3}),
        ("past = []\nfor _ in range(3):\n    past.append(cost())\n    (past[-1] / 5).backward()", {
            "past[-1] / 5": [1.0] * 3,
        }),
        ("past = []\nfor _ in range(2):\n    past.append(cost())\n    (past[0] / 5).backward(retain_graph=True)", {
            "past[0]": [5.0] * 2,
        }),
        ("cost().backward()", {"cost()": [5.0]}),
        ("(cost() / 5).backward()", {"cost() / 5": [1.0]}),
        ("torch.autograd.backward(cost())", {"cost()": [5.0]}),
        ("torch.autograd.backward([cost()])", {"cost()": [5.0]}),
        ("a = cost()\ntorch.autograd.backward([a * 2, cost()])", {"a": [5.0], "cost()": [5.0]}),
        ("a, b = cost(), cost()\ntorch.autograd.backward(tensors=(a, b))", {"a": [5.0], "b": [5.0]}),
        ("both = [cost(), cost()]\ntorch.autograd.backward(both)", {"both[0]": [5.0], "both[1]": [5.0]}),
        ("losses = w * w\nlosses.mean().backward()", {"losses.mean()": [2.5]}),
        ("class Box: pass\nbox = Box()\nbox.loss = cost()\n(box.loss / 2).backward()", {"box.loss": [5.0]}),
        ("a = cost()\ng, = torch.autograd.grad(a, w)", {"a": [5.0]}),
        ("torch.autograd.grad(cost(), w)", {"cost()": [5.0]}),
        # What is no sum and no scaling has a value of its own; a leaf is no loss.
        ("a = cost()\n(10 / a).backward()", {"10 / a": [2.0]}),
        ("a = cost()\n((a - 3) ** 2).backward()", {"(a - 3) ** 2": [4.0]}),
        ("a, b = cost(), cost()\n(a * b).backward()", {"a * b": [25.0]}),
        ("a = cost()\n(a * w).sum().backward()", {"(a * w).sum()": [15.0]}),
        ("k = torch.tensor(3.0, requires_grad=True)\n(k * 2).backward()", {"k * 2": [6.0]}),
        ("w.backward(torch.ones(2))", {}),
        ("a = cost()\ntorch.autograd.grad(a, w, create_graph=True)[0].sum().backward()", {
            "torch.autograd.grad(a, w, create_graph=True)[0].sum()": [6.0],
        }),
        ("(cost() + cost() + cost() + cost() + cost() + cost() + cost() + cost() + cost()).backward()", {
            "script.py:5": [45.0],
        }),
    ],
)  # fmt: skip
def test_the_name_and_the_value_of_a_loss(record: Forker, code: str, expected: dict[str, list[float]]) -> None:
    assert curves(record(SETUP + code + "\n")) == expected


TRAINER = """\
import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    def training_step(self, batch):
        loss = (self.w * batch).sum()
        return loss
class Trainer:
    def __init__(self, model):
        self.model = model
        self.scale = 4
    def closure(self, batch):
        output = self.model.training_step(batch)
        return output / self.scale
    def step(self, batch):
        self.closure(batch).backward()
def fit():
    trainer = Trainer(Model())
    for i in range(6):
        trainer.step(torch.full((2,), float(i)))
fit()
"""


def test_a_trainer_that_scales_in_another_frame(record: Forker) -> None:
    """The tensor called `output` is gone by then; it was made as `loss`, and is 4 times what backward begins at."""
    assert curves(record(TRAINER)) == {"loss": [0.0, 3.0, 6.0, 9.0, 12.0, 15.0]}


LIBRARY = """\
def divided(loss, n):
    value = loss / n
    return value
def run(step, n):
    for i in range(3):
        divided(step(i), n).backward()
"""


def test_a_framework_that_is_no_code_of_the_learners(record: Forker, tmp_path: Path) -> None:
    folder = tmp_path / "site-packages" / "framework"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(LIBRARY)
    code = f"""\
import sys
sys.path.append({str(folder.parent)!r})
import torch, framework
w = torch.tensor([1.0, 2.0], requires_grad=True)
def training_step(i):
    loss = (w * i).sum()
    return loss
framework.run(training_step, 2)
framework.run(lambda i: (w * i).sum(), 2)
"""
    assert curves(record(code)) == {"loss": [0.0, 3.0, 6.0], "script.py:9": [0.0, 1.5, 3.0]}


CASES = """\
class Box: pass
box, parts = Box(), {}
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
def trained(batch):
    loss = (w * batch).sum()
    return loss
class Trainer:
    def __init__(self):
        self.loss = None
    def step(self):
        self.loss = cost()
        (self.loss / 2).backward()
trainer = Trainer()
for i in range(60):
    first = cost()
    (first / 2).backward()
    second = cost()
    scaler.scale(second).backward()
    third, fourth = cost(), cost()
    (third + 0.5 * fourth).backward()
    box.loss = cost()
    (box.loss / 3).backward()
    parts["total"] = cost()
    parts["total"].backward()
    cost().backward()
    sixth = [cost(), cost()]
    sum(sixth).backward()
    torch.autograd.backward([cost(), cost() * 2])
    (trained(torch.full((2,), float(i))) / 4).backward()
    trainer.step()
    grads = torch.autograd.grad(cost(), w)
    with torch.no_grad():
        w -= 0.001 * w.grad
        w.grad = None
"""


def test_past_the_budget_the_same_names_and_values_go_on(record: Forker) -> None:
    whole = record(SETUP + CASES)
    cut = record(SETUP + CASES, max_events=2000)
    expected = curves(whole)
    assert set(expected) == {
        "first", "second", "third + 0.5 * fourth", "third", "fourth", "box.loss", "parts['total']", "cost()",
        "cost() * 2", "sum(sixth)", "loss", "self.loss",
    }  # fmt: skip
    assert cut.timeline.contents.gaps
    assert curves(cut) == expected
