"""The runs of a lesson screen: starting and showing them, and runs with other knobs or edited cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tutor.explain import describe_end
from tutor.i18n import N_, _
from tutor.lesson.model import Knob
from tutor.study.runs import Run, Runs, describe_changes
from tutor.trace.events import Failed
from tutor.trace.navigation import counterpart
from tutor.ui.render.segments import Piece, clean, styled

if TYPE_CHECKING:
    from tutor.session.session import Session
    from tutor.ui.screens.lesson import LessonScreen


class WhatIf:
    """The keys `k`, `e` and `w`: runs with something changed, and the list of all runs."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.drafts: dict[int, str] = {}
        """Edited code that has not run yet, by cell number."""

    @property
    def knobs_by_name(self) -> dict[str, Knob]:
        """The knobs of the program, by name."""
        return {knob["name"]: msgspec.convert(knob, Knob) for cell in self._cells() for knob in cell.get("knobs", ())}

    def _cells(self) -> list[dict[str, Any]]:
        document = self.screen.timeline.document
        return [] if document is None else document.cells

    def _can_run(self) -> bool:
        """Return whether a run can be started now; otherwise say why not."""
        screen = self.screen
        if screen.session is None:
            screen.say((_("this is a recording: open its script to run it with something changed"), "quiet"))
        elif screen.running:
            screen.say(*styled("it still runs: {x} stops it", x=("x", "key")))
        else:
            return True
        return False

    # ------------------------------------------------------------ knobs

    def knobs(self) -> None:
        """Let the learner set the knobs for another run."""
        screen = self.screen
        if not self._can_run():
            return
        knobs = self.knobs_by_name
        if not knobs:
            screen.say(*styled("nothing here is made to be turned: {e} edits the cell", e=("e", "key")))
            return
        from tutor.ui.screens.knobs import Knobs

        document = screen.timeline.document
        assert document is not None
        screen.player.pause()
        screen.app.push_screen(Knobs(knobs, document.knobs), self._run_with_knobs)

    def _run_with_knobs(self, knobs: dict[str, str] | None) -> None:
        """Run with these knobs, if they differ from those of the current run."""
        session = self.screen.session
        if knobs is not None and session is not None and knobs != session.command.knobs:
            self.screen.runner.run_changed(knobs=knobs)

    # ------------------------------------------------------------ editing

    def edit(self) -> None:
        """Let the learner edit the cell at the cursor for another run."""
        screen = self.screen
        if not self._can_run():
            return
        exercise = screen.exercises.here
        if exercise is not None:
            screen.exercises.edit(exercise)
            return
        number = screen.timeline.cell(max(screen.cursor, 1)) or 1
        cell = self._cell(number)
        if cell is None or screen.session is None:
            return
        from tutor.ui.screens.editor import Editor

        screen.player.pause()
        original = self.original(number)
        text = self.drafts.get(number, screen.session.command.edits.get(number, original))
        is_only = sum(record.get("number") is not None for record in self._cells()) == 1
        name = _("edit") if is_only else _("edit cell {number}", number=number)
        screen.app.push_screen(Editor(name, text, original), lambda done: self._run_edited(number, done))

    def _cell(self, number: int) -> dict[str, Any] | None:
        return next((cell for cell in self._cells() if cell.get("number") == number), None)

    def original(self, number: int) -> str:
        """Return the code of a cell as it is in the file."""
        document, cell = self.screen.timeline.document, self._cell(number)
        source = document.originals.get(number) if document is not None else None
        return source if source is not None else str(cell["source"]) if cell is not None else ""

    def _run_edited(self, number: int, result: tuple[str, bool] | None) -> None:
        """Run with the edited cell, or keep it as a draft."""
        screen = self.screen
        if result is None or screen.session is None:
            return
        text, run = result
        edits_before = screen.session.command.edits
        if not run:
            self.drafts[number] = text
            return
        self.drafts.pop(number, None)
        edits = {**edits_before, number: text}
        if text.rstrip() == self.original(number).rstrip():
            del edits[number]
        if edits != edits_before:
            screen.runner.run_changed(edits=edits)
        else:
            screen.say((_("the code is as it ran"), "quiet"))

    # ------------------------------------------------------------ runs

    def list_runs(self) -> None:
        """Open the list of runs."""
        from tutor.ui.screens.runs import RunsScreen

        screen, runner = self.screen, self.screen.runner
        if len(runner.runs.all) < 2:
            text = N_("there is one run so far: {k} or {e} makes another")
            screen.say(*styled(text, k=("k", "key"), e=("e", "key")))
            return
        screen.player.pause()
        screen.app.push_screen(RunsScreen(runner.runs, runner.walk, runner.compare))


class Runner:
    """Starts runs, and puts them on the screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self.runs = Runs()
        self._find_target: Callable[[], int | None] | None = None
        """Returns the step to which the cursor goes in a new run, None until that is recorded."""

    def begin(self, session: Session) -> None:
        """Record a run, and show it from its beginning."""
        if self.runs.now is None:
            attempts = self.screen.study.progress.attempts
            if attempts:
                session.command = msgspec.structs.replace(session.command, attempts=dict(attempts))
            self.runs.add(session, describe_changes(session.command.knobs, session.command.edits))
        self._show(session)
        self.screen.run_worker(self._record(session), group="session", exclusive=True)

    def _show(self, session: Session) -> None:
        """Put a run on the screen."""
        screen = self.screen
        screen.player.pause()
        screen.follow = False
        screen.session, screen.timeline, screen.shown = session, session.timeline, None
        self.compare()

    async def _record(self, session: Session) -> None:
        """Record a run to its end, and then show how it ended."""
        screen = self.screen
        try:
            await session.run(screen.recording_grew)
        finally:
            await session.close()
        if session is not screen.session:
            return
        if session.refused is None:
            screen.owner.prepare()
            screen.recording_grew()
            self._say_outcome()
        elif len(self.runs.all) > 1:
            self._restore_previous(session.refused.note)
        elif screen.owner.target is not None:
            screen.owner.exit_message = session.refused.note
            screen.app.exit(return_code=session.refused.status)
        screen.update_soon()

    def _say_outcome(self) -> None:
        """Say how a run ended that was stopped, or that failed while the cursor is at an earlier step."""
        screen, timeline = self.screen, self.screen.timeline
        end = timeline.run_end
        if end is None or end.outcome == "ok":
            return
        screen.notice = ()
        if end.outcome == "stopped":
            screen.say((_("stopped"), "grad"))
        elif len(self.runs.all) > 1 and screen.cursor < timeline.steps - 1:
            failed = timeline.event(timeline.steps - 1)
            why = f"{failed.error}: {failed.message}" if isinstance(failed, Failed) else describe_end(end)
            hint = styled("{end} goes there", end=("End", "key"))
            screen.say((f"{screen.explain.glyphs.no} {clean(why)}", "error"), (" ", "quiet"), *hint)

    def _restore_previous(self, reason: str) -> None:
        """Return to the previous run after one that could not begin, and say why."""
        runs, failed = self.runs, self.runs.now
        previous = runs.ghost or runs.all[0]
        runs.show(previous)
        assert failed is not None
        runs.drop(failed)
        self._show(previous.session)
        self._go(previous.cursor)
        self.screen.say((clean(reason), "error"))

    def _go(self, step: int) -> None:
        """Move the cursor to a step of the run that was put on the screen."""
        screen = self.screen
        screen.recording_grew()
        screen.cursor = step
        screen.update_soon()

    # ------------------------------------------------------------ other runs

    def rerun(self) -> None:
        """Run the program once more, from its beginning."""
        screen = self.screen
        assert screen.session is not None
        session = screen.owner.rerun_with(screen.session)
        self.runs.replace(session)
        screen.study.reset_run()
        self._find_target = None
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)
        screen.notice = ()

    def run_changed(self, **changes: Any) -> None:
        """Start a run with these fields of its command changed; the current run becomes its ghost."""
        screen, now = self.screen, self.runs.now
        assert screen.session is not None
        assert now is not None
        now.cursor = screen.cursor
        session = screen.owner.rerun_with(screen.session, **changes)
        self._keep_moment(now)
        run = self.runs.add(session, describe_changes(session.command.knobs, session.command.edits))
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)
        screen.say(*styled("{name}: another run; the one before is its ghost", name=(clean(run.name), "value")))

    def replace_recording(self, session: Session) -> None:
        """Replace the current run by a recording of the changed file."""
        self.runs.replace(session)
        self._find_target = None
        self._show(session)

    def try_again(self, attempts: dict[str, str], cell: int) -> None:
        """Run once more with other code for exercises, and go to the end of this code cell."""
        screen = self.screen
        assert screen.session is not None
        session = screen.owner.rerun_with(screen.session, attempts=attempts)
        self.runs.replace(session)

        def find_step() -> int | None:
            cell_info = next((info for info in screen.timeline.cells if info.cell == cell), None)
            if cell_info is None:
                return None if screen.running else screen.timeline.steps
            return cell_info.end

        self._find_target = find_step
        screen.set_reactive(type(screen).cursor, 0)
        self.begin(session)

    def walk(self, run: Run) -> None:
        """Show an earlier run, at the moment that the cursor has reached in the current one."""
        now = self.runs.now
        if run is now or now is None:
            return
        now.cursor = self.screen.cursor
        self.runs.show(run)
        counterpart_step = counterpart(now.timeline, now.cursor, run.timeline)
        self._show(run.session)
        self._go(run.cursor if counterpart_step is None else counterpart_step)
        self.screen.say(*styled("{name} is on the screen again", name=(clean(run.name), "value")))

    def compare(self) -> None:
        """Show the ghost of the current choice, or none."""
        screen, ghost = self.screen, self.runs.ghost
        screen.chart.ghost = screen.tensors.ghost = None if ghost is None else ghost.timeline
        screen.shown = None
        screen.update_soon()

    def _keep_moment(self, previous: Run) -> None:
        """Let the cursor go to the moment at which it stands in the previous run."""
        step = previous.cursor

        def find_step() -> int | None:
            timeline = self.screen.timeline
            target = counterpart(previous.timeline, step, timeline)
            return timeline.steps if target is None and not self.screen.running else target

        self._find_target = find_step

    def restore_cursor(self) -> None:
        """Move the cursor to the step where the learner left off, as soon as it is recorded."""
        screen, resume = self.screen, self.screen.study.resume
        if screen.cursor:  # the learner has moved already
            self._find_target, screen.study.resume = None, 0
        elif self._find_target is not None:
            target = self._find_target()
            if target and (screen.limit >= target or not screen.running):
                self._find_target = None
                notice = screen.notice
                screen.cursor = target
                screen.notice = notice
        elif resume and (screen.limit >= resume or not screen.running):
            screen.study.resume = 0
            screen.cursor = resume
            screen.say(*self._welcome_back(screen.cursor))

    def _welcome_back(self, step: int) -> list[Piece]:
        """Return the notice after the cursor went to where the learner left off."""
        dot = self.screen.header.glyphs.dot
        text = styled("back where you left, at step {step}", step=(f"{step}", "value"))
        return [*text, (f" {dot} ", "quiet"), *styled("{home} to the beginning", home=("Home", "key"))]
