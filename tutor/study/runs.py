"""The runs of one program: the one on the screen, those before it, and the one that is shown behind it as a ghost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutor.i18n import _, ngettext
from tutor.trace.timeline import Timeline

if TYPE_CHECKING:
    from tutor.session.session import Session


@dataclass(eq=False)
class Run:
    """One run, and what the learner calls it."""

    session: Session
    name: str
    cursor: int = 0
    """Where the learner stood when another run took its place."""

    @property
    def timeline(self) -> Timeline:
        return self.session.timeline


class Runs:
    """Newest last."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self.now: Run | None = None
        self.ghost: Run | None = None

    def add(self, session: Session, name: str) -> Run:
        """A new run takes the screen; the one that had it becomes the ghost."""
        self.ghost = self.now
        self.now = Run(session, self._own(name))
        self.all.append(self.now)
        return self.now

    def show(self, run: Run) -> None:
        """This one takes the screen; the one that had it becomes the ghost."""
        if run is not self.now:
            self.now, self.ghost = run, self.now

    def drop(self, run: Run) -> None:
        """Forget a run; the one on the screen stays."""
        if run is not self.now:
            self.all.remove(run)
            if self.ghost is run:
                self.ghost = None

    def replace(self, session: Session) -> None:
        """The run on the screen is run again: what it was is of no interest."""
        assert self.now is not None
        self.now.session = session

    def _own(self, name: str) -> str:
        """A name that no other run has."""
        names = {run.name for run in self.all}
        tried = [name, *(f"{name} ({count})" for count in range(2, len(names) + 3))]
        return next(each for each in tried if each not in names)


def name_of(knobs: dict[str, str], edits: dict[int, str]) -> str:
    """What to call a run by what is other in it."""
    parts = [f"{name} = {text}" for name, text in knobs.items()]
    if edits:
        numbers = _(" and ").join(map(str, sorted(edits)))
        parts.append(ngettext("cell {numbers} edited", "cells {numbers} edited", len(edits), numbers=numbers))
    return ", ".join(parts) or _("as written")
