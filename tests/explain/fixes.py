"""Mistakes with what is to be said of them, and the fixes that one would type in."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from tests.worker.recording import Forker, Recording
from tutor.explain import plain

BEGIN = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\ntorch.manual_seed(0)\ncaught = []\n"


@dataclass(frozen=True)
class Mistake:
    """A piece of code that fails, what its explanation must say, the code and the iteration of the step that made it
    inevitable, and fixes: what to replace by what."""

    name: str
    code: str
    says: tuple[str, ...]
    cause: str | None = None
    iteration: int | None = None
    fixes: tuple[tuple[tuple[str, str], ...], ...] = ()


def recorded(record: Forker, cases: list[Mistake]) -> Recording:
    """All of them in one run, each in a `try` of its own."""
    run = record(BEGIN + "".join(map(_tried, (case.code for case in cases))))
    failed = run.steps_of("failed")
    assert len(failed) == len(cases), [run.timeline.view(step).code for step in failed]
    return run


def fixed(record: Forker, cases: list[Mistake]) -> None:
    """Type in each fix: nothing fails, and nothing is said to."""
    pieces = {}
    for case in cases:
        for number, fix in enumerate(case.fixes):
            code = case.code
            for old, new in fix:
                assert old in code, (case.name, old)
                code = code.replace(old, new)
            pieces[f"{case.name} {number}"] = code
    run = record(BEGIN + "".join(map(_tried, pieces.values())))
    starts, line = [], BEGIN.count("\n")
    for code in pieces.values():
        starts.append(line)
        line += _tried(code).count("\n")
    names = list(pieces)

    def whose(step: int) -> str:
        line = run.timeline.view(step).line or 0
        return names[sum(start < line for start in starts) - 1]

    assert [(whose(step), run.timeline.event(step)) for step in run.steps_of("failed")] == []
    alarms = [step for step in run.steps_of("op") if "backward will fail" in plain(run.timeline, step)]
    assert [whose(step) for step in alarms] == []


def _tried(code: str) -> str:
    body = textwrap.indent(textwrap.dedent(code).strip(), "    ")
    return f"try:\n{body}\nexcept Exception as error: caught.append(error)\n"
