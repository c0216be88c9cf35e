"""What all names hold at every statement: as recorded, and as a plain run tells it that is traced line by line."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass
from typing import Any

from tests.worker.plain_run import Plain
from tests.worker.recording import Recording
from tests.worker.test_recorded_equals_plain import listed
from tutor.trace import events as ev
from tutor.trace.names import names_of
from tutor.trace.state import State

_AGAIN = (ast.ListComp, ast.SetComp, ast.DictComp, ast.YieldFrom, ast.Await)
"""What a tracer of newer Pythons is told of more than once in a statement: comprehensions have no frames there."""
Held = dict[str, dict[str, Any]]
"""By name: what `sitecustomize.watch_lines` tells of a tensor."""


@dataclass
class Difference:
    """A name that is shown to hold something else than it does, where a statement is about to run."""

    function: str
    line: int
    visit: int
    """The how-manieth run of the statement, from 0."""
    name: str
    have: Any
    want: Any
    """None: there is no such name."""

    def __str__(self) -> str:
        have, want = self.have, self.want
        if isinstance(have, dict) and isinstance(want, dict):
            fields = [field for field in want if not same(have[field], want[field])]
            have, want = ({field: side[field] for field in fields} for side in (have, want))
        return f"{self.function}:{self.line}#{self.visit} {self.name}: shown {have}, is {want}"


def compare_statements(
    recorded: Recording, plain: Plain, source: str, *, sampled: bool = False
) -> tuple[list[Difference], int]:
    """All differences, and how many tensors were compared. Where the recording is `sampled`, runs of statements
    may be missing; those that are there are among the traced ones, in order."""
    seen: dict[tuple[str, int], list[tuple[Held, list[str]]]] = {}
    for function, line, held, free in plain.lines:
        seen.setdefault((function, line), []).append((held, free))
    visits = visits_of(recorded)
    differences: list[Difference] = []
    compared = 0
    places = set(statements_on_one_line(source))
    for (function, line), traced in seen.items():
        # Lambdas and comprehensions have no frames in a recording.
        if line not in places or (function.startswith("<") and function != "<module>"):
            continue
        walked = visits.get((function, line), [])
        if sampled and len(walked) < len(traced):
            traced = those_seen(walked, traced)
        if len(walked) != len(traced):
            differences.append(Difference(function, line, 0, "(visits)", len(walked), len(traced)))
            continue
        for visit, (have, (want, free)) in enumerate(zip(walked, traced, strict=True)):
            agreeing = agree(have, want, free)
            differences += [
                Difference(function, line, visit, name, have.get(name), want.get(name))
                for name, agrees in agreeing.items()
                if not agrees
            ]
            compared += len(agreeing)
    return differences, compared


def those_seen(walked: list[Held], traced: list[tuple[Held, list[str]]]) -> list[tuple[Held, list[str]]]:
    """Of the traced runs of a statement those that were recorded: for each the next that held the same tensors; where
    there is none, the next."""
    found: list[tuple[Held, list[str]]] = []
    rest = traced
    for number, have in enumerate(walked):
        last = len(rest) - (len(walked) - number) + 1
        place = next((place for place in range(last) if all(agree(have, *rest[place]).values())), 0)
        found.append(rest[place])
        rest = rest[place + 1 :]
    return found


def agree(have: Held, want: Held, free: list[str]) -> dict[str, bool]:
    """Return, by name, whether both have the same value. Variables that a closure reads from an enclosing function are
    compared in the frame of that function."""
    names = [name for name in have.keys() | want.keys() if name.split("[")[0].split(".")[0] not in free]
    return {name: same(have.get(name), want.get(name)) for name in sorted(names)}


def same(have: Any, want: Any) -> bool:
    return json.dumps(have) == json.dumps(want)


def visits_of(recorded: Recording) -> dict[tuple[str, int], list[Held]]:
    """By function and line: what the frame's names held, each time that the statement there was about to run."""
    visits: dict[tuple[str, int], list[Held]] = {}
    timeline = recorded.timeline
    for step in recorded.steps_of("line"):
        view, event, state = timeline.view(step), timeline.event(step), timeline.state(step - 1)
        assert isinstance(event, ev.Line)
        assert view.line is not None
        frame = next((frame for frame in state.frames if frame.frame == event.frame), None)
        found = names_of(state, frame or state.suspended[event.frame])
        held = {name: shown(state, number) for name, number in found.items()}
        visits.setdefault((view.function or "", view.line), []).append(held)
    return visits


def shown(state: State, number: int) -> dict[str, Any]:
    tensor = state.tensors[number]
    return {
        "value": listed(state, number),
        "grad": None if tensor.grad is None else listed(state, tensor.grad),
        "requires_grad": tensor.requires_grad,
        "is_leaf": tensor.is_leaf,
        "grad_fn": tensor.grad_fn,
        "version": tensor.version,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
    }


def statements_on_one_line(source: str) -> list[int]:
    """Lines with one simple statement that is on no other: there a tracer and the recorder count alike."""
    compound = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.Match, ast.FunctionDef, ast.ClassDef)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if not isinstance(node, ast.stmt) or isinstance(node, (*compound, ast.AsyncFunctionDef, ast.Global)):
            continue
        if sys.version_info >= (3, 12) and any(isinstance(part, _AGAIN) for part in ast.walk(node)):
            continue
        if not isinstance(node, ast.Nonlocal) and node.lineno == node.end_lineno:
            found.append(node.lineno)
    return [line for line in found if found.count(line) == 1]
