"""A figure: what was measured, against what, and what it should be. Each is a ratio within one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import msgspec


class Figure(msgspec.Struct, kw_only=True):
    """One line of the table. `measured` and `against` are medians, in the same unit."""

    name: str
    measured: float
    against: float
    unit: str
    """s, ms, bytes, MiB, or empty."""
    of: str
    """What `against` was measured of."""
    target: float | None = None
    """What `ratio` should not be above, or `measured` where `absolute`."""
    absolute: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.measured / self.against

    @property
    def verdict(self) -> str:
        """`met`, `not met`, or nothing where nothing is demanded."""
        if self.target is None:
            return ""
        return "met" if (self.measured if self.absolute else self.ratio) <= self.target else "not met"

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**msgspec.to_builtins(self), "ratio": self.ratio, "verdict": self.verdict}


def alternate(repetitions: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Run each in turn, `repetitions` times: what disturbs one disturbs the others as well."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(repetitions):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return found


def medians(repetitions: int, *measures: Callable[[], float]) -> list[float]:
    """The medians of `alternate`."""
    return [median(values) for values in alternate(repetitions, *measures)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that this percentage of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def table(figures: Sequence[Figure]) -> str:
    """All figures for people."""
    rows = [("", "measured", "against", "ratio", "target", "")]
    for figure in figures:
        target = ""
        if figure.target is not None:
            target = "≤ " + (_amount(figure.target, figure.unit) if figure.absolute else f"{figure.target:g}")
        against = f"{_amount(figure.against, figure.unit)} {figure.of}"
        measured = _amount(figure.measured, figure.unit)
        rows.append((figure.name, measured, against, f"{figure.ratio:.2f}", target, figure.verdict))
    sizes = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    right = (1, 3, 4)
    lines = []
    notes = ["", *(figure.note for figure in figures)]
    for row, note in zip(rows, notes, strict=True):
        cells = [text.rjust(size) if at in right else text.ljust(size)
                 for at, (text, size) in enumerate(zip(row, sizes, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
        if note:
            lines.append(f"    {note}")
    return "\n".join(lines)


def _amount(value: float, unit: str) -> str:
    digits = 3 if value < 10 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f} {unit}".rstrip()
