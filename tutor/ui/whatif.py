"""What if: other knobs, or other code in a cell, for another run of the same program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tutor.i18n import N_, _
from tutor.lesson.model import Knob
from tutor.ui.draw.phrase import phrase

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


class WhatIf:
    """The keys `k`, `e` and `w`."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.drafts: dict[int, str] = {}
        """By cell: code that was changed and not run yet."""

    @property
    def known_knobs(self) -> dict[str, Knob]:
        """The knobs that the program has."""
        return {knob["name"]: msgspec.convert(knob, Knob) for cell in self._cells() for knob in cell.get("knobs", ())}

    def _cells(self) -> list[dict[str, Any]]:
        document = self.screen.timeline.document
        return [] if document is None else document.cells

    def _can_run(self) -> bool:
        screen = self.screen
        if screen.session is None:
            screen.say((_("this is a recording: open its script to run it with something changed"), "quiet"))
        elif screen.running:
            screen.say(*phrase("it still runs: {x} stops it", x=("x", "key")))
        else:
            return True
        return False

    # ------------------------------------------------------------ knobs

    def knobs(self) -> None:
        """Set the knobs for another run."""
        screen = self.screen
        if not self._can_run():
            return
        known = self.known_knobs
        if not known:
            screen.say(*phrase("nothing here is made to be turned: {e} edits the cell", e=("e", "key")))
            return
        from tutor.ui.screens.knobs import Knobs

        document = screen.timeline.document
        assert document is not None
        screen.player.pause()
        screen.app.push_screen(Knobs(known, document.knobs), self._turned)

    def _turned(self, knobs: dict[str, str] | None) -> None:
        session = self.screen.session
        if knobs is not None and session is not None and knobs != session.command.knobs:
            self.screen.runner.another(knobs=knobs)

    # ------------------------------------------------------------ editing

    def edit(self) -> None:
        """Change the code of the cell at the cursor, for another run."""
        screen = self.screen
        if not self._can_run():
            return
        exercise = screen.exercising.here
        if exercise is not None:
            screen.exercising.edit(exercise)
            return
        number = screen.timeline.cell(max(screen.cursor, 1)) or 1
        cell = self._cell(number)
        if cell is None or screen.session is None:
            return
        from tutor.ui.screens.editor import Editor

        screen.player.pause()
        original = self.original(number)
        text = self.drafts.get(number, screen.session.command.edits.get(number, original))
        one = sum(each.get("number") is not None for each in self._cells()) == 1
        name = _("edit") if one else _("edit cell {number}", number=number)
        screen.app.push_screen(Editor(name, text, original), lambda done: self._edited(number, done))

    def _cell(self, number: int) -> dict[str, Any] | None:
        return next((cell for cell in self._cells() if cell.get("number") == number), None)

    def original(self, number: int) -> str:
        """The code of a cell as the file has it."""
        document, cell = self.screen.timeline.document, self._cell(number)
        found = document.originals.get(number) if document is not None else None
        return found if found is not None else str(cell["source"]) if cell is not None else ""

    def _edited(self, number: int, done: tuple[str, bool] | None) -> None:
        screen = self.screen
        if done is None or screen.session is None:
            return
        text, run = done
        before = screen.session.command.edits
        if not run:
            self.drafts[number] = text
            return
        self.drafts.pop(number, None)
        edits = {**before, number: text}
        if text.rstrip() == self.original(number).rstrip():
            del edits[number]
        if edits != before:
            screen.runner.another(edits=edits)
        else:
            screen.say((_("the code is as it ran"), "quiet"))

    # ------------------------------------------------------------ runs

    def list_runs(self) -> None:
        """All runs of this program."""
        from tutor.ui.screens.runs import RunsScreen

        screen, runner = self.screen, self.screen.runner
        if len(runner.runs.all) < 2:
            text = N_("there is one run so far: {k} or {e} makes another")
            screen.say(*phrase(text, k=("k", "key"), e=("e", "key")))
            return
        screen.player.pause()
        screen.app.push_screen(RunsScreen(runner.runs, runner.walk, runner.compare))
