"""The lesson screen: it holds the cursor, passes it to the panes, and handles their messages and the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.reactive import Reactive, var
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tutor.i18n import N_, _, ngettext
from tutor.lesson.markdown import prepare
from tutor.study.flow import Gate
from tutor.study.progress import Study
from tutor.trace.timeline import Timeline
from tutor.ui import layout, moves
from tutor.ui.bars import (
    Explain,
    KeyLine,
    TimeBar,
    TitleBar,
    TooSmall,
    exit_status,
    explanation,
    first_step_notice,
    open_question_notice,
    title_facts,
)
from tutor.ui.bindings import bindings, is_possible, possible_hints, typing_hints
from tutor.ui.layout import PaneLayout
from tutor.ui.panes.base import DetailsAsked, KeyPicked, Pane, StepPicked, TabClicked
from tutor.ui.panes.chart import ChartPane
from tutor.ui.panes.code import CodePane
from tutor.ui.panes.cross_highlight import CrossHighlighter
from tutor.ui.panes.graph.pane import GraphPane
from tutor.ui.panes.inputs import AnswerInput, Prompt, PromptLabel, Prompts
from tutor.ui.panes.lesson import LessonPane
from tutor.ui.panes.output import OutputPane
from tutor.ui.panes.playback import Player, RedrawScheduler
from tutor.ui.panes.tensors import TensorsPane
from tutor.ui.render.segments import Piece, clean, styled
from tutor.ui.screens.exercises import Exercises
from tutor.ui.screens.file_watcher import FileWatcher
from tutor.ui.screens.run_control import Runner, WhatIf

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.ui.app import GradtutorApp


class Commands:
    """One method for each key in `bindings.KEYS`."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._actions: dict[str, Callable[[], object]] = {
            "first": self.first,
            "last": self.last,
            "play": self.play,
            "slower": lambda: self.pace(-1),
            "faster": lambda: self.pace(1),
            "go": lambda: screen.prompts.open("go"),
            "find": lambda: screen.prompts.open("find"),
            "details": self.details,
            "chart": self.chart,
            "others": self.show_others,
            "rerun": self.rerun,
            "stop": self.stop,
            "skip": screen.prompts.skip,
            "bracket": self.bracket,
            "knobs": screen.whatif.knobs,
            "edit": screen.whatif.edit,
            "runs": screen.whatif.list_runs,
            "hint": screen.exercises.hint,
            "solution": screen.exercises.solution,
            "up": lambda: self.move_in_pane(-1),
            "down": lambda: self.move_in_pane(1),
            "next_pane": lambda: self.turn_panes(1),
            "previous_pane": lambda: self.turn_panes(-1),
            "view": self.change_view,
            "zoom": self.zoom,
            "language": lambda: screen.owner.change_language(),
            "help": self.help,
            "leave": self.leave,
            "quit": lambda: screen.app.run_worker(screen.app.action_quit()),
        }

    def do(self, key: str) -> None:
        """Perform the action of a key, by its id."""
        if key in ("into", "out") and self.fold(key):
            return
        if key in moves.MOVES:
            self.walk(key)
        else:
            self._actions[key]()

    # ------------------------------------------------------------ walking

    def walk(self, key: str) -> None:
        """Move the cursor as a key of `moves.MOVES` does, or say why it cannot."""
        screen = self.screen
        screen.player.pause()
        screen.follow = False
        timeline, here = screen.timeline, screen.cursor
        target = moves.MOVES[key](timeline, here)
        if target is None and key == "next_cell" and here < timeline.steps:
            target = timeline.steps
        ahead = not key.startswith(("back", "previous", "out"))
        if target is None and screen.asking and ahead:
            self.say_gate()
        elif target is None:
            waits = screen.running and ahead
            screen.say(
                (screen.waiting if waits else moves.no_move_reason(screen.timeline, key), "quiet"), passing=waits
            )
        elif target > screen.limit:
            stuck = here == screen.limit
            screen.cursor = screen.limit
            if stuck:
                self.say_gate()
        else:
            screen.cursor = target

    def bracket(self) -> None:
        """Go to the previous cell; where a question is open, begin a list as the answer."""
        if not (self.screen.asking and self.screen.prompts.begin_answer("[")):
            self.walk("previous_cell")

    def say_gate(self) -> None:
        """Show the question that stops the cursor, and say that it has to be answered first."""
        self.screen.pane_layout.show_pane("lesson")
        self.screen.say(*open_question_notice())

    def to_the_list(self) -> None:
        """Go to the list of lessons; a script of the learner's own has none."""
        if self.screen.target.kind == "lesson":
            self.screen.owner.leave()
        else:
            self.screen.say(*styled("{q} quits", q=("q", "key")))

    def go_to(self, step: int) -> None:
        """Move the cursor to a step that was picked."""
        self.screen.player.pause()
        self.screen.follow = False
        self.screen.cursor = step

    def first(self) -> None:
        self.go_to(0)

    def last(self) -> None:
        """Go to the last step, and follow a program that still runs."""
        self.screen.player.pause()
        self.screen.follow = self.screen.running
        if self.screen.asking:
            self.say_gate()
        self.screen.cursor = self.screen.limit

    def play(self) -> None:
        self.screen.follow = False
        self.screen.player.toggle()
        self.screen.update_soon()

    def pace(self, by: int) -> None:
        self.screen.player.change_speed(by)
        self.screen.say(
            (ngettext("{count} step a second", "{count} steps a second", self.screen.player.speed), "quiet")
        )

    # ------------------------------------------------------------ panes

    def turn_panes(self, by: int) -> None:
        """Focus the next (or previous) pane, and bring it to the front where panes share a region."""
        screen = self.screen
        names = [name for name in layout.PANES if screen.gate.has_prose or name != "lesson"]
        if screen.asking:
            names.insert(1, "ask")
        focused_name = screen.focused.id if screen.focused is not None else None
        name = names[(names.index(focused_name) + by) % len(names)] if focused_name in names else names[0]
        if name == "ask":
            screen.pane_layout.show_pane("lesson")
            screen.ask.focus()
        else:
            screen.pane_layout.show_pane(name)

    def zoom(self) -> None:
        """Give the focused pane the whole screen, or end that."""
        screen = self.screen
        focused = screen.focused
        screen.zoomed = focused.NAME if screen.zoomed is None and isinstance(focused, Pane) else None
        screen.update_soon()

    def change_view(self) -> None:
        """Show the next view of the chart, if it has the focus; otherwise of the graph."""
        if self.screen.focused is self.screen.chart:
            self.screen.say((self.screen.chart.next_view(), "quiet"))
            return
        if not self.screen.graph.display:
            self.screen.pane_layout.show_pane("graph")
        self.screen.say((self.screen.graph.next_view(), "quiet"))

    def fold(self, key: str) -> bool:
        """Open the module under the mark of the graph, or close the one around it; return whether there is one."""
        graph = self.screen.graph
        return self.screen.focused is graph and graph.fold(key == "into")

    def show_others(self) -> None:
        """Show or hide in the graph what needs no gradient."""
        shown = self.screen.graph.toggle_others()
        message = (
            _("what needs no gradient is shown in the graph")
            if shown
            else _("what needs no gradient is hidden in the graph")
        )
        self.screen.say((message, "quiet"))

    def move_in_pane(self, by: int) -> None:
        """Move the mark of the focused pane, or the line that answers a question."""
        if isinstance(self.screen.focused, Pane):
            self.screen.focused.move(by)
        elif self.screen.focused is self.screen.ask:
            self.screen.prompts.move_marked_line(by)

    def details(self) -> None:
        """Show the details of what is under the mark; else focus the answer field; else show the step's details."""
        screen = self.screen
        subject = screen.focused.details() if isinstance(screen.focused, Pane) else None
        if screen.prompts.answer_marked_line():
            return
        if subject is not None:
            self.show_details(*subject)
        elif screen.asking:
            screen.pane_layout.show_pane("lesson")
            screen.set_focus(screen.ask)
        elif screen.cursor:
            self.show_details("step", screen.cursor)
        else:
            screen.say(*first_step_notice(screen))

    def show_details(self, subject: str, ref: int) -> None:
        """Open the details of a `tensor`, `node` or `step`."""
        from tutor.ui.screens.details import details_sheet

        self.screen.app.push_screen(details_sheet(self.screen, subject, ref))

    def chart(self) -> None:
        """Chart the tensor under the mark, or remove it; in the chart, remove what was added last."""
        screen = self.screen
        if screen.focused is screen.chart:
            removed = screen.chart.curves.remove_last()
            message = (
                _("{name} is charted no more", name=clean(removed)) if removed else _("nothing was added to the chart")
            )
            screen.say((message, "quiet"))
            return
        subject = screen.focused.details() if isinstance(screen.focused, Pane) else None
        tensor = self._row_tensor(*subject) if subject is not None else None
        if tensor is None:
            text = N_("to chart a tensor put the mark on it: {tab} to the pane, {arrows} to its row, {c}")
            screen.say(*styled(text, tab=("Tab", "key"), arrows=("↑ ↓", "key"), c=("c", "key")))
        else:
            self.chart_tensor(tensor)

    def chart_tensor(self, tensor: int, element: tuple[int, str] | None = None) -> None:
        """Chart a tensor, or an element (place and index as text) of it; remove it if it is charted already."""
        screen = self.screen
        toggled = screen.chart.curves.toggle(screen.timeline, screen.timeline.state(screen.cursor), tensor, element)
        if toggled is None:
            screen.say((_("this cannot be charted: complex, or there are enough curves already"), "quiet"))
            return
        name, is_charted = toggled
        if is_charted and screen.focused is not screen.graph:
            screen.front["right"] = "chart"
        text = N_("{name} is charted") if is_charted else N_("{name} is charted no more")
        screen.say(*styled(text, name=(clean(name), "value")))

    def _row_tensor(self, subject: str, ref: int) -> int | None:
        """Return the tensor of a row: of a node, the one that it computed."""
        if subject == "tensor":
            return ref
        node = self.screen.timeline.state(self.screen.cursor).nodes.get(ref) if subject == "node" else None
        return None if node is None else node.tensor

    # ------------------------------------------------------------ other keys

    def stop(self) -> None:
        """Stop the program."""
        if not self.screen.stop_program():
            self.screen.say((_("nothing runs"), "quiet"))

    def rerun(self) -> None:
        """Run the program again; the answers stay."""
        if self.screen.session is not None and not self.screen.running:
            self.screen.runner.rerun()

    def help(self) -> None:
        from tutor.ui.screens.help import help_sheet

        self.screen.app.push_screen(help_sheet())

    def leave(self) -> None:
        """Undo one thing: the prompt, the input, the mark, the zoom, or the lesson."""
        screen = self.screen
        focused = screen.focused
        if screen.prompt.purpose:
            screen.prompts.close()
        elif isinstance(focused, Input):
            screen.pane_layout.focus_pane()
        elif isinstance(focused, Pane) and focused.chosen is not None:
            focused.mark(None)
        elif screen.zoomed:
            self.zoom()
        else:
            self.to_the_list()


class LessonScreen(Screen[None]):
    """Shows a recording, while it grows and after, at the step of the cursor."""

    BINDINGS = bindings()
    AUTO_FOCUS = ""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """The focused widget. Widgets draw their focus themselves; Textual would redraw the whole screen."""

    cursor = var(0, init=False)
    """The current step. Everything else on the screen follows from it."""

    status = property(exit_status)

    def __init__(
        self, target: Target, *, session: Session | None, timeline: Timeline | None, language: str = "en"
    ) -> None:
        super().__init__()
        self.target = target
        self.session = session
        self.timeline = timeline if timeline is not None else session.timeline if session is not None else Timeline()
        self.language = language
        self.gate = Gate(None)
        self.study = Study(target, self.gate)
        self.player = Player(self)
        self.prompts = Prompts(self)
        self.runner = Runner(self)
        self.whatif = WhatIf(self)
        self.exercises = Exercises(self)
        self.file_watcher = FileWatcher(self)
        self.commands = Commands(self)
        self.pane_layout = PaneLayout(self)
        self.linker = CrossHighlighter(self)
        self.pacer = RedrawScheduler(self, self.update_screen)
        self.follow = False
        """Whether the cursor follows a program that runs."""
        self.zoomed: str | None = None
        self.front = {"left": "lesson", "right": "graph"}
        """The pane in front of each group that shares a region."""
        self.notice: Sequence[Piece] = ()
        """What replaces the explanation until the next step."""
        self.passing = False
        """Whether the notice holds only until more is recorded."""
        self.lesson, self.code, self.output = LessonPane(), CodePane(), OutputPane()
        self.graph, self.tensors, self.chart = GraphPane(), TensorsPane(), ChartPane()
        self.panes: dict[str, Pane] = {
            pane.NAME: pane
            for pane in (self.lesson, self.code, self.output, self.graph, self.tensors, self.chart)
        }  # fmt: skip
        self.ask, self.prompt, self.label = AnswerInput(), Prompt(), PromptLabel()
        self.header, self.explain, self.timebar, self.keyline = TitleBar(), Explain(), TimeBar(), KeyLine()
        self.small = TooSmall()
        self.shown: object = None
        """What the panes show; None makes all of them draw again."""

    # ------------------------------------------------------------ mounting and recording

    def compose(self) -> ComposeResult:
        # Widgets that come and go are first: Textual numbers them from the end, and redraws those whose number changes.
        yield from (self.small, self.label, self.prompt, self.ask)
        yield from self.panes.values()
        yield from (self.header, self.explain, self.timebar, self.keyline)

    def on_mount(self) -> None:
        self.lesson.language = self.language
        self._adopt_document()
        self.pane_layout.update()
        self.set_focus(self.pane_layout.leading)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())
        if self.session is not None:
            self.runner.begin(self.session)
            self.file_watcher.start()
            self.call_after_refresh(prepare)  # while the worker imports torch
        self.update_soon()

    def recording_grew(self) -> None:
        """Handle a growing recording."""
        if not self.is_mounted:
            return
        self._adopt_document()
        self.study.check_answers(self.timeline)
        if self.passing:
            self.notice, self.passing = (), False
        self.runner.restore_cursor()
        self.exercises.recording_grew()
        self.pacer.later()

    def _adopt_document(self) -> None:
        """Set up the prose and the questions as soon as the recording has the document."""
        document = self.timeline.document
        if document is not None and self.gate.document is not document:
            self.gate = Gate(document)
            self.study.settle_answers(self.gate)
            self.lesson.gate, self.lesson.answered = self.gate, self.study.answers
            self.lesson.exercise_status = self.exercises.standing

    def on_unmount(self) -> None:
        self.player.pause()
        self.study.save_position(self.cursor)

    # ------------------------------------------------------------ the cursor and its limit

    @property
    def limit(self) -> int:
        """The last step that the cursor may reach."""
        self._adopt_document()  # its questions hold as soon as it is there
        return self.gate.last_step(self.timeline)

    @property
    def asking(self) -> bool:
        """Whether a question waits for an answer at the cursor."""
        return self.gate.question_at(self.timeline, self.cursor) is not None

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self.session is not None and self.session.phase != "ended"

    def validate_cursor(self, step: int) -> int:
        return max(0, min(step, self.limit))

    def watch_cursor(self) -> None:
        self.notice = ()
        self.update_soon()

    def say(self, *pieces: Piece, passing: bool = False) -> None:
        """Show a notice until the next step; with `passing`, until more is recorded."""
        self.notice, self.passing = pieces, passing
        self.update_soon()

    # ------------------------------------------------------------ drawing

    def update_soon(self) -> None:
        """Schedule an update once all pending input is handled, so that held keys do not pile up."""
        self.pacer.soon()

    def update_screen(self) -> None:
        """Update the screen from the recording and the cursor."""
        if not self.is_mounted:
            return
        if self.follow:
            self.cursor = self.limit
        self.study.record_step(self.cursor, self.timeline, self.running)
        self.lesson.seen = self.study.furthest
        self.pane_layout.follow_step()
        question = self.gate.question
        self.code.reveal = self.gate.last_revealed_cell
        self.tensors.asking = self.asking
        self.chart.limit = self.limit if question is not None else None
        self.pane_layout.update()
        if layout.too_small(*self.size):
            return
        key = (
            self.cursor,
            min(self.timeline.steps, self.cursor + 1),
            question,
            self.lesson.seen,
            dict(self.study.answers),
        )
        for pane in self.panes.values():
            # A growing recording does not change earlier steps; only curves grow.
            if key != self.shown or pane is self.chart:
                pane.show(self.timeline, self.cursor)
        self.shown = key
        self.linker.update()
        self.header.show(*title_facts(self))
        self.explain.show(self.notice or explanation(self))
        self.timebar.show(self.timeline, self.cursor, self.limit)
        self._show_keys()

    def watch_focused(self) -> None:
        """Update the key line: the possible keys depend on the focus."""
        if self.is_mounted and not layout.too_small(*self.size):
            self._show_keys()

    def _show_keys(self) -> None:
        enter_label = self.prompts.enter_action
        self.keyline.show(
            possible_hints(partial(is_possible, self)) if enter_label is None else typing_hints(enter_label)
        )

    def speak(self, language: str) -> None:
        """Change the language, and draw everything again."""
        self.language = self.lesson.language = language
        self.lesson.clear_cache()
        self.shown, self.notice = None, ()
        self.keyline.paint()
        self.small.paint()
        if self.prompt.purpose:
            self.prompts.update_texts()
        self.update_soon()

    def recolour(self) -> None:
        """Draw everything again in the colours of the new theme."""
        for surface in (*self.panes.values(), self.header, self.explain, self.timebar, self.keyline):
            surface.repaint()

    # ------------------------------------------------------------ messages and keys

    def on_resize(self) -> None:
        self.update_soon()

    def on_step_picked(self, message: StepPicked) -> None:
        self.player.pause()
        self.follow = False
        self.cursor = message.step

    def on_tab_clicked(self, message: TabClicked) -> None:
        self.pane_layout.show_pane(message.name)

    def on_key_picked(self, message: KeyPicked) -> None:
        self.commands.do(message.action)

    def on_mark_moved(self) -> None:
        self.linker.update()
        if self.prompts.marked_line() or self.code.clipped_line():
            self.notice = ()
        self.explain.show(self.notice or explanation(self))
        self._show_keys()

    def on_details_asked(self, message: DetailsAsked) -> None:
        self.commands.show_details(message.subject, message.ref)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.prompts.submitted(event)

    def action_do(self, key: str) -> None:
        """Perform the action of a key."""
        self.commands.do(key)

    def on_key(self, event: events.Key) -> None:
        """Begin an answer with a key that can only belong to one."""
        if self.asking and not isinstance(self.focused, Input) and self.prompts.begin_answer(event.character):
            event.stop()

    def typed_ahead(self, event: events.Key) -> bool:
        """Insert a letter that was typed before the input had the focus; return whether it was one."""
        if not isinstance(self.focused, Input) or not event.is_printable or event.character is None:
            return False
        self.focused.insert_text_at_cursor(event.character)
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave all keys to a focused input but Esc, Tab and the arrows; Enter arrives as a message."""
        if action == "do" and isinstance(self.focused, Input):
            return parameters[0] in ("leave", "next_pane", "previous_pane", "up", "down")
        return True

    # ------------------------------------------------------------ what the commands need

    @property
    def waiting(self) -> str:
        """What the program is doing while there is nothing more to show."""
        phases = {"starting": _("starting Python …"), "importing": _("importing torch …"), "running": _("running …")}
        return phases.get(self.session.phase, "") if self.session is not None else ""

    def stop_program(self) -> bool:
        """Stop the program; return whether it ran."""
        if self.session is None or not self.running:
            return False
        self.say((_("stopping …"), "quiet"))
        self.run_worker(self.session.stop(), group="stop")
        return True

    @property
    def owner(self) -> GradtutorApp:
        """The app, with its own type."""
        return cast("GradtutorApp", self.app)
