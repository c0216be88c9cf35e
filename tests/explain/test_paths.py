"""The sum over paths, against values worked out by hand."""

from __future__ import annotations

import pytest

from tests.worker.recording import Forker
from tutor.explain.paths import Paths, _counts, paths_to
from tutor.trace.names import names_of
from tutor.trace.state import NodeState, State

SCRIPT = """
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
a = x + w
b = w + 1
y = a * b
y.backward()

u = torch.tensor(3.0, requires_grad=True)
v = u * u * u
v.backward()

z = torch.tensor(0.0, requires_grad=True)
q = (z * z) * 5
q.backward()

m = torch.ones(3, requires_grad=True)
(m * 2).sum().backward()
"""


def paths(record: Forker, line: int, name: str) -> Paths | None:
    timeline = record(SCRIPT).timeline
    last = max(k for k in range(1, timeline.steps + 1) if timeline.view(k).line == line)
    state = timeline.state(last)
    return paths_to(timeline, state, names_of(state)[name])


def test_two_paths_lead_to_w(record: Forker) -> None:
    found = paths(record, 9, "w")
    assert found is not None
    # dy/da = b = 2 and dy/db = a = 3; both sums have the derivative 1
    assert [(path.through, path.factors, path.product) for path in found.paths] == [
        (["y", "a", "w"], [2.0, 1.0], 2.0),
        (["y", "b", "w"], [3.0, 1.0], 3.0),
    ]
    assert (found.total, found.left_out) == (5.0, 0)


def test_a_cube_has_three_paths(record: Forker) -> None:
    found = paths(record, 13, "u")
    assert found is not None
    # v = (u·u)·u: each of the three factors gives u² = 9
    assert [path.product for path in found.paths] == pytest.approx([9.0, 9.0, 9.0])
    assert found.total == pytest.approx(27.0)


def test_nothing_is_claimed_where_a_factor_cannot_be_measured(record: Forker) -> None:
    # the gradient that reaches z·z is 5 and it sends 0: that can be measured, 0 / 5
    found = paths(record, 17, "z")
    assert found is not None
    assert [path.product for path in found.paths] == [0.0, 0.0]
    # tensors of three elements have no single factor
    assert paths(record, 20, "m") is None


def test_a_circle_that_torch_never_draws_keeps_nobody_waiting() -> None:
    state = State()
    for number, sources in ((1, [2]), (2, [3, 4]), (3, [1]), (4, [])):
        inputs: list[tuple[int, int] | None] = [(source, 0) for source in sources]
        state.nodes[number] = NodeState(number, "AddBackward0", inputs, None, -1, [])
    assert _counts(state, state.nodes[1], 4) == {}
    state.nodes[3].inputs = [(4, 0)]
    assert _counts(state, state.nodes[1], 4)[1] == 2
