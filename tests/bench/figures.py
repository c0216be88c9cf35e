"""A figure: what was measured, against what, and what it should be. Each is a ratio within one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import msgspec

NOISY = 0.1
"""The `spread` above which a figure is said to be noisy."""


class Figure(msgspec.Struct, kw_only=True):
    """One line of the table. `measured` and `against` are medians in one unit; without `against` it is absolute."""

    name: str
    measured: float
    unit: str
    """s, ms, bytes, MiB, or empty."""
    against: float | None = None
    of: str = ""
    """What `against` was measured of."""
    target: float | None = None
    """What `ratio` should not be above, or `measured` where `absolute`."""
    absolute: bool = False
    spread: float | None = None
    """How far apart the ratios of the pairs are, in which it was measured: half of them lie within this share of the
    median."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.against is None else self.measured / self.against

    @property
    def is_ratio(self) -> bool:
        """Whether its ratio says most, rather than what was measured."""
        return self.against is not None and not self.absolute

    @property
    def noisy(self) -> bool:
        """Whether the pairs differ so much that another run may well come to something else."""
        return self.spread is not None and self.spread > NOISY

    @property
    def verdict(self) -> str:
        """`met`, `not met`, or nothing where nothing is demanded."""
        if self.target is None:
            return ""
        figure = self.ratio if self.is_ratio else self.measured
        return "met" if figure is not None and figure <= self.target else "not met"

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**msgspec.to_builtins(self), "ratio": self.ratio, "verdict": self.verdict, "noisy": self.noisy}


def in_pairs(measured: Sequence[float], against: Sequence[float], **fields: Any) -> Figure:
    """Return the figure of alternating pairs: medians of both, with the spread of their ratios."""
    ratios = [mine / other for mine, other in zip(measured, against, strict=True)]
    spread = (percentile(ratios, 75) - percentile(ratios, 25)) / median(ratios) if len(ratios) > 1 else None
    return Figure(measured=median(measured), against=median(against), spread=spread, **fields)


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
    rows = [("", "measured", "against", "ratio", "target", "", "")]
    for figure in figures:
        target = ""
        if figure.target is not None:
            target = "≤ " + (f"{figure.target:g}" if figure.is_ratio else amount(figure.target, figure.unit))
        against = "" if figure.against is None else f"{amount(figure.against, figure.unit)} {figure.of}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        measured = amount(figure.measured, figure.unit)
        noise = "" if figure.spread is None else f"{'noisy: ' if figure.noisy else ''}± {100 * figure.spread / 2:.0f} %"
        rows.append((figure.name, measured, against, ratio, target, figure.verdict, noise))
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


def amount(value: float, unit: str) -> str:
    """Return a number with its unit."""
    digits = 3 if value < 10 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f} {unit}".rstrip()
