"""The lesson screen: it holds the cursor, hands it to the panes, and acts on what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.reactive import Reactive, var
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tutor.i18n import _
from tutor.lesson.markdown import prepare
from tutor.study.flow import Gate
from tutor.study.progress import Study
from tutor.trace.timeline import Timeline
from tutor.ui.arranging import Arranger
from tutor.ui.commands import Commands
from tutor.ui.draw import places
from tutor.ui.draw.row import Piece
from tutor.ui.exercising import Exercising
from tutor.ui.keys import bindings, hints_now, hints_of_typing
from tutor.ui.linking import Linker
from tutor.ui.messages import DetailsAsked, KeyPicked, StepPicked, TabClicked
from tutor.ui.pacer import Pacer
from tutor.ui.panes.chart import ChartPane
from tutor.ui.panes.code import CodePane
from tutor.ui.panes.graph import GraphPane
from tutor.ui.panes.inputs import Ask, Prompt, PromptLabel
from tutor.ui.panes.lesson import LessonPane
from tutor.ui.panes.lines import Explain, KeyLine, TimeBar, TitleBar, TooSmall
from tutor.ui.panes.output import OutputPane
from tutor.ui.panes.pane import Pane
from tutor.ui.panes.tensors import TensorsPane
from tutor.ui.player import Player
from tutor.ui.prompts import Prompts
from tutor.ui.reloading import Reloader
from tutor.ui.runner import Runner
from tutor.ui.telling import facts, said, status
from tutor.ui.whatif import WhatIf
from tutor.ui.works import works

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.ui.app import GradtutorApp


class LessonScreen(Screen[None]):
    """A recording, from its first step to its last, while it grows and after."""

    BINDINGS = bindings()
    AUTO_FOCUS = ""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Who has the focus shows it itself; Textual would send all of the screen again."""

    cursor = var(0, init=False)
    """The step that is now. All else on the screen follows from it."""

    status = property(status)

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
        self.exercising = Exercising(self)
        self.reloader = Reloader(self)
        self.commands = Commands(self)
        self.places = Arranger(self)
        self.linker = Linker(self)
        self.pacer = Pacer(self, self.catch_up)
        self.follow = False
        """Whether the cursor goes along with a program that runs."""
        self.zoomed: str | None = None
        self.front = {"left": "lesson", "right": "graph"}
        """Which pane is to be seen where several share a place."""
        self.notice: Sequence[Piece] = ()
        """What to say instead of the explanation, until the next step."""
        self.passing = False
        """Whether that is only true until more is recorded."""
        self.lesson, self.code, self.output = LessonPane(), CodePane(), OutputPane()
        self.graph, self.tensors, self.chart = GraphPane(), TensorsPane(), ChartPane()
        self.panes: dict[str, Pane] = {
            pane.NAME: pane
            for pane in (self.lesson, self.code, self.output, self.graph, self.tensors, self.chart)
        }  # fmt: skip
        self.ask, self.prompt, self.label = Ask(), Prompt(), PromptLabel()
        self.header, self.explain, self.timebar, self.keyline = TitleBar(), Explain(), TimeBar(), KeyLine()
        self.small = TooSmall()
        self.shown: object = None
        """What the panes show; None draws all of them anew."""

    # ------------------------------------------------------------ beginning and end

    def compose(self) -> ComposeResult:
        # What comes and goes is first: Textual counts from the end, and sends again whatever gets another number.
        yield from (self.small, self.label, self.prompt, self.ask)
        yield from self.panes.values()
        yield from (self.header, self.explain, self.timebar, self.keyline)

    def on_mount(self) -> None:
        self.lesson.language = self.language
        self._know_document()
        self.places.update()
        self.set_focus(self.places.leading)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())
        if self.session is not None:
            self.runner.begin(self.session)
            self.reloader.start()
            self.call_after_refresh(prepare)  # while the worker imports torch
        self.soon()

    def arrived(self) -> None:
        """More of the recording is there."""
        if not self.is_mounted:
            return
        self._know_document()
        self.study.compare(self.timeline)
        if self.passing:
            self.notice, self.passing = (), False
        self.runner.come_back()
        self.exercising.arrived()
        self.pacer.later()

    def _know_document(self) -> None:
        """The prose and the questions, once they are known."""
        document = self.timeline.document
        if document is not None and self.gate.document is not document:
            self.gate = Gate(document)
            self.study.enter(self.gate)
            self.lesson.gate, self.lesson.given = self.gate, self.study.given
            self.lesson.standing = self.exercising.standing

    def on_unmount(self) -> None:
        self.player.pause()
        self.study.leave(self.cursor)

    # ------------------------------------------------------------ where one may be

    @property
    def limit(self) -> int:
        """The last step that may be walked to."""
        self._know_document()  # its questions hold from the moment at which it is there
        return self.gate.limit(self.timeline)

    @property
    def asking(self) -> bool:
        """Whether a question waits for an answer now."""
        return self.gate.asking(self.timeline, self.cursor) is not None

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self.session is not None and self.session.phase != "ended"

    def validate_cursor(self, step: int) -> int:
        return max(0, min(step, self.limit))

    def watch_cursor(self) -> None:
        self.notice = ()
        self.soon()

    def say(self, *pieces: Piece, passing: bool = False) -> None:
        """A word to the learner, until the next step (`passing`: or until more is recorded)."""
        self.notice, self.passing = pieces, passing
        self.soon()

    # ------------------------------------------------------------ drawing

    def soon(self) -> None:
        """Bring the screen up to date once what has come in so far is dealt with: held keys do not pile up."""
        self.pacer.soon()

    def catch_up(self) -> None:
        """Bring the screen up to date with the recording and the cursor."""
        if not self.is_mounted:
            return
        if self.follow:
            self.cursor = self.limit
        self.study.reached(self.cursor, self.timeline, self.running)
        self.lesson.seen = self.study.furthest
        self.places.turn()
        asked = self.gate.question
        self.code.reveal = self.gate.reveal
        self.tensors.asking = self.asking
        self.chart.limit = self.limit if asked is not None else None
        self.places.update()
        if places.too_small(*self.size):
            return
        at = (self.cursor, min(self.timeline.steps, self.cursor + 1), asked, self.lesson.seen, dict(self.study.given))
        for pane in self.panes.values():
            # A step is what it was, however much is recorded after it; only curves grow.
            if at != self.shown or pane is self.chart:
                pane.show(self.timeline, self.cursor)
        self.shown = at
        self.linker.update()
        self.header.show(*facts(self))
        self.explain.show(self.notice or said(self))
        self.timebar.show(self.timeline, self.cursor, self.limit)
        self._show_keys()

    def watch_focused(self) -> None:
        """What the keys do depends on where one is."""
        if self.is_mounted and not places.too_small(*self.size):
            self._show_keys()

    def _show_keys(self) -> None:
        does = self.prompts.does
        self.keyline.show(hints_now(partial(works, self)) if does is None else hints_of_typing(does))

    def speak(self, language: str) -> None:
        """Another language: say all of it anew."""
        self.language = self.lesson.language = language
        self.lesson.forget()
        self.shown, self.notice = None, ()
        self.keyline.paint()
        self.small.paint()
        if self.prompt.purpose:
            self.prompts.speak()
        self.soon()

    def recolour(self) -> None:
        """The theme changed: draw all of it again."""
        for surface in (*self.panes.values(), self.header, self.explain, self.timebar, self.keyline):
            surface.repaint()

    # ------------------------------------------------------------ what the panes tell

    def on_resize(self) -> None:
        self.soon()

    def on_step_picked(self, message: StepPicked) -> None:
        self.player.pause()
        self.follow = False
        self.cursor = message.step

    def on_tab_clicked(self, message: TabClicked) -> None:
        self.places.bring(message.name)

    def on_key_picked(self, message: KeyPicked) -> None:
        self.commands.do(message.action)

    def on_mark_moved(self) -> None:
        self.linker.update()
        if self.prompts.pointing() or self.code.cut_line():
            self.notice = ()
        self.explain.show(self.notice or said(self))
        self._show_keys()

    def on_details_asked(self, message: DetailsAsked) -> None:
        self.commands.show_details(message.subject, message.ref)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.prompts.submitted(event)

    def action_do(self, key: str) -> None:
        """A key was pressed."""
        self.commands.do(key)

    def on_key(self, event: events.Key) -> None:
        """What can only be an answer begins one."""
        if self.asking and not isinstance(self.focused, Input) and self.prompts.begin(event.character):
            event.stop()

    def typed_ahead(self, event: events.Key) -> bool:
        """Take a letter that was typed before the input that it is for had the focus."""
        if not isinstance(self.focused, Input) or not event.is_printable or event.character is None:
            return False
        self.focused.insert_text_at_cursor(event.character)
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In an input only Esc, Enter, Tab and the arrows up and down are ours, and Enter comes as a message."""
        if action == "do" and isinstance(self.focused, Input):
            return parameters[0] in ("leave", "next_pane", "previous_pane", "up", "down")
        return True

    # ------------------------------------------------------------ what the commands need

    @property
    def waiting(self) -> str:
        """What the program is at while there is nothing more to show."""
        phases = {"starting": _("starting Python …"), "importing": _("importing torch …"), "running": _("running …")}
        return phases.get(self.session.phase, "") if self.session is not None else ""

    def stop_program(self) -> bool:
        """Stop the program, if it runs."""
        if self.session is None or not self.running:
            return False
        self.say((_("stopping …"), "quiet"))
        self.run_worker(self.session.stop(), group="stop")
        return True

    @property
    def owner(self) -> GradtutorApp:
        """The app, as what it is."""
        return cast("GradtutorApp", self.app)
