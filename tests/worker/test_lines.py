"""At every statement of every function all names hold what they hold when a plain run, traced, is about to run it."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import SCRIPTS, Forker, Recording
from tests.worker.test_recorded_equals_plain import listed
from tutor.trace import events as ev
from tutor.trace.names import names_of
from tutor.trace.state import State

_AGAIN = (ast.ListComp, ast.SetComp, ast.DictComp, ast.YieldFrom, ast.Await)
"""What a tracer of newer Pythons is told of more than once in a statement: comprehensions have no frames there."""
Held = dict[str, list[Any]]
"""By name: value, gradient, requires_grad, is_leaf."""


_LATE = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 tells a tracer of a loop's lines an iteration late"
)


@pytest.mark.parametrize(
    "name",
    ["grads_passes", "flow", "grads_hooks", "inplace", "mlp", pytest.param("names", marks=_LATE), "python_features"],
)
def test_names_at_every_line(name: str, record: Forker, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    recorded = record(script)
    seen: dict[tuple[str, int], list[tuple[Held, list[str]]]] = {}
    plain = run_plainly(script, tmp_path / "plain.json", lines=True)
    assert plain.status == 0
    for function, line, held, free in plain.lines:
        seen.setdefault((function, line), []).append((held, free))
    visits = visits_of(recorded)
    compared = 0
    for place in statements_on_one_line(script.read_text()):
        for function in functions_on(place, seen):
            traced, walked = seen[function, place], visits.get((function, place), [])
            assert len(walked) == len(traced), (function, place)
            for have, (want, free) in zip(walked, traced, strict=True):
                wrong = {key: (have.get(key), want.get(key)) for key in have.keys() | want.keys()}
                wrong = {key: pair for key, pair in wrong.items() if json.dumps(pair[0]) != json.dumps(pair[1])}
                # What a closure sees of the functions around it is told in their frames.
                wrong = {key: pair for key, pair in wrong.items() if key.split("[")[0].split(".")[0] not in free}
                assert wrong == {}, (function, place)
                compared += len(want)
    assert compared > 50


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


def shown(state: State, number: int) -> list[Any]:
    tensor = state.tensors[number]
    grad = None if tensor.grad is None else listed(state, tensor.grad)
    return [listed(state, number), grad, tensor.requires_grad, tensor.is_leaf]


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


def functions_on(place: int, seen: dict[tuple[str, int], Any]) -> list[str]:
    """Lambdas and comprehensions have no frames in a recording."""
    return [name for name, line in seen if line == place and (name == "<module>" or not name.startswith("<"))]
