"""A recorded run computes, prints, warns and fails just as a plain one: all scripts, and a sample of the lessons."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.sampling import sample
from tests.worker.plain_run import Plain, run_lesson_plainly, run_plainly
from tests.worker.recording import SCRIPTS, Forker, Recording, record_session, value_in
from tests.worker.servers import forked_session
from tutor import paths
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.trace import values
from tutor.trace.names import names_of
from tutor.trace.state import State

FILES = [path for path in sorted(SCRIPTS.glob("*.py")) if not path.stem.startswith(("helper_", "grads_"))]
LESSONS = sample(sorted(paths.lessons_dir().glob("*/*.py")), 6)
SAME = ("dtype", "device", "layout", "class_name", "requires_grad", "is_leaf", "grad_fn", "retains_grad", "version")


ALONE = {
    "compiled", "exits", "fails", "fails_twice", "imports_own", "loader", "surroundings", "threads",
    "warnings_and_prints",
}  # fmt: skip
"""Scripts that depend on what stands around them: they have all that a session has."""
DEEP = {"recursion", "stacks"}
"""Scripts that count the calls they are in: run plainly, each has its own process."""


def with_marks(path: Path) -> Any:
    """A script as a parameter; torch's compilers take seconds."""
    return pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem == "compiled" else [])


@pytest.mark.sampled(20)
@pytest.mark.parametrize("script", map(with_marks, [*FILES, *LESSONS]))
def test_recorded_equals_plain(script: Path, record: Forker, tmp_path: Path) -> None:
    as_it_is = run_lesson_plainly if script in LESSONS else run_plainly
    plain = as_it_is(script, tmp_path / "plain.json", alone=script.stem in DEEP)
    recorded = record_session(forked_session(script)) if script.stem in ALONE else record(script)
    is_as_plain(recorded, plain)


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(sorted(ALONE), 1))
def test_a_process_of_ones_own_equals_a_plain_one(name: str, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    plain = run_plainly(script, tmp_path / "plain.json", alone=True)
    is_as_plain(record_session(Session(Target("file", script, str(script)))), plain)


def is_as_plain(recorded: Recording, plain: Plain) -> None:
    assert recorded.stdout == plain.stdout
    assert recorded.stderr == plain.stderr
    assert recorded.status == plain.status
    assert [notice for notice in recorded.timeline.notices if "another thread" not in notice] == []
    compare_names(recorded.end, plain)


PLAIN = [path for path in sorted(SCRIPTS.glob("*.py")) if path.stem not in DEEP]
AS_IT_IS = [(path, False) for path in PLAIN]
WATCHED = [(path, True) for path in PLAIN if path.stem not in ALONE]  # of threads, lines come in any order


def named(value: object) -> str:
    return value.stem if isinstance(value, Path) else "watched" if value else "as it is"


@pytest.mark.slow
@pytest.mark.parametrize(("script", "watched"), sample([*AS_IT_IS, *WATCHED], 1), ids=named)
def test_a_plain_run_in_a_fork_is_a_plain_run(script: Path, watched: bool, tmp_path: Path) -> None:
    forked, alone = (
        asdict(run_plainly(script, tmp_path / f"{alone}.json", passes=watched, lines=watched, alone=alone))
        for alone in (False, True)
    )
    memory = [
        same_for({name: tensor.pop("storage") for name, tensor in run["tensors"].items()}) for run in (forked, alone)
    ]
    assert json.dumps(forked) == json.dumps(alone)
    assert memory[0] == memory[1]


def test_nothing_of_ours_is_in_a_plain_run(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nnames = [name for name in sys.modules if name.partition('.')[0] == 'tutor']\n"
                      "print(names, __name__, sys.argv == [__file__], sys.gettrace())\n")  # fmt: skip
    assert run_plainly(script, tmp_path / "plain.json").stdout == "[] __main__ True None\n"


def compare_names(state: State, plain: Plain) -> None:
    assert [frame.function for frame in state.frames] == ["<module>"]
    found = names_of(state)
    assert set(found) == set(plain.tensors)
    wrong = {name: diff for name, want in plain.tensors.items() if (diff := differences(state, found[name], want))}
    assert wrong == {}
    memory = {name: want["storage"] for name, want in plain.tensors.items()}
    assert same_for({name: state.tensors[found[name]].storage for name in memory}) == same_for(memory)
    bound = {name: binding for name, binding in state.frames[0].names.items() if binding.what == "value"}
    shown = {name: binding.value for name, binding in bound.items()}
    expected = {name: as_sent(value) for name, value in plain.values.items()}
    assert shown == expected


def as_sent(value: Any) -> Any:
    """Text is cut, and integers of more than 64 bits are text."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        value = str(value)
    return value[:200] if isinstance(value, str) else value


def same_for(numbers: dict[str, int | None]) -> set[frozenset[str]]:
    """Which names share a number, those with none aside."""
    names: dict[int, set[str]] = {}
    for name, number in numbers.items():
        if number is not None:
            names.setdefault(number, set()).add(name)
    return {frozenset(group) for group in names.values()}


def differences(state: State, number: int, want: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is recorded of a tensor, and what it should be, where the two are not the same."""
    tensor = state.tensors[number]
    have = {name: getattr(tensor, name) for name in SAME}
    have["shape"] = list(tensor.shape)
    have["strides"] = None if tensor.strides is None else list(tensor.strides)
    have["value"] = listed(state, number)
    have["grad"] = None if tensor.grad is None else listed(state, tensor.grad)
    wrong = {name: (have[name], want[name]) for name in have if json.dumps(have[name]) != json.dumps(want[name])}
    if want["stats"] is not None:
        stats = value_in(state, number)["stats"]
        same = {key: math.isclose(stats[key], want["stats"][key], rel_tol=1e-9, abs_tol=1e-12) for key in want["stats"]}
        if not all(same.values()):
            wrong["stats"] = (stats, want["stats"])
    return wrong


def listed(state: State, number: int) -> Any:
    tensor = state.tensors[number]
    return shown(tensor.value, tensor.dtype)


def shown(value: Any, dtype: str = "float32") -> Any:
    """A value of an event as nested lists, or in a word why there are none."""
    value = None if value is None else values.to_json(value, dtype)
    if not isinstance(value, dict):
        return value
    return "large" if value["stats"] is not None else "no list"
