"""Mistakes register by standing in a module of the package; the registry asks them in order until one applies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import pytest

from tests.explain import test_mistakes, test_shape_failures, test_usual_failures
from tests.explain.explained import line
from tests.worker.recording import Forker, Recording
from tutor import i18n
from tutor.explain import cause, explanation
from tutor.explain.mistakes import registry
from tutor.explain.mistakes.context import FailureContext
from tutor.explain.mistakes.registry import Diagnosis, diagnose_failure, diagnose_step
from tutor.trace.events import Failed
from tutor.trace.timeline import Timeline

PACKAGE = "mistakes_of_a_test"
PROGRAM = """\
x = 3
try:
    1 / 0
except ZeroDivisionError:
    pass
y = x
"""
HEAD = """\
import re
from tutor.explain.mistakes.context import FailureContext, StepContext
from tutor.explain.mistakes.context import FailureContext
from tutor.explain.mistakes.registry import Diagnosis, mistake, silent_mistake
"""


@pytest.fixture(scope="module")
def divided(record: Forker) -> Recording:
    return record(PROGRAM)


class Package:
    """A package of mistakes, which is written file by file and scanned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKAGE
        self.folder.mkdir()
        (self.folder / "__init__.py").write_text("")

    def write(self, module: str, code: str) -> None:
        (self.folder / f"{module}.py").write_text(HEAD + code)

    def scan(self) -> None:
        registry.scan(PACKAGE)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_mistakes", [*registry._mistakes])
    monkeypatch.setattr(registry, "_silent_mistakes", [*registry._silent_mistakes])
    monkeypatch.setattr(registry, "_notices", {})
    yield Package(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def timeline(divided: Recording) -> Timeline:
    return forgetful(divided.timeline)


def forgetful(timeline: Timeline) -> Timeline:
    """The same recording, for which nothing is remembered yet."""
    other = copy(timeline)
    other.derived = {}
    return other


def failed(timeline: Timeline) -> int:
    (step,) = (step for step in range(1, timeline.steps + 1) if timeline.kind(step) == "failed")
    return step


def explains(name: str, says: str, priority: int = 0) -> str:
    """The code of a mistake that explains a division by zero."""
    return f"""
@mistake("ZeroDivisionError", r"^division by (?P<what>zero)", priority={priority})
def {name}(context, match):
    return {says}
"""


def test_a_mistake_in_a_file_of_a_package_is_asked(package: Package, timeline: Timeline) -> None:
    assert explanation(timeline, failed(timeline)) is None
    sentence = "f'`{context.code}` divides by {match[\"what\"]}.'"
    package.write("numbers", explains("divide", f"Diagnosis({sentence}, context.step - 1, fix='Divide by something.')"))
    package.scan()
    scanned = forgetful(timeline)
    step = failed(scanned)
    assert explanation(scanned, step) == "`1 / 0` divides by zero. Divide by something."
    assert cause(scanned, step) == step - 1


def test_none_passes_on_to_the_next(package: Package, timeline: Timeline) -> None:
    package.write("first", explains("pass_on", "None", priority=1))
    package.write("second", explains("answer", "Diagnosis('the second')"))
    package.scan()
    assert diagnose_failure(timeline, failed(timeline)) == Diagnosis("the second")


def test_another_error_or_message_is_not_asked(package: Package, timeline: Timeline) -> None:
    other_error = explains("other_error", "Diagnosis('no')").replace("ZeroDivisionError", "ValueError")
    other_message = explains("other_message", "Diagnosis('no')").replace("^division by", "^multiplication by")
    package.write("others", other_error + other_message)
    package.scan()
    assert diagnose_failure(timeline, failed(timeline)) is None


def test_the_higher_priority_is_asked_first_whatever_the_file(package: Package, timeline: Timeline) -> None:
    package.write("a", explains("general", "Diagnosis('general')", priority=-1))
    package.write("b", explains("usual", "Diagnosis('usual')"))
    package.write("c", explains("special", "Diagnosis('special')", priority=1))
    package.scan()
    assert diagnose_failure(timeline, failed(timeline)) == Diagnosis("special")


def test_those_of_one_priority_are_asked_by_their_place_not_by_imports(package: Package, timeline: Timeline) -> None:
    package.write("b", f"from {PACKAGE} import c\n" + explains("first", "Diagnosis('b')"))
    package.write("c", explains("second", "Diagnosis('c')"))
    package.scan()
    assert diagnose_failure(timeline, failed(timeline)) == Diagnosis("b")


def test_silent_mistakes_are_all_said_by_priority_at_steps_of_their_kinds(package: Package, timeline: Timeline) -> None:
    package.write(
        "silent",
        """
@silent_mistake("line")
def note(context):
    name, _, value = (context.timeline.view(context.step).code or "").partition(" = ")
    return [Diagnosis(f"{name} is bound", role="quiet"), Diagnosis(f"to {value}")] if value else None

@silent_mistake("line", priority=1)
def before_that(context):
    return Diagnosis("careful", fix="do not", role="quiet") if context.event.frame else None

@silent_mistake("op")
def never(context):
    raise AssertionError
""",
    )
    package.scan()
    lines = [step for step in range(1, timeline.steps + 1) if timeline.kind(step) == "line"]
    assert [[diagnosis.sentence for diagnosis in diagnose_step(timeline, step)] for step in lines] == [
        ["careful", "x is bound", "to 3"], ["careful"], ["careful"], ["careful"], ["careful", "y is bound", "to x"],
    ]  # fmt: skip
    notes = [part for part in line(timeline, lines[0]) if part[0] != " · "]
    assert notes == [("careful; do not", "quiet"), ("x is bound", "quiet"), ("to 3", "error")]


def test_a_step_is_asked_about_once_until_the_recording_grows_or_the_language_changes(
    package: Package, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(registry, "calls", calls, raising=False)
    package.write(
        "counting",
        """
from tutor.explain.mistakes import registry
@silent_mistake("line")
def count(context):
    registry.calls.append(context.step)
""",
    )
    package.scan()
    step = next(step for step in range(1, timeline.steps + 1) if timeline.kind(step) == "line")
    for _ in range(3):
        diagnose_step(timeline, step)
    assert calls == [step]
    i18n.use("zh")
    try:
        diagnose_step(timeline, step)
    finally:
        i18n.use("en")
    assert calls == [step] * 2


def test_what_a_failure_remembers_is_forgotten_when_the_recording_grows(divided: Recording) -> None:
    results = []

    @registry.remember
    def count(timeline: Timeline) -> int:
        results.append(timeline.steps)
        return timeline.steps

    growing = Timeline()
    assert count(growing) == count(growing) == 0
    for frame in divided.timeline.frames.data:
        growing.feed(frame)
    assert count(growing) == count(growing) == divided.timeline.steps
    assert results == [0, divided.timeline.steps]


def test_every_module_of_the_package_registers_something_or_is_asked_for_help() -> None:
    explaining = [entry.explain for entry in registry._mistakes]
    silent = [entry.explain for entry in registry._silent_mistakes]
    modules = {function.__module__.rpartition(".")[2] for function in (*explaining, *silent)}
    folder = Path(registry.__file__).parent
    helpers = {"__init__", "registry", "context"}
    assert {path.stem for path in folder.glob("*.py")} == modules | helpers


def test_at_most_one_mistake_of_the_highest_priority_explains_a_failure(record: Forker) -> None:
    recordings = [
        record(test_mistakes.script([mistake.code for mistake in test_mistakes.MISTAKES])),
        *(
            record(module.script([failure.code for failure in module.FAILURES]))
            for module in (test_shape_failures, test_usual_failures)
        ),
    ]
    for timeline in (recording.timeline for recording in recordings):
        for step in (step for step in range(1, timeline.steps + 1) if timeline.kind(step) == "failed"):
            event = timeline.event(step)
            assert isinstance(event, Failed)
            context = FailureContext(timeline, step, event)
            explaining = []
            for entry in registry._mistakes if not context.is_raised_by_user else ():
                match = entry.pattern.search(event.message) if entry.error == event.error else None
                if match is not None and entry.explain(context, match) is not None:
                    explaining.append(entry)
            highest = [entry for entry in explaining if entry.priority == explaining[0].priority]
            assert len(highest) <= 1, (event.message, [entry.explain.__name__ for entry in highest])
