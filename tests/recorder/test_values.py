"""The map of a large tensor: every so-manieth element, between the least and the most of the finite ones."""

from __future__ import annotations

import math

from tests.worker.recording import Forker
from tutor.trace.names import names_of

SCRIPT = """
import torch
even = torch.arange(-1500.0, 1500.0).reshape(50, 60)
odd = even.clone()
odd[0, 0], odd[1, 1] = float("nan"), float("inf")
wide = torch.arange(12800.0).reshape(128, 100)
none = torch.full((2000,), float("nan"))
"""


def test_the_map_of_a_large_tensor(record: Forker) -> None:
    timeline = record(SCRIPT).timeline
    state = timeline.state(timeline.steps)
    heat = {name: state.tensors[number].value["heat"] for name, number in names_of(state).items()}
    rows, columns, data, least, most = heat["even"]
    assert (rows, columns, least, most) == (50, 60, -1500.0, 1499.0)
    for row in (0, 7, 25, 49):
        for column in (0, 31, 59):
            number = -1500 + 60 * row + column
            assert data[60 * row + column] == math.floor((number + 1500) / 2999 * 254)
    rows, columns, data, least, most = heat["odd"]
    assert (data[0], data[61], data[62]) == (255, 255, math.floor((62 - 1) / 2998 * 254))
    assert (least, most) == (-1499.0, 1499.0)
    rows, columns, data, least, most = heat["wide"]  # each second row, up to 126; columns up to 98
    assert (rows, columns, least, most) == (64, 64, 0.0, 12698.0)
    assert set(heat["none"][2]) == {255}
