"""How numbers, shapes and statistics are written."""

from __future__ import annotations

import math
import statistics
import struct

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
