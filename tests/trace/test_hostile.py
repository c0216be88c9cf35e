"""Recordings that nobody recorded, read by all commands: the cases that were found, each a kind of its own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.fuzz.mutations import Parts, apart, nested, seed_files, together
from tests.fuzz.traces import read_all
from tutor import cli
from tutor.trace import events as ev
from tutor.trace import tracefile

_TAG = {kind: kind.__struct_config__.tag for kind in ev.EVENTS}


@pytest.fixture
def parts() -> Parts:
    """A real recording, taken apart: 100 steps with passes, hooks and failures."""
    return apart(seed_files()[0])


def events_of(parts: Parts, kind: type[ev.Event]) -> list[list[Any]]:
    return [event for frame, _, _ in parts.frames for event in frame if event[0] == _TAG[kind]]


def written(parts: Parts, folder: Path) -> Path:
    path = folder / "hostile.trace"
    path.write_bytes(together(parts, fitting=False))
    return path


def test_kinds_that_are_not_so_cannot_be_read(parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = bytearray(parts.summary[0])
    whole = tracefile.load(written(parts, tmp_path))
    lines = [step for step in range(1, whole.steps + 1) if whole.kind(step) == "line"]
    count = len(ev.STEP_KINDS)
    for kind in range(1, count + 1):
        kinds[lines[kind] - 1] = kind
    parts.summary[0] = bytes(kinds)
    path = written(parts, tmp_path)
    assert read_all(path) is None
    assert cli.main(["steps", "--json", str(path)]) == 1
    told = capsys.readouterr()
    assert "Some steps of the recording are not what it says they are: they cannot be read." in told.err
    steps = [json.loads(line) for line in told.out.splitlines()]
    assert [step["kind"] for step in steps if step["step"] in lines[4:count]] == ["failed"] * (count - 4)
    others = [step for step in range(1, whole.steps + 1) if step not in lines[1 : count + 1]]
    assert all(steps[step - 1]["kind"] == whole.kind(step) for step in others)


def test_gradients_that_are_too_few_are_survived(parts: Parts, tmp_path: Path) -> None:
    for event in events_of(parts, ev.Node):
        event[2] = []
    assert read_all(written(parts, tmp_path)) is None


@pytest.mark.parametrize(
    "value",
    [nested(70, 1.0), nested(500, None), [b"1"], b"1", msgspec.msgpack.Ext(4, b"1"), [msgspec.msgpack.Ext(4, b"")],
     {"shape": "a"}, {"shape": [2], "code": "f", "data": "text"}, {"shape": [1], "stats": {"mean": [1]}},
     {"shape": [1], "heat": [[1]]}, [0.0] * 5000, "text"],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_what_is_no_value_is_no_event(parts: Parts, tmp_path: Path, value: Any) -> None:
    (event, *_) = [event for event in events_of(parts, ev.Snapshot) if event[7] is not None]
    event[7] = value
    path = written(parts, tmp_path)
    assert read_all(path) is None
    timeline = tracefile.load(path)
    timeline.state(timeline.steps)
    assert "Some events of kind Snapshot are damaged and were skipped." in timeline.notices


@pytest.mark.parametrize("value", [math.nan, math.inf, b"1", msgspec.msgpack.Ext(1, b"x"), nested(9, 1), [[1.0]], "x"])
@pytest.mark.parametrize("json_wanted", [True, False])
def test_knobs_of_any_kind(parts: Parts, tmp_path: Path, value: Any, json_wanted: bool) -> None:
    for event in events_of(parts, ev.CellStart):
        event.append({"lr": value}) if len(event) == 2 else event.__setitem__(2, {"lr": value})
    path = written(parts, tmp_path)
    assert read_all(path, (("show", "--json", "--at", "5") if json_wanted else ("show", "--at", "5"),)) is None


def test_what_changes_while_it_is_read_is_survived(parts: Parts, tmp_path: Path) -> None:
    """The file becomes shorter; what is put in its place does not matter."""
    path = written(parts, tmp_path)
    timeline, other = tracefile.load(path), tracefile.load(path)
    path.rename(tmp_path / "moved")
    path.write_bytes(b"something else")
    assert timeline.state(timeline.steps).step == timeline.steps
    (tmp_path / "moved").write_bytes(b"")
    assert other.event(3).kind == "failed"
    assert any("cannot be read" in notice for notice in other.notices)


def test_a_line_without_end_is_cut(parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source,) = parts.summary[7]
    source[3] = source[3].replace("import torch", "x = '" + "y" * 9_000_000 + "'")
    site = min(parts.summary[8], key=lambda site: site["span"])
    site["span"] = [1, 0, 1, 9_000_006]
    path = written(parts, tmp_path)
    assert cli.main(["steps", str(path)]) == 1
    assert max(map(len, capsys.readouterr().out.splitlines())) < 2100


def test_a_cell_of_a_huge_number_keeps_nobody_waiting(parts: Parts, tmp_path: Path) -> None:
    for start in events_of(parts, ev.CellStart):
        start[1] = 2**40
    parts.summary = apart(seed_files()[0]).summary
    assert read_all(written(parts, tmp_path)) is None
    path = tmp_path / "cut.trace"
    path.write_bytes(together(parts, fitting=False, whole=False))
    assert read_all(path) is None
