"""Values as JSON and as flat numbers."""

from __future__ import annotations

import math
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.trace import number_format
from tutor.trace.values import elements, shape_of, to_json

NAN, INF = math.nan, math.inf
LARGE = {
    "shape": [50, 40],
    "dtype": "float32",
    "stats": {"mean": 0.125, "max": INF, "nan": 0},
    "note": "2,000 elements",
}


def blob(code: str, numbers: list[Any], *shape: int) -> dict[str, Any]:
    data = bytes(numbers) if code == "?" else array(code, numbers).tobytes()
    return {"shape": list(shape), "code": code, "data": data}


@pytest.mark.parametrize(
    ("value", "dtype", "json"),
    [
        (None, "float32", None),
        (2.5, "float32", 2.5),
        (True, "bool", True),
        ([[1, 2], [3, 4]], "int64", [[1, 2], [3, 4]]),
        ([NAN, INF, -INF], "float32", ["nan", "inf", "-inf"]),
        ([[1.0, -2.0], [NAN, 0.0]], "complex64", [[1.0, -2.0], ["nan", 0.0]]),
        ([], "float32", []),
        (blob("f", [1, 2, 3, 4, 5, 6], 2, 3), "float32", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        (blob("q", [7], 1), "int64", [7]),
        (blob("q", [7]), "int64", 7),
        (blob("l", [7, -8], 2), "int64", [7, -8]),
        (blob("?", [1, 0], 2), "bool", [True, False]),
        (blob("f", [1, 2, 3, 4], 2), "complex64", [[1.0, 2.0], [3.0, 4.0]]),
        (blob("d", [NAN, 1.0], 1, 2), "float64", [["nan", 1.0]]),
        (blob("f", [], 2, 0), "float32", []),
        ({"shape": [2], "code": "e", "data": struct.pack("<2e", 0.5, 2)}, "float16", [0.5, 2.0]),
        (blob("f", [1, 2, 3], 2, 2), "float32", [1.0, 2.0, 3.0]),
        ({"shape": "?", "code": "zz", "data": 3}, "float32", []),
        (
            {**LARGE, "corners": [[1.0]], "heat": [1, 1, [1.0]]},
            "float32",
            {**LARGE, "stats": {"mean": 0.125, "max": "inf", "nan": 0}},
        ),
        (
            {"shape": [3], "note": "sparse"},
            "float32",
            {"shape": [3], "dtype": "float32", "stats": None, "note": "sparse"},
        ),
    ],
)
def test_json(value: Any, dtype: str, json: Any) -> None:
    assert to_json(value, dtype) == json


NUMBERS = st.recursive(st.floats() | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=5))
STRANGE = st.dictionaries(
    st.sampled_from(["shape", "code", "data", "stats", "note", "dtype"]),
    st.none() | st.integers(0, 9) | st.binary(max_size=20) | st.sampled_from("fqe?") | st.lists(st.integers(-3, 9)),
)


@given(NUMBERS | STRANGE, st.sampled_from(["float32", "complex64", "bool"]), st.integers(1, 40))
def test_any_value_fits(value: Any, dtype: str, width: int) -> None:
    assert len(number_format.inline(value, dtype, width)) <= width
    sizes = shape_of(value)
    assert len(number_format.summary(value, dtype, sizes, width)) <= width
    assert len(number_format.summary(value, dtype, sizes, width, gradient=True)) <= width
    to_json(value, dtype)
    elements(value)
    shape_of(value)


def test_shape_and_elements() -> None:
    assert shape_of([[1, 2, 3], [4, 5, 6]]) == (2, 3)
    assert shape_of(blob("f", [1.0], 1, 1)) == (1, 1)
    assert shape_of(3.0) == ()
    assert elements([[1, 2], [3, 4]]) == [1, 2, 3, 4]
    assert elements(blob("f", [1.0, 2.0], 1, 2)) == [1.0, 2.0]
    assert elements(5) == [5]
    assert elements(LARGE) is None
    assert elements(None) is None
