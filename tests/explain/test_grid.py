"""The arithmetic of small tensors, against torch's."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tutor.explain.rules.arrays import Grid, allclose, broadcast_shape, combine, count, map_slices, reduced_shape

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def stretched(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape, and one that it can be stretched to."""
    to = draw(shapes)
    shape = tuple(draw(st.sampled_from([size, 1])) for size in to)
    return shape[draw(st.integers(0, len(shape))) :] if all(size == 1 for size in shape) else shape, to


def grid_of(tensor: torch.Tensor) -> Grid:
    return Grid.of(tuple(tensor.shape), tensor.flatten().tolist())


def numbered(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(count(shape), dtype=torch.float64).reshape(shape)


@settings(deadline=None)
@given(shapes, shapes)
def test_shapes_broadcast_as_in_torch(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = tuple(torch.broadcast_shapes(a, b))
    except RuntimeError:
        with pytest.raises(ValueError, match="do not fit"):
            broadcast_shape(a, b)
    else:
        assert broadcast_shape(a, b) == expected


@settings(deadline=None)
@given(stretched())
def test_expand_and_its_undoing(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, to = pair
    small, large = numbered(shape), numbered(to)
    assert grid_of(small).expand(to) == grid_of(small.expand(to))
    assert grid_of(large).sum_to(shape) == grid_of(large.sum_to_size(shape))


def test_products() -> None:
    a, b = numbered((2, 3)), numbered((3, 4))
    assert grid_of(a).matmul(grid_of(b)) == grid_of(a @ b)
    assert grid_of(a).transpose() == grid_of(a.T.contiguous())
    assert grid_of(a) * Grid((), (2.0,)) == grid_of(a * 2)
    with pytest.raises(ValueError, match="do not fit"):
        grid_of(a).matmul(grid_of(a))


def test_agreement_allows_rounding_and_no_more() -> None:
    assert allclose(Grid((1,), (0.1,)), Grid((1,), (float(torch.tensor(0.1)),)), "float32")
    assert not allclose(Grid((1,), (0.1,)), Grid((1,), (0.1001,)), "float32")
    assert not allclose(Grid((1,), (0.1,)), Grid((), (0.1,)), "float32")
    assert not allclose(Grid((1,), (1.0,)), Grid((1,), (1.0,)), "int64")
    assert allclose(Grid((1,), (math.nan,)), Grid((1,), (math.nan,)), "float64")
    assert not allclose(Grid((1,), (1.0,)), Grid((1,), (math.nan,)), "float64")
    assert allclose(Grid((1,), (math.inf,)), Grid((1,), (math.inf,)), "float64")


@settings(deadline=None)
@given(shapes, st.data())
def test_slices_along_dimensions_are_those_of_torch(shape: tuple[int, ...], data: st.DataObject) -> None:
    dimensions = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True) if shape else st.just([]))
    signed = [dimension - data.draw(st.sampled_from([0, len(shape)])) for dimension in dimensions]
    tensor = numbered(shape)
    means = tensor - (tensor.mean(signed, keepdim=True) if signed else tensor.mean())
    centred = map_slices(signed, lambda x: [y - sum(x) / len(x) for y in x], grid_of(tensor))
    assert allclose(centred, grid_of(means), "float64")
    assert grid_of(tensor).sum_to(reduced_shape(shape, signed)) == grid_of(
        tensor.sum(signed, keepdim=True) if signed else tensor.sum().expand([1] * len(shape))
    )


def test_combining_grids() -> None:
    a, b, c = Grid((2, 1), (1.0, 2.0)), Grid((3,), (3.0, 4.0, 5.0)), Grid((), (10.0,))
    assert combine(lambda x, y, z: x * y + z, a, b, c) == Grid((2, 3), (13.0, 14.0, 15.0, 16.0, 18.0, 20.0))
    assert combine(lambda: 2.0) == Grid((), (2.0,))
