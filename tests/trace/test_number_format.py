"""How numbers, shapes and statistics are written."""

from __future__ import annotations

import math
import re
import statistics
import struct
from array import array

import pytest

from tutor.trace import number_format


def single(value: float) -> float:
    """Return the nearest number in single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"), (2.5, "2.5"), (-0.0, "0"), (0.1, "0.1"), (single(0.1), "0.1"), (1.5e-7, "1.5e-7"), (1e6, "1e6"),
        (1.9999996, "≈2"), (single(1.9999996), "≈2"), (0.1 + 0.2, "≈0.3"), (single(1 / 3), "0.33333"),
        (99999.0, "99999"), (math.nan, "nan"), (-math.inf, "-inf"), (3, "3"), (12345678, "12345678"), (True, "True"),
        ([1.0, -2.5], "1-2.5j"), ([0.0, 1.0], "0+1j"), ([math.nan, -math.inf], "nan-infj"),
    ],
)  # fmt: skip
def test_a_number_has_one_spelling(value: object, text: str) -> None:
    assert number_format.number(value) == text


def test_the_dtype_says_what_rounding_a_number_had() -> None:
    bfloat16 = 0.10009765625  # the nearest to 0.1 there
    assert number_format.number(bfloat16, "bfloat16") == "0.1001"
    assert number_format.number(3 * single(0.1), "float32") == "0.3"
    assert number_format.number(single(0.1), "float64") == "≈0.1"


def test_a_shape_has_no_brackets() -> None:
    assert [number_format.shape(sizes) for sizes in ([32, 16], [3], [])] == ["32×16", "3", "scalar"]


def test_points_are_below_each_other() -> None:
    assert number_format.align(["10", "2.5", "-0.125", "4e-7", "nan"]) == [
        " 10    ",
        "  2.5  ",
        " -0.125",
        "  4e-7 ",
        "nan    ",
    ]
    assert number_format.grid([[1.0, -2.5], [30.25, 4e-7]], "float32", (2, 2)) == [
        [" 1   ", "-2.5 "],
        ["30.25", " 4e-7"],
    ]
    assert number_format.grid([0.0] * 9, "float32", (9,)) is None


def test_statistics_are_of_the_finite_elements() -> None:
    numbers = [1.5, -4.0, 2.25]
    stats = number_format.statistics([*numbers, math.nan, math.inf])
    assert stats is not None
    assert (stats.low, stats.high, stats.largest, stats.nans, stats.infinities) == (-4.0, 2.25, 4.0, 1, 1)
    assert stats.mean == pytest.approx(statistics.mean(numbers))
    assert stats.std == pytest.approx(statistics.stdev(numbers))
    assert stats.norm == pytest.approx(math.sqrt(sum(x * x for x in numbers)))
    recorded = {"shape": [5], "stats": {"min": -4.0, "max": 2.25, "mean": statistics.mean(numbers),
                                        "std": statistics.stdev(numbers), "nan": 1, "inf": 1}}  # fmt: skip
    again = number_format.statistics(recorded)
    assert again is not None
    assert again.norm == pytest.approx(stats.norm)
    assert (again.count, again.low, again.high, again.nans) == (5, -4.0, 2.25, 1)


LARGE = {
    "shape": [50, 40],
    "dtype": "float32",
    "stats": {"min": -24.75, "max": 26.875, "mean": 0.125, "std": 2.0, "nan": 0, "inf": 0},
    "note": "2,000 elements",
}
"""Its norm is √(2000·0.125² + 1999·2²) = 89.592."""


def blob(code: str, numbers: list[float], *sizes: int) -> dict[str, object]:
    return {"shape": list(sizes), "code": code, "data": array(code, numbers).tobytes()}


@pytest.mark.parametrize(
    ("value", "dtype", "width", "text"),
    [
        (2.0, "float32", 12, "2"),
        ([[[single(0.1)]]], "float32", 12, "0.1"),
        ([1.0, 2.0, 3.0], "float32", 12, "[1 2 3]"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "float32", 9, "[1 2 3 …]"),
        ([[1, 2], [3, 4]], "int64", 20, "[[1 2] [3 4]]"),
        ([[1.5, 2.0, 3.0], [4.0, 5.0, 6.5]], "float32", 20, "1.5 … 6.5"),
        ([[1.5, 2.0, 3.0], [4.0, 5.0, 6.5]], "float32", 16, "|x| 9.92"),
        ([[-0.0001234, 2.0, 3.0], [4.0, 5.0, 123.456]], "float32", 21, "-0.000123 … 123"),
        ([[-0.0001234, 2.0, 3.0], [4.0, 5.0, 123.456]], "float32", 17, "-0.0001 … 123"),
        ([[[0.0], [1.0]]], "float32", 20, "[[[0] [1]]]"),
        (blob("f", list(range(30)), 1, 30, 1), "float32", 24, "0 … 29"),
        (blob("f", list(range(30)), 1, 30, 1), "float32", 60, "0 … 29 (mean 14.5 ± 8.8)"),
        ([True, False], "bool", 20, "[True False]"),
        (blob("f", [1.0, -2.0], 1), "complex64", 20, "1-2j"),
        ([[1.0, 2.0], [0.0, 1.5]], "complex64", 20, "[1+2j 0+1.5j]"),
        ([math.inf, -math.inf], "float32", 12, "[inf -inf]"),
        ([], "float32", 12, "[]"),
        (123456789, "int64", 5, "≈1e8"),
        (LARGE, "float32", 60, "-24.8 … 26.9 (mean 0.125 ± 2)"),
        (LARGE, "float32", 30, "-24.8 … 26.9"),
        (LARGE, "float32", 12, "|x| 89.6"),
        ({"shape": [3, 4], "dtype": "float32", "stats": None, "note": "sparse"}, "float32", 20, "3×4 sparse"),
        (None, "float32", 12, "None"),
    ],
)
def test_a_value_in_running_text(value: object, dtype: str, width: int, text: str) -> None:
    assert number_format.inline(value, dtype, width) == text


def test_a_gradient_is_given_by_its_norm_and_largest_magnitude() -> None:
    assert number_format.inline(LARGE, "float32", gradient=True) == "|g| 89.6, max 26.9"
    assert number_format.summary(LARGE, "float32", (50, 40), 12, gradient=True) == "|g| 89.6"


def test_nan_comes_before_all_else() -> None:
    value = {**LARGE, "stats": {**LARGE["stats"], "nan": 3, "inf": 1}}  # type: ignore[dict-item]
    assert number_format.summary(value, "float32", (50, 40), 30) == "3 nan, 1 inf of 2,000"


@pytest.mark.parametrize("width", [12, 21, 26, 60])
@pytest.mark.parametrize("gradient", [False, True])
def test_a_cell_stays_with_one_statistic(width: int, gradient: bool) -> None:
    """Its text differs in numbers alone, whatever the values are."""

    def kind(values: list[float]) -> str:
        text = number_format.summary([values] * 6, "float32", (6, 6), width, gradient=gradient)
        assert len(text) <= width
        return re.sub(r"-?[\d.]+(e-?\d+)?", "0", text)

    kinds = {kind([scale * x for x in range(6)]) for scale in (0.0, 1.0, -1.2345e-7, 98765.4, 1e30, -0.000123456)}
    assert len(kinds) == 1


def test_one_number_in_a_narrow_cell() -> None:
    texts = [number_format.fitted(-1.2345e-7, "float32", width) for width in (10, 9, 8, 7)]
    assert texts == ["-1.2345e-7", "≈-1.23e-7", "≈-1.2e-7", "≈-1e-7"]


def test_an_equation_takes_over_the_mark_of_a_rounded_number() -> None:
    assert number_format.equation("x", number_format.number(1.9999996)) == "x ≈ 2"
    assert number_format.equation("x", "[≈2 1]") == "x = [≈2 1]"
    assert number_format.equation("3 + ≈0.3", "3.3") == "3 + 0.3 ≈ 3.3"
    assert number_format.equation("y ≈ 0.3 × [≈2 1]", "[0.6 0.3]") == "y ≈ 0.3 × [≈2 1] = [0.6 0.3]"
    assert number_format.equation("grad(x)", "|g| 1.16, max 0.31") == "grad(x): |g| 1.16, max 0.31"
    assert number_format.equation("x", "-24.7 … 26.9") == "x: -24.7 … 26.9"
    assert number_format.equation("y", "|x|") == "y = |x|"
