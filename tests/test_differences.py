"""Derivatives measured by running the program again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.worker.servers import forked_workers
from tutor.lesson.catalog import Target
from tutor.session.finite_differences import Difference, DifferenceError, difference
from tutor.session.session import Session
from tutor.trace.names import names_of


def measure(folder: Path, script: str, name: str, element: int = 0, step: int | None = None) -> Difference:
    """The derivative by an element of the tensor of this name, of the pass on show at the end."""
    path = folder / "script.py"
    path.write_text("import torch\n" + script, encoding="utf-8")

    async def run() -> Difference:
        session = Session(Target("file", path, path.name), workers=forked_workers())
        await session.run()
        timeline = session.timeline
        at = timeline.steps if step is None else step
        try:
            return await difference(session, timeline, at, names_of(timeline.state(at))[name], element)
        finally:
            await session.workers.close()

    return asyncio.run(run())


TWO_PATHS = """\
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()
"""


def test_the_two_paths_to_w(tmp_path: Path) -> None:
    found = measure(tmp_path, TWO_PATHS, "w")
    # y = (2 + w)(w + 1) = 2 + 3w + w²: at 1 the slope is 5, and for a parabola the central difference has no error.
    assert found.measured == pytest.approx(5, rel=1e-4)
    assert found.autograd == 5
    assert found.error < 1e-4
    h = (found.up - found.down) / 2
    assert found.high == pytest.approx(6 + 5 * h + h * h, rel=1e-6)
    assert found.low == pytest.approx(6 - 5 * h + h * h, rel=1e-6)


def test_an_element_of_a_parameter_in_a_later_pass(tmp_path: Path) -> None:
    found = measure(
        tmp_path,
        """\
w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
def loss_of(w):
    return (w ** 3).sum()
for _ in range(3):
    w.grad = None
    loss = loss_of(w)
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
""",
        "w",
        element=2,
    )
    value = 3.0
    for _ in range(2):
        value -= 0.01 * 3 * value**2
    assert found.autograd == pytest.approx(3 * value**2, rel=1e-12)
    assert found.measured == pytest.approx(3 * value**2, rel=1e-8)
    assert found.element == 2


def test_a_gradient_that_the_pass_began_with_counts(tmp_path: Path) -> None:
    found = measure(
        tmp_path,
        """\
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * x
y.backward(gradient=torch.tensor([10.0, 100.0]))
""",
        "x",
        element=1,
    )
    assert found.autograd == 400
    assert found.measured == pytest.approx(400, rel=1e-4)


def test_what_autograd_does_not_see_is_measured_all_the_same(tmp_path: Path) -> None:
    found = measure(
        tmp_path,
        """\
w = torch.tensor(3.0, requires_grad=True)
y = w * w.detach()
y.backward()
""",
        "w",
    )
    assert found.autograd == 3
    assert found.measured == pytest.approx(6, rel=1e-4)
    assert found.error == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("script", "name", "says"),
    [
        (TWO_PATHS, "a", "only the gradient of a leaf"),
        (TWO_PATHS.replace("y.backward()", ""), "w", "no backward pass"),
        ("w = torch.ones(2000, requires_grad=True)\nw.sum().backward()\n", "w", "too large"),
        ("w = torch.tensor(1.0, requires_grad=True)\n(w * torch.randn(1) * 1000).backward()\n", "w", "seed"),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path: Path, script: str, name: str, says: str) -> None:
    with pytest.raises(DifferenceError, match=says):
        measure(tmp_path, script, name)
