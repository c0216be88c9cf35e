"""Register mistakes, and ask the registered ones about a failure or a step.

A mistake is one function in a module of this package. `@mistake` registers one that raises an exception: it gets the
failure and the match of its message. `@silent_mistake` registers one that raises none: it gets each step of some kinds.
Both return a `Diagnosis`, or None where the mistake was not made.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar, TypeVarTuple

import msgspec

from tutor.explain.mistakes.context import FailureContext, StepContext
from tutor.i18n import current_language
from tutor.trace.events import Failed
from tutor.trace.timeline import Timeline

_MAX_RESULTS = 10_000
"""Maximum results that `remember` keeps of a function."""


class Diagnosis(msgspec.Struct, frozen=True):
    """What went wrong, where, and what to write instead."""

    sentence: str
    step: int | None = None
    """The step that made it inevitable: the in-place operation, the first backward; None if unknown, or if it is the
    step that was asked about."""
    fix: str = ""
    """What to write instead; empty if it is unknown, or if the sentence says it."""
    role: str = "error"
    """The role of the sentence in a step's line (`formatting.ROLES`): `quiet` if it may be what is wanted."""


Explain = Callable[[FailureContext, "re.Match[str]"], Diagnosis | None]
Notice = Callable[[StepContext], "Diagnosis | list[Diagnosis] | None"]


@dataclass(frozen=True)
class _Mistake:
    """A registered mistake that raises an exception."""

    error: str
    pattern: re.Pattern[str]
    explain: Explain
    priority: int


@dataclass(frozen=True)
class _SilentMistake:
    """A registered mistake that raises no exception."""

    kinds: tuple[str, ...]
    explain: Notice
    priority: int


_mistakes: list[_Mistake] = []
_silent_mistakes: list[_SilentMistake] = []
_notices: dict[str, list[Notice]] = {}
"""By kind of step: what is asked about it, in order."""


def mistake(error: str, pattern: str, priority: int = 0) -> Callable[[Explain], Explain]:
    """Register the explanation of exceptions of type `error` whose message matches `pattern`.

    Where two may apply to one failure, the one with the higher `priority` is asked first.
    """

    def register(explain: Explain) -> Explain:
        _mistakes.append(_Mistake(error, re.compile(pattern, re.DOTALL), explain, priority))
        return explain

    return register


def silent_mistake(*kinds: str, priority: int = 0) -> Callable[[Notice], Notice]:
    """Register what is said at steps of these kinds. What several say is shown by falling `priority`."""

    def register(explain: Notice) -> Notice:
        _silent_mistakes.append(_SilentMistake(kinds, explain, priority))
        return explain

    return register


def scan(package: str) -> None:
    """Import all modules of a package, which registers their mistakes."""
    for module in pkgutil.iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    _mistakes.sort(key=_order)
    _silent_mistakes.sort(key=_order)
    _notices.clear()
    for registered in _silent_mistakes:
        for kind in registered.kinds:
            _notices.setdefault(kind, []).append(registered.explain)


def _order(registered: _Mistake | _SilentMistake) -> tuple[int, str, int]:
    """Return what registered mistakes are sorted by: their priority, then their place in the code."""
    code = registered.explain.__code__
    return -registered.priority, registered.explain.__module__, code.co_firstlineno


# ---------------------------------------------------------------- results

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


def remember(function: Callable[[Timeline, *_Arguments], _Result]) -> Callable[[Timeline, *_Arguments], _Result]:
    """Remember the results of a function of a timeline until the timeline grows or the language changes."""

    def wrapper(timeline: Timeline, *arguments: *_Arguments) -> _Result:
        key = function, current_language()
        results: dict[Any, _Result] | None = timeline.derived.get(key)
        if results is None or len(results) >= _MAX_RESULTS:
            results = timeline.derived[key] = {}
        if arguments not in results:
            results[arguments] = function(timeline, *arguments)
        return results[arguments]

    return wrapper


# ---------------------------------------------------------------- a diagnosis


@remember
def diagnose_failure(timeline: Timeline, step: int) -> Diagnosis | None:
    """Return the diagnosis of a `Failed` step; None for another step, and if the mistake is unknown."""
    event = timeline.event(step)
    if not isinstance(event, Failed) or (timeline.cut is not None and timeline.cut < step):
        return None  # what led to it may not be in the recording
    context = FailureContext(timeline, step, event)
    if context.is_raised_by_user:
        return None
    for registered in _mistakes:
        match = registered.pattern.search(event.message) if registered.error == event.error else None
        diagnosis = None if match is None else registered.explain(context, match)
        if diagnosis is not None:
            return diagnosis
    return None


@remember
def diagnose_step(timeline: Timeline, step: int) -> list[Diagnosis]:
    """Return what is wrong, or may be, at a step that raised nothing."""
    if timeline.cut is not None and timeline.cut <= step:
        return []  # of what led there only the end is known
    context = StepContext(timeline, step)
    diagnoses: list[Diagnosis] = []
    for explain in _notices.get(context.kind, ()):
        result = explain(context)
        diagnoses += result if isinstance(result, list) else [] if result is None else [result]
    return diagnoses
