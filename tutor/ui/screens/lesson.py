"""The lesson screen: its keys and messages change the model of the walk, and it shows what came of that."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input

from tutor.i18n import N_, _
from tutor.lesson import forms, notebooks
from tutor.lesson.files import file_stamp
from tutor.lesson.markdown import prepare
from tutor.study.commands import is_possible
from tutor.study.course import lesson_after
from tutor.study.flow import Exercise
from tutor.study.model import Model
from tutor.study.result import Result
from tutor.study.runs import Run
from tutor.ui import layout
from tutor.ui.bindings import BY_ID, KEYS, lesson_bindings
from tutor.ui.details.pane import ChartAsked
from tutor.ui.explanation import first_step
from tutor.ui.panes.base import (
    DetailsAsked,
    LessonLeft,
    Pane,
    PaneClicked,
    RunRefused,
    Said,
    WorkerWanted,
)
from tutor.ui.panes.graph.lanes import operation_name
from tutor.ui.panes.inputs import AnswerInput
from tutor.ui.render.segments import clean, styled
from tutor.ui.screens.walk_screen import WalkScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tutor.session.session import Session
    from tutor.ui.screens.editor import Editor

CHECK_INTERVAL = 0.5
"""Seconds between two checks of the file."""
SHOW_AFTER = 2.0
"""Seconds after which a run of a saved file that takes longer is shown before its end."""


class LessonScreen(WalkScreen):
    """Walks through a recording, while it grows and after."""

    KEYS = KEYS
    BINDINGS = lesson_bindings()

    def __init__(self, model: Model, *, lessons: Path, language: str = "en") -> None:
        super().__init__(model, lessons=lessons, language=language)
        self._file_stamp = file_stamp(model.target.path)
        self._editor: Editor | None = None
        """The editor that is open."""

    # ------------------------------------------------------------ the recording

    def on_mount(self) -> None:
        self.lesson.language = self.language
        self.arrange_widgets()
        self.set_focus(self.leading)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())
        session = self.model.begin()
        if session is not None:
            self.start(session)
            self.set_interval(CHECK_INTERVAL, self.check_file)
            self.call_after_refresh(prepare)  # while the worker imports torch
        self.update_soon()

    def on_unmount(self) -> None:
        self.timebar.pause()
        self.model.study.save_position(self.model.cursor)

    def start(self, session: Session) -> None:
        """Record a run that the model shows."""
        self.timebar.pause()
        self.run_worker(self._record(session), group="session", exclusive=True)
        self.update_soon()

    async def _record(self, session: Session) -> None:
        """Record a run to its end, and say how it ended."""
        try:
            await session.run(self.recording_grew)
        finally:
            await session.close()
        self._end_run(session)

    def _end_run(self, session: Session) -> None:
        if session.refused is None and session is self.model.session:
            self.post_message(WorkerWanted())
            self.recording_grew()
        result = self.model.ended(session)
        if result.outcome == "refused" and session.refused is not None:
            self.say((clean(result.text), "error"))
            self.post_message(RunRefused(result.text, session.refused.status))
        elif result.outcome in ("stopped", "failed", "restored"):
            self.notice = ()
            self.show_result(result)
        self.update_soon()

    def recording_grew(self) -> None:
        """Take in what was recorded."""
        if not self.is_mounted:
            return
        if self.passing:
            self.notice, self.passing = (), False
        result = self.model.grew()
        if result.outcome == "asked":
            self.timebar.pause()
            self.place_prompt()
            if self.model.asks_here and not self.is_typing:
                self.set_focus(self.reply)
        if result.outcome == "arrived":  # the notice is about this run
            self.update_soon()
            return
        if result.outcome in ("finished", "solved", "unsolved"):
            self.lesson.keep_in_view("exercise")
            if result.exercise is not None:
                self._report_attempt(result.exercise)
        self.show_result(result, soon=bool(result.outcome))
        self.update_later()

    def check_file(self) -> None:
        """Run the file again if it was saved since the last check."""
        if self.model.session is None or not self.is_current:
            return  # another screen is open: later
        stamp = file_stamp(self.model.target.path)
        if stamp is None or stamp == self._file_stamp:
            return
        self._file_stamp = stamp
        self.run_worker(self._reload(self.model.reload()), group="session", exclusive=True)

    async def _reload(self, session: Session) -> None:
        """Record a run of the saved file, and show it at its end, or after a while."""
        model, started = self.model, monotonic()

        def on_arrival() -> None:
            is_due = session.waiting is not None or monotonic() - started > SHOW_AFTER
            if model.session is not session and session.timeline.steps and is_due:
                self._show_reloaded(session)
            if model.session is session:
                self.recording_grew()

        try:
            await session.run(on_arrival)
        finally:
            await session.close()
        if session.refused is not None:
            # The folder is known, and would leave no room for the reason.
            path = model.target.path
            self.say((clean(session.refused.note.replace(str(path), path.name)), "error"))
            return
        if model.session is not session:
            self._show_reloaded(session)
        self.post_message(WorkerWanted())
        self.recording_grew()

    def _show_reloaded(self, session: Session) -> None:
        self.timebar.pause()
        self.lesson.clear_cache()
        self.show_result(self.model.show_reloaded(session))

    # ------------------------------------------------------------ messages

    def on_resize(self) -> None:
        self.update_soon()

    def on_pane_clicked(self, message: PaneClicked) -> None:
        if message.name in layout.PANES:
            self.go_to_pane(message.name)

    def on_said(self, message: Said) -> None:
        self.say(*message.pieces)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer the question with what was typed, or the program."""
        if event.input is self.ask:
            self.give_answer(event.value)
        elif event.input is self.reply and self.model.type_line(event.value):
            self.reply.value = ""

    def on_reply_input_ended(self) -> None:
        """End the program's input."""
        self.model.type_line(None)

    def on_mark_moved(self) -> None:
        self.highlight()
        if self.marked_answer() or self.code.clipped_line():
            self.notice = ()
        self.show_explanation()
        self.show_keys()

    def on_details_asked(self, message: DetailsAsked) -> None:
        self.show_details(message.subject, message.ref)

    def on_answer_input_line_moved(self, message: AnswerInput.LineMoved) -> None:
        """Mark another line of code, and put its number into the answer field."""
        self.code.move(message.by)
        line = self.code.line()
        if line is not None:
            self.ask.value = str(line[0])

    def on_key(self, event: events.Key) -> None:
        """Begin an answer with a key that can only belong to one."""
        if not self.model.asking or self.is_typing:
            return
        beginning = self.ask.beginning(event.character)
        if beginning:
            event.stop()
            self.focus_answer()
            self.ask.insert_text_at_cursor(beginning)

    def typed_ahead(self, event: events.Key) -> bool:
        """Insert a letter that was typed before the input had the focus; return whether it was one."""
        if not isinstance(self.focused, Input) or not event.is_printable or event.character is None:
            return False
        self.focused.insert_text_at_cursor(event.character)
        return True

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something now. Where it does not, `action_explain` runs in its place.

        A focused input gets all keys but Esc and Tab; Enter arrives as a message.
        """
        if self.is_typing:
            return action in ("leave", "turn")
        if action == "explain":
            return True
        if action == "size" and self.model.asking and self.ask.begins("-"):
            return parameters != (-2,)  # a minus begins an answer
        if action in ("again", "reveal") and self.reply.display:
            return False
        if action in ("answer", "again", "reveal"):  # what Enter does, if not the details
            return self.selection is None and is_possible(self.model, action)
        command = str(parameters[0]) if action == "move" else action
        return (command != "others" and is_possible(self.model, command)) or None

    def action_explain(self, name: str) -> None:
        """Run a key that does nothing now: it says why."""
        if BY_ID[name].move is not None:
            self.action_move(name)
        else:
            getattr(self, f"action_{name}")()

    def action_stop(self) -> None:
        """Stop the program."""
        if not self.stop_program():
            self.say((_("nothing runs"), "quiet"))

    def stop_program(self) -> bool:
        """Stop the program; return whether it ran."""
        if self.model.session is None or not self.model.running:
            return False
        self.say((_("stopping …"), "quiet"))
        self.run_worker(self.model.session.stop(), group="stop")
        return True

    def action_leave(self) -> None:
        """Undo one thing: the prompt, the input, the mark, the zoom, or the lesson."""
        focused = self.focused
        if self.prompt.purpose:
            self.close_prompt()
        elif self.is_typing:
            self.focus_pane()
        elif self.details.leave() or self.close_details():
            pass
        elif isinstance(focused, Pane) and focused.chosen is not None:
            focused.mark(None)
        elif self.put_card_away():
            pass
        elif self.zoomed:
            self.action_zoom()
        elif self.model.target.kind == "lesson" or len(self.app.screen_stack) > 2:  # the list is below
            name = self.model.target.name
            following = lesson_after(self.lessons, name) if self.model.finished else None
            self.post_message(LessonLeft(name if following is None else following.id))
        else:  # a script that the command named
            self.say(*styled("{q} quits", q=("q", "key")))

    @property
    def status(self) -> int:
        """The exit status of the program."""
        return self.model.exit_status

    # ------------------------------------------------------------ panes

    def action_answer(self) -> None:
        """Answer "which line?" with the marked line; else focus the answer field, or that of the program."""
        if self.reply.display and not self.model.asking:
            self.set_focus(self.reply)
            return
        line = self.marked_answer()
        if line is not None:
            self.give_answer(str(line[0]))
        else:
            self.focus_answer()

    def action_details(self) -> None:
        """Show the details of what is under the mark, or of the step."""
        if self.selection is not None:
            self.show_details(*self.selection)
        elif self.model.cursor:
            self.show_details("step", self.model.cursor)
            self.set_focus(self.details)
        else:
            self.say(*first_step(self.explain.glyphs))

    def on_chart_asked(self, message: ChartAsked) -> None:
        """Chart what the details are of."""
        self.close_details()
        self.chart_tensor(message.tensor, message.element)

    def on_closed(self) -> None:
        """Close the sheet of details, or go from the column to the other panes."""
        if not self.details.leave() and not self.close_details():
            self.set_focus(self.leading)

    def action_glossary(self) -> None:
        """Explain the words of the text to read now, one at a time; then, or in another pane, all words, with those of
        what is under the mark and of the text first.
        """
        if self.focused is self.lesson:
            if self.question_card.display:
                self.put_card_away()
            if self.lesson.next_word():
                return
        from tutor.ui.screens.glossary import glossary_sheet

        model, texts = self.model, []
        state = model.timeline.state(model.cursor)
        subject, ref = self.selection or ("", 0)
        if subject == "tensor" and ref in state.tensors:
            texts.append("leaf" if state.tensors[ref].is_leaf else "grad_fn")
        elif subject == "node" and ref in state.nodes:
            texts += [operation_name(state.nodes[ref].name), "grad_fn"]
        texts += model.gate.texts_at(model.timeline, model.cursor, self.language)
        self.app.push_screen(glossary_sheet(texts))

    def action_sort(self) -> None:
        """Sort the tensors in the next order."""
        self.show_pane("tensors")
        self.tensors.action_sort()

    def action_choose(self, rows: int, columns: int) -> None:
        """Choose another element of the matrix in the details, or of the one that the step brought."""
        matrix = self.details.matrix()
        if matrix is None or matrix.count < 2:
            self.say((_("this step brought no matrix to choose an element of"), "quiet"))
            return
        self.model.choice.move(matrix, rows, columns)
        self.update_soon()

    def action_chart(self) -> None:
        """Chart the tensor under the mark, or remove it."""
        subject, ref = self.selection or ("", 0)
        node = self.model.timeline.state(self.model.cursor).nodes.get(ref) if subject == "node" else None
        tensor = ref if subject == "tensor" else None if node is None else node.tensor
        if tensor is None:
            text = N_("to chart a tensor put the mark on it: {tab} to the pane, {arrows} to its row, {c}")
            self.say(*styled(text, tab=("Tab", "key"), arrows=("↑ ↓", "key"), c=("c", "key")))
        else:
            self.chart_tensor(tensor)

    # ------------------------------------------------------------ questions, and the prompt

    def give_answer(self, text: str) -> None:
        """Answer the open question."""
        result = self.model.answer(text)
        if result.outcome != "error":
            self.focus_pane()
        self.show_result(result)

    def action_again(self) -> None:
        """Ask a question that was answered wrong again, with other numbers."""
        session = self.model.ask_again()
        if session is not None:
            self.run_worker(self._answer_again(session), group="again")
            self.show_pane("lesson")
            self.say(*styled("type the answer; {arrow} shows why without it", arrow=(self.header.glyphs.arrow, "key")))

    async def _answer_again(self, session: Session) -> None:
        """Run what answers a question that is asked again."""

        def grew() -> None:
            self.model.retry_grew()
            self.update_later()

        try:
            await session.run(grew)
        finally:
            await session.close()
        self.post_message(WorkerWanted())
        grew()

    def action_reveal(self) -> None:
        """Go to where the answer that has just been given is judged."""
        self.show_result(self.model.reveal())

    def action_skip(self) -> None:
        """Skip the open question, which reveals what it hides; where there is none, the cell that failed."""
        if not self.model.asking and self.model.failed_cell is not None:
            if self._can_run():
                self._start_changed(self.model.run_without_failed_cell())
            return
        result = self.model.skip()
        if result.outcome == "skipped":
            self.focus_pane()
        self.show_result(result)

    # ------------------------------------------------------------ exercises

    def action_hint(self) -> None:
        """Show the next hint of the exercise."""
        self._show_help(self.model.hint())

    def action_solution(self) -> None:
        """Show the solution, at the second time."""
        self._show_help(self.model.solution())

    def _show_help(self, result: Result) -> None:
        """Show the hint or the solution that came up in the lesson pane."""
        if result.outcome in ("hint", "solution"):
            self.show_pane("lesson")
            self.shown, self.notice = None, ()
            self.lesson.keep_in_view("help")
        self.show_result(result)

    # ------------------------------------------------------------ runs

    def action_rerun(self) -> None:
        """Run the program again; the answers stay."""
        if is_possible(self.model, "rerun"):
            self.start(self.model.rerun())
            self.notice = ()

    def _can_run(self) -> bool:
        """Return whether a run can be started now; otherwise say why not."""
        result = self.model.check_run()
        self.show_result(result)
        return not result.outcome

    def action_knobs(self) -> None:
        """Let the learner set the knobs for another run."""
        if not self._can_run():
            return
        knobs, document = self.model.gate.knobs, self.model.timeline.document
        if not knobs or document is None:
            self.say(*styled("there are no knobs here: {e} edits the cell", e=("e", "key")))
            return
        from tutor.ui.screens.knobs import Knobs

        self.pause()
        self.app.push_screen(Knobs(knobs, document.knobs), self._leave_knobs)

    def _leave_knobs(self, knobs: dict[str, str] | None) -> None:
        if knobs is not None:
            self._start_changed(self.model.run_with_knobs(knobs))

    def action_edit(self) -> None:
        """Let the learner edit the cell at the cursor, or the exercise there, for another run."""
        from tutor.ui.screens.editor import Editor
        from tutor.ui.screens.form import FormScreen

        if not self._can_run():
            return
        model, exercise = self.model, self.model.exercise
        number = model.timeline.cell(max(model.cursor, 1)) or 1
        if exercise is not None:
            status, original = model.exercise_status(exercise), model.gate.original(exercise.number)
            problem = status.problem if status.tried else ""
            title, code = _("exercise {name}", name=exercise.id), model.attempt(exercise)
            form = forms.read(status.kind, code) or forms.read(status.kind, original)
            if form is None:
                self._open_editor(
                    Editor(
                        title, code, original, self.code_place, attempt=lambda text: self._try(exercise, text),
                        hint=self.action_hint,
                    ),
                    lambda edited: self._leave_exercise(exercise, edited),
                )  # fmt: skip
                if problem:
                    self.call_after_refresh(self._report_attempt, exercise)
            else:
                screen = FormScreen(title, form, code, model.timeline, model.cursor, problem)
                self.app.push_screen(screen, lambda edited: self._leave_exercise(exercise, edited))
        elif number in model.gate.code_cells:
            is_only = len(model.gate.code_cells) == 1
            name = _("edit") if is_only else _("edit cell {number}", number=number)
            editor = Editor(
                name, model.code_to_edit(number), model.gate.original(number), self.code_place,
                is_notebook=notebooks.is_notebook(model.target.path),
            )  # fmt: skip
            self._open_editor(editor, lambda edited: self._leave_editor(number, edited))
        self.pause()

    def _open_editor(self, editor: Editor, leave: Callable[[tuple[str, bool] | None], None]) -> None:
        """Show an editor in the place of the code pane, which grows, with the task above it."""
        self.zoomed = None
        self.grown, self._editor = "code", editor
        self.lesson.keep_in_view("task")
        self.shown = None
        self.update_screen()

        def left(edited: tuple[str, bool] | None) -> None:
            self._editor = None
            leave(edited)

        self.call_after_refresh(self.app.push_screen, editor, left)

    def _try(self, exercise: Exercise, text: str) -> None:
        """Run the learner's code for an exercise."""
        self.start(self.model.try_exercise(exercise, text))
        self.say((_("your code runs …"), "quiet"))

    def _report_attempt(self, exercise: Exercise) -> None:
        """Show in the editor why an attempt failed, or close it."""
        if self._editor is None:
            return
        model = self.model
        result = model.gate.attempt_result(model.timeline, exercise)
        if result is None or result.ok:
            self._editor.dismiss(None)
            return
        first = model.gate.code_cells.get(exercise.number, {}).get("first_line", 1)
        line = result.line - first + 1 if result.line is not None and result.how == "stopped" else None
        self._editor.report(model.exercise_status(exercise).problem, line)

    def _leave_exercise(self, exercise: Exercise, edited: tuple[str, bool] | None) -> None:
        """Run the learner's code for an exercise, or keep it."""
        if edited is None:
            return
        text, run = edited
        if not run:
            self.model.keep_attempt(exercise, text)
            self.shown = None
            self.update_soon()
            return
        self._try(exercise, text)

    def _leave_editor(self, number: int, edited: tuple[str, bool] | None) -> None:
        """Run with the edited cell, or keep it as a draft."""
        if edited is None:
            return
        text, run = edited
        if not run:
            self.model.drafts[number] = text
            return
        session = self.model.run_edited(number, text)
        if session is None:
            self.say((_("the code is as it ran"), "quiet"))
        self._start_changed(session)

    def _start_changed(self, session: Session | None) -> None:
        """Start a run with something changed, if it is one."""
        run = self.model.runs.now
        if session is not None and run is not None:
            self.start(session)
            self.say(*styled("{name}: another run; the one before is its ghost", name=(clean(run.name), "value")))

    def action_runs(self) -> None:
        """Open the list of runs."""
        from tutor.ui.screens.runs import RunsScreen

        if len(self.model.runs.all) < 2:
            text = N_("there is one run so far: {k} or {e} makes another")
            self.say(*styled(text, k=("k", "key"), e=("e", "key")))
            return
        self.pause()
        self.app.push_screen(RunsScreen(self.model.runs), self._leave_runs)

    def _leave_runs(self, run: Run | None) -> None:
        """Show the run that was chosen."""
        if run is not None:
            self.timebar.pause()
            self.show_result(self.model.walk(run))

    def on_runs_screen_changed(self) -> None:
        """Show another ghost."""
        self.update_soon()
