"""What if: other knobs, or other code in a cell, for another run of the same program.

The runs of a lesson screen: begun, shown, run again, and others with something changed in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tutor.explain import ended
from tutor.i18n import N_, _
from tutor.lesson.model import Knob
from tutor.study.runs import Run, Runs, describe_changes
from tutor.trace.events import Failed
from tutor.trace.navigation import counterpart
from tutor.ui.render.segments import Piece, clean, phrase

if TYPE_CHECKING:
    from tutor.session.session import Session
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


class Runner:
    """Starts runs and puts them on the screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.runs = Runs()
        self._place: Callable[[], int | None] | None = None
        """Where the cursor is to be in a new run, once that is recorded."""

    def begin(self, session: Session) -> None:
        """Record a run, and show it from its beginning."""
        if self.runs.now is None:
            kept = self.screen.study.progress.attempts
            if kept:
                session.command = msgspec.structs.replace(session.command, attempts=dict(kept))
            self.runs.add(session, describe_changes(session.command.knobs, session.command.edits))
        self._show(session)
        self.screen.run_worker(self._record(session), group="session", exclusive=True)

    def _show(self, session: Session) -> None:
        screen = self.screen
        screen.player.pause()
        screen.follow = False
        screen.session, screen.timeline, screen.shown = session, session.timeline, None
        self.compare()

    async def _record(self, session: Session) -> None:
        screen = self.screen
        try:
            await session.run(screen.arrived)
        finally:
            await session.close()
        if session is not screen.session:
            return
        if session.refused is None:
            screen.owner.prepare()
            screen.arrived()
            self._tell_end()
        elif len(self.runs.all) > 1:
            self._take_back(session.refused.note)
        elif screen.owner.target is not None:
            screen.owner.parting = session.refused.note
            screen.app.exit(return_code=session.refused.status)
        screen.soon()

    def _tell_end(self) -> None:
        """How a run ended that was stopped, or that failed while the learner looks at an earlier moment of it."""
        screen, timeline = self.screen, self.screen.timeline
        end = timeline.run_end
        if end is None or end.outcome == "ok":
            return
        screen.notice = ()
        if end.outcome == "stopped":
            screen.say((_("stopped"), "grad"))
        elif len(self.runs.all) > 1 and screen.cursor < timeline.steps - 1:
            failed = timeline.event(timeline.steps - 1)
            why = f"{failed.error}: {failed.message}" if isinstance(failed, Failed) else ended(end)
            go = phrase("{end} goes there", end=("End", "key"))
            screen.say((f"{screen.explain.glyphs.no} {clean(why)}", "error"), (" ", "quiet"), *go)

    def _take_back(self, why: str) -> None:
        """A run that could not begin: the one before it is on the screen again."""
        runs, failed = self.runs, self.runs.now
        before = runs.ghost or runs.all[0]
        runs.show(before)
        assert failed is not None
        runs.drop(failed)
        self._show(before.session)
        self._go(before.cursor)
        self.screen.say((clean(why), "error"))

    def _go(self, step: int) -> None:
        screen = self.screen
        screen.arrived()
        screen.cursor = step
        screen.soon()

    # ------------------------------------------------------------ other runs

    def again(self) -> None:
        """The same once more, from its beginning."""
        screen = self.screen
        assert screen.session is not None
        session = screen.owner.again(screen.session)
        self.runs.replace(session)
        screen.study.reset_run()
        self._place = None
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)
        screen.notice = ()

    def another(self, **changes: Any) -> None:
        """A run with these changes to its command; the one on the screen becomes its ghost."""
        screen, now = self.screen, self.runs.now
        assert screen.session is not None
        assert now is not None
        now.cursor = screen.cursor
        session = screen.owner.again(screen.session, **changes)
        self._come_to(now)
        run = self.runs.add(session, describe_changes(session.command.knobs, session.command.edits))
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)
        screen.say(*phrase("{name}: another run; the one before is its ghost", name=(clean(run.name), "value")))

    def renew(self, session: Session) -> None:
        """Another recording of the run on the screen, of its file as it is now."""
        self.runs.replace(session)
        self._place = None
        self._show(session)

    def try_again(self, attempts: dict[str, str], cell: int) -> None:
        """Once more with other code for exercises; the cursor comes to the end of this code cell."""
        screen = self.screen
        assert screen.session is not None
        session = screen.owner.again(screen.session, attempts=attempts)
        self.runs.replace(session)

        def place() -> int | None:
            found = next((info for info in screen.timeline.cells if info.cell == cell), None)
            if found is None:
                return None if screen.running else screen.timeline.steps
            return found.end

        self._place = place
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)

    def walk(self, run: Run) -> None:
        """Put a run that was there before on the screen, at the same moment."""
        now = self.runs.now
        if run is now or now is None:
            return
        now.cursor = self.screen.cursor
        self.runs.show(run)
        found = counterpart(now.timeline, now.cursor, run.timeline)
        self._show(run.session)
        self._go(run.cursor if found is None else found)
        self.screen.say(*phrase("{name} is on the screen again", name=(clean(run.name), "value")))

    def compare(self) -> None:
        """Another run is the ghost, or none."""
        screen, ghost = self.screen, self.runs.ghost
        screen.chart.ghost = screen.tensors.ghost = None if ghost is None else ghost.timeline
        screen.shown = None
        screen.soon()

    def _come_to(self, before: Run) -> None:
        """The cursor shall come to the moment at which it stands in the run before."""
        step = before.cursor

        def place() -> int | None:
            timeline = self.screen.timeline
            found = counterpart(before.timeline, step, timeline)
            return timeline.steps if found is None and not self.screen.running else found

        self._place = place

    def come_back(self) -> None:
        """To where the learner left the lesson, or stood in the run before, once that step is there."""
        screen, resume = self.screen, self.screen.study.resume
        if screen.cursor:  # they are walking already
            self._place, screen.study.resume = None, 0
        elif self._place is not None:
            step = self._place()
            if step and (screen.limit >= step or not screen.running):
                self._place = None
                notice = screen.notice
                screen.cursor = step
                screen.notice = notice
        elif resume and (screen.limit >= resume or not screen.running):
            screen.study.resume = 0
            screen.cursor = resume
            screen.say(*self._back(screen.cursor))

    def _back(self, step: int) -> list[Piece]:
        dot = self.screen.header.glyphs.dot
        back = phrase("back where you left, at step {step}", step=(f"{step}", "value"))
        return [*back, (f" {dot} ", "quiet"), *phrase("{home} to the beginning", home=("Home", "key"))]
