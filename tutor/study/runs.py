"""The runs of one program: the one on the screen, earlier ones, and the one shown behind it as a ghost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutor.i18n import _, ngettext
from tutor.trace.timeline import Timeline

if TYPE_CHECKING:
    from tutor.session.session import Session


@dataclass(eq=False)
class Run:
    """One run and its name."""

    session: Session
    name: str
    cursor: int = 0
    """The cursor at the time another run was shown instead."""

    @property
    def timeline(self) -> Timeline:
        """The recording of the run."""
        return self.session.timeline


class Runs:
    """The runs, newest last."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self.now: Run | None = None
        self.ghost: Run | None = None

    def add(self, session: Session, name: str) -> Run:
        """Add a run and show it; the one shown before becomes the ghost."""
        self.ghost = self.now
        self.now = Run(session, self._unique_name(name))
        self.all.append(self.now)
        return self.now

    def show(self, run: Run) -> None:
        """Show a run; the one shown before becomes the ghost."""
        if run is not self.now:
            self.now, self.ghost = run, self.now

    def drop(self, run: Run) -> None:
        """Remove a run, unless it is shown."""
        if run is not self.now:
            self.all.remove(run)
            if self.ghost is run:
                self.ghost = None

    def replace(self, session: Session) -> None:
        """Replace the session of the shown run, which is run again."""
        assert self.now is not None
        self.now.session = session

    def _unique_name(self, name: str) -> str:
        """Return a name that no other run has."""
        names = {run.name for run in self.all}
        candidates = [name, *(f"{name} ({count})" for count in range(2, len(names) + 3))]
        return next(candidate for candidate in candidates if candidate not in names)


def describe_changes(knobs: dict[str, str], edits: dict[int, str], skipped: list[int]) -> str:
    """Return a name for a run: the knobs and cells that differ from the lesson's, and the cells that do not run."""
    parts = [f"{name} = {text}" for name, text in knobs.items()]
    if edits:
        numbers = _(" and ").join(map(str, sorted(edits)))
        parts.append(ngettext("cell {numbers} edited", "cells {numbers} edited", len(edits), numbers=numbers))
    parts += [_("cell {number} skipped", number=number) for number in skipped]
    return ", ".join(parts) or _("as written")
