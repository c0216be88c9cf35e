"""The problems of a recording: failures, the first nan or inf of each place, and mistakes that raise nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from tutor.explain import cause, explanation
from tutor.explain.mistakes.registry import Diagnosis, diagnose_step
from tutor.explain.nonfinite import NonFiniteReport, report
from tutor.i18n import current_language
from tutor.trace.events import Failed, Node
from tutor.trace.index import CUT, KIND_NUMBERS
from tutor.trace.nonfinite import NonFinite, Origin, count_nonfinite

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_EXECUTIONS = 3
"""Executions of a statement that are searched for mistakes: what is wrong in all iterations is wrong in the first."""
_MOST_STEPS = 500
"""Most steps of a place in the code that are searched: a backward pass may run thousands of nodes."""
_FRAMES = 8
"""Frames read between two looks at the clock."""
_FAILED, _CELL_END = KIND_NUMBERS["failed"], KIND_NUMBERS["cell_end"]
_IN_PASS = frozenset(KIND_NUMBERS[kind] for kind in ("node", "accumulate", "captured", "retained", "hook"))


@dataclass(frozen=True)
class Problem:
    """A step at which something went wrong."""

    step: int
    kind: Literal["failed", "nonfinite", "silent"]
    origin: Origin | None = None
    """Of a nan or inf: where it comes from."""
    caught: bool = False
    """Of a failure: whether the program went on."""


class Problems:
    """Finds the problems of a recording, a part at a time, while it grows and afterwards."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.nonfinite = NonFinite(timeline)
        self._failures: list[Problem] = []
        self._silent: list[Problem] = []
        self._searched_failures = self._searched = 0
        """Steps that were searched for failures, and for mistakes that raise nothing."""
        self._executions: Counter[tuple[int, int]] = Counter()
        """By kind and site: the steps that were searched."""
        self._passes: Counter[int] = Counter()
        """By site: the backward passes that were searched."""
        self._silent_places: set[tuple[int, int]] = set()
        """Kinds and sites of the mistakes: an iteration's is that of the iteration before."""
        self._reports: dict[tuple[Origin, int, int, str], NonFiniteReport] = {}
        self._left: int | None = None
        """The failure from which `next_step` led to its cause."""

    # ------------------------------------------------------------ searching

    def read(self, seconds: float | None = None) -> bool:
        """Search what is new, for at most about so long; return whether all is searched."""
        timeline, end = self.timeline, None if seconds is None else perf_counter() + seconds
        self._find_failures()
        while not self.nonfinite.read(_FRAMES):
            if end is not None and perf_counter() > end:
                return False
        while self._searched < timeline.steps:
            self._searched += 1
            if self._is_worth_a_look(self._searched):
                self._find_silent(self._searched)
                if end is not None and perf_counter() > end:
                    break
        return self._searched == timeline.steps

    def _find_failures(self) -> None:
        timeline, place = self.timeline, self._searched_failures
        while (place := timeline.columns.kinds.find(_FAILED, place)) >= 0:
            place += 1
            event = timeline.event(place)
            if isinstance(event, Failed) and (not event.caught or explanation(timeline, place) is not None):
                self._failures.append(Problem(place, "failed", caught=event.caught))
        self._searched_failures = timeline.steps

    def _is_worth_a_look(self, step: int) -> bool:
        """Return whether a step is searched: at each place in the code, its first executions are."""
        columns = self.timeline.columns
        kind, site = columns.kinds[step - 1], columns.sites[step - 1]
        if kind in _IN_PASS:
            return self._passes[site] <= _EXECUTIONS and self._counted(kind, site) < _MOST_STEPS
        if kind == KIND_NUMBERS["backward"]:
            self._passes[site] += 1
        return self._counted(kind, site) <= _EXECUTIONS

    def _counted(self, kind: int, site: int) -> int:
        self._executions[kind, site] += 1
        return self._executions[kind, site]

    def _find_silent(self, step: int) -> None:
        timeline = self.timeline
        place = timeline.columns.kinds[step - 1], timeline.columns.sites[step - 1]
        event = timeline.event(step)
        if place in self._silent_places or (isinstance(event, Node) and any(map(count_nonfinite, event.grad_inputs))):
            return  # the first nan or inf is reported at the step that made it
        with suppress(Exception):  # a recording may be malformed
            if self.mistakes(step):
                self._silent_places.add(place)
                self._silent.append(Problem(step, "silent"))

    # ------------------------------------------------------------ what was found

    def all(self, limit: int | None = None) -> list[Problem]:
        """Return the problems in the order of their steps, up to a step; of several at a step, the gravest."""
        origins = [origin for origin in self.nonfinite.origins if origin.is_problem]
        nonfinite = [Problem(origin.step, "nonfinite", origin) for origin in origins]
        by_step: dict[int, Problem] = {}
        for problem in (*self._failures, *nonfinite, *self._silent):
            if limit is None or problem.step <= limit:
                by_step.setdefault(problem.step, problem)
        return [by_step[step] for step in sorted(by_step)]

    def at(self, step: int, limit: int | None = None) -> Problem | None:
        """Return the problem of a step; at the end of a cell that failed, its failure. None if there is none."""
        kinds = self.timeline.columns.kinds
        while step > 1 and kinds[step - 1] in (_CELL_END, CUT) and step == self.timeline.steps:
            if kinds[step - 2] not in (_CELL_END, CUT, _FAILED):
                break
            step -= 1
        return next((problem for problem in self.all(limit) if problem.step == step), None)

    def failure(self) -> Problem | None:
        """Return the failure that ended the run; None if none did."""
        self._find_failures()
        failure = next((problem for problem in reversed(self._failures) if not problem.caught), None)
        rest = b"" if failure is None else self.timeline.columns.kinds[failure.step :]
        return failure if set(rest) <= {_CELL_END, CUT} else None

    def cause(self, problem: Problem) -> int | None:
        """Return the step that made a failure or a mistake inevitable; None if it is that step itself, or unknown."""
        step = cause(self.timeline, problem.step) if problem.kind == "failed" else None
        if problem.kind == "silent":
            step = next((diagnosis.step for diagnosis in self.mistakes(problem.step)), None)
        return None if step == problem.step else step

    def mistakes(self, step: int) -> list[Diagnosis]:
        """Return the mistakes at a step that raised nothing, the gravest first."""
        return [diagnosis for diagnosis in diagnose_step(self.timeline, step) if diagnosis.role == "error"]

    def report(self, origin: Origin) -> NonFiniteReport:
        """Return what is said of an origin of nan or inf, worked out again when it has reached more."""
        key = (origin, len(origin.reached), origin.first_nan or 0, current_language())
        if key not in self._reports:
            self._reports[key] = report(self.timeline, origin)
        return self._reports[key]

    def next_step(self, step: int, limit: int) -> tuple[int | None, int | None]:
        """Return where the key of problems leads: from a failure to its cause and back, else to the next problem.

        Returns:
            The step, after the last problem that of the first; None where there is no other. And the step of the
            failure that it made inevitable; None where it leads to a problem.
        """
        here, left = self.at(step, limit), self._left
        if left is not None and step != left and step == self._cause_of(left, limit):
            return left, None
        self._left = None
        if here is not None and here.step != left:
            made_inevitable = self._cause_of(here.step, limit)
            if made_inevitable is not None:
                self._left = here.step
                return made_inevitable, here.step
        place = step if here is None else here.step
        steps = [problem.step for problem in self.all(limit)]
        following = next((number for number in steps if number > place), steps[0] if steps else None)
        if following != place:
            return following, None
        self._left = place
        return self._cause_of(place, limit), place

    def _cause_of(self, step: int, limit: int) -> int | None:
        """Return the cause of the failure at a step, as far as it may be seen."""
        problem = self.at(step)
        made_inevitable = None if problem is None else self.cause(problem)
        return None if made_inevitable is None or made_inevitable > limit else made_inevitable
