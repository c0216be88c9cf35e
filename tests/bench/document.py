"""Puts figures into the table of docs/benchmarks.md: a run replaces the rows of the groups that it measured."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.bench.figures import Figure, amount

PATH = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_BEGINS = "<!-- the table begins: `make bench` writes it -->"
_HEAD = "| figure | measured | against | ratio | at most | spread |\n| --- | --: | --- | --: | --: | --: |"
BUSY = 0.5
"""The load before a measurement above which a machine is said to be busy with other things."""


def write(group: str, figures: Sequence[Figure], load: float) -> None:
    """Replace the rows of a group, or add them."""
    text = PATH.read_text(encoding="utf-8")
    intro, _, table = text.partition(_BEGINS)
    groups = {match[1]: match[0] for match in re.finditer(r"\| \*\*(\w+)\*\*.*\n(?:\| [^*].*\n?)*", table)}
    groups[group] = "\n".join([_machine(group, load), *map(_row, figures)]) + "\n"
    PATH.write_text(f"{intro}{_BEGINS}\n\n{_HEAD}\n{''.join(groups.values())}", encoding="utf-8")


def _machine(group: str, load: float) -> str:
    """Return the row that says when and on what a group was measured."""
    noise = f"a noisy machine: load {load:.1f} before the first run" if load > BUSY else f"load {load:.1f}"
    software = f"Python {platform.python_version()}, torch {version('torch')}, textual {version('textual')}"
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {software}; {noise}"
    return f"| **{group}**, {time.strftime('%d %B %Y').lstrip('0')}: {machine} | | | | | |"


def _row(figure: Figure) -> str:
    target = "" if figure.target is None else f"{figure.target:g}"
    if figure.target is not None and not figure.is_ratio:
        target = amount(figure.target, figure.unit)
    target += " (missed)" if figure.verdict == "not met" else ""
    against = "" if figure.against is None else f"{amount(figure.against, figure.unit)} {figure.of}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    noise = "" if figure.spread is None else f"{'noisy, ' if figure.noisy else ''}± {100 * figure.spread / 2:.0f} %"
    return f"| {figure.name} | {amount(figure.measured, figure.unit)} | {against} | {ratio} | {target} | {noise} |"
