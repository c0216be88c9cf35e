"""What the keys of the lesson screen do.

The lesson screen: it holds the cursor, hands it to the panes, and acts on what they tell."""

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
from tutor.ui.bars import Explain, KeyLine, TimeBar, TitleBar, TooSmall, facts, first_step, gate_said, said, status
from tutor.ui.bindings import bindings, hints_now, hints_of_typing, works
from tutor.ui.layout import Arranger
from tutor.ui.panes.base import DetailsAsked, KeyPicked, Pane, StepPicked, TabClicked
from tutor.ui.panes.chart import ChartPane
from tutor.ui.panes.code import CodePane
from tutor.ui.panes.graph.pane import GraphPane
from tutor.ui.panes.highlight import Linker
from tutor.ui.panes.inputs import Ask, Prompt, PromptLabel, Prompts
from tutor.ui.panes.lesson import LessonPane
from tutor.ui.panes.output import OutputPane
from tutor.ui.panes.playback import Pacer, Player
from tutor.ui.panes.tensors import TensorsPane
from tutor.ui.render.segments import Piece, clean, phrase
from tutor.ui.screens.exercises import Exercising
from tutor.ui.screens.file_watcher import Reloader
from tutor.ui.screens.run_control import Runner, WhatIf

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.ui.app import GradtutorApp


class Commands:
    """One function for each key in `keys.KEYS`."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._does: dict[str, Callable[[], object]] = {
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
            "hint": screen.exercising.hint,
            "solution": screen.exercising.solution,
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
        """Do what a key does."""
        if key in ("into", "out") and self.fold(key):
            return
        if key in moves.MOVES:
            self.walk(key)
        else:
            self._does[key]()

    # ------------------------------------------------------------ walking

    def walk(self, key: str) -> None:
        """A step of one of the kinds in `moves.MOVES`."""
        screen = self.screen
        screen.player.pause()
        screen.follow = False
        timeline, here = screen.timeline, screen.cursor
        found = moves.MOVES[key](timeline, here)
        if found is None and key == "next_cell" and here < timeline.steps:
            found = timeline.steps
        ahead = not key.startswith(("back", "previous", "out"))
        if found is None and screen.asking and ahead:
            self.say_gate()
        elif found is None:
            waits = screen.running and ahead
            screen.say((screen.waiting if waits else moves.nowhere(screen.timeline, key), "quiet"), passing=waits)
        elif found > screen.limit:
            stuck = here == screen.limit
            screen.cursor = screen.limit
            if stuck:
                self.say_gate()
        else:
            screen.cursor = found

    def bracket(self) -> None:
        """The cell before; where a question is open, the beginning of a list."""
        if not (self.screen.asking and self.screen.prompts.begin("[")):
            self.walk("previous_cell")

    def say_gate(self) -> None:
        """Why it does not go on."""
        self.screen.places.bring("lesson")
        self.screen.say(*gate_said())

    def to_the_list(self) -> None:
        """From a lesson to the others; a script of one's own has none."""
        if self.screen.target.kind == "lesson":
            self.screen.owner.leave()
        else:
            self.screen.say(*phrase("{q} quits", q=("q", "key")))

    def go_to(self, step: int) -> None:
        """To a step that was picked."""
        self.screen.player.pause()
        self.screen.follow = False
        self.screen.cursor = step

    def first(self) -> None:
        self.go_to(0)

    def last(self) -> None:
        """To the end; along with a program that runs."""
        self.screen.player.pause()
        self.screen.follow = self.screen.running
        if self.screen.asking:
            self.say_gate()
        self.screen.cursor = self.screen.limit

    def play(self) -> None:
        self.screen.follow = False
        self.screen.player.toggle()
        self.screen.soon()

    def pace(self, by: int) -> None:
        self.screen.player.change(by)
        self.screen.say(
            (ngettext("{count} step a second", "{count} steps a second", self.screen.player.speed), "quiet")
        )

    # ------------------------------------------------------------ panes

    def turn_panes(self, by: int) -> None:
        """The focus goes to the next pane; where panes share a place, that one comes to the front."""
        screen = self.screen
        names = [name for name in layout.PANES if screen.gate.has_prose or name != "lesson"]
        if screen.asking:
            names.insert(1, "ask")
        here = screen.focused.id if screen.focused is not None else None
        name = names[(names.index(here) + by) % len(names)] if here in names else names[0]
        if name == "ask":
            screen.places.bring("lesson")
            screen.ask.focus()
        else:
            screen.places.bring(name)

    def zoom(self) -> None:
        screen = self.screen
        focused = screen.focused
        screen.zoomed = focused.NAME if screen.zoomed is None and isinstance(focused, Pane) else None
        screen.soon()

    def change_view(self) -> None:
        """The next view of the chart, where it has the focus; else of the graph, which comes to the front for it."""
        if self.screen.focused is self.screen.chart:
            self.screen.say((self.screen.chart.next_view(), "quiet"))
            return
        if not self.screen.graph.display:
            self.screen.places.bring("graph")
        self.screen.say((self.screen.graph.next_view(), "quiet"))

    def fold(self, key: str) -> bool:
        """Open the module that the mark stands on in the graph, or close the one around it; whether there is one."""
        graph = self.screen.graph
        return self.screen.focused is graph and graph.fold(key == "into")

    def show_others(self) -> None:
        """Data and numbers in the graph, or none."""
        shown = self.screen.graph.toggle_others()
        said = (
            _("what needs no gradient is shown in the graph")
            if shown
            else _("what needs no gradient is hidden in the graph")
        )
        self.screen.say((said, "quiet"))

    def move_in_pane(self, by: int) -> None:
        if isinstance(self.screen.focused, Pane):
            self.screen.focused.move(by)
        elif self.screen.focused is self.screen.ask:
            self.screen.prompts.point(by)

    def details(self) -> None:
        """About what the mark of the pane stands on; else the answer, if one is asked for; else about the step."""
        screen = self.screen
        found = screen.focused.details() if isinstance(screen.focused, Pane) else None
        if screen.prompts.points():
            return
        if found is not None:
            self.show_details(*found)
        elif screen.asking:
            screen.places.bring("lesson")
            screen.set_focus(screen.ask)
        elif screen.cursor:
            self.show_details("step", screen.cursor)
        else:
            screen.say(*first_step(screen))

    def show_details(self, subject: str, ref: int) -> None:
        """Everything about a tensor, a node or a step, on a sheet."""
        from tutor.ui.screens.details import about

        self.screen.app.push_screen(about(self.screen, subject, ref))

    def chart(self) -> None:
        """Chart what the mark stands on, or no more; on the chart itself, take back what was added last."""
        screen = self.screen
        if screen.focused is screen.chart:
            gone = screen.chart.charted.take_back()
            said = _("{name} is charted no more", name=clean(gone)) if gone else _("nothing was added to the chart")
            screen.say((said, "quiet"))
            return
        found = screen.focused.details() if isinstance(screen.focused, Pane) else None
        tensor = self._tensor_of(*found) if found is not None else None
        if tensor is None:
            text = N_("to chart a tensor put the mark on it: {tab} to the pane, {arrows} to its row, {c}")
            screen.say(*phrase(text, tab=("Tab", "key"), arrows=("↑ ↓", "key"), c=("c", "key")))
        else:
            self.chart_tensor(tensor)

    def chart_tensor(self, tensor: int, element: tuple[int, str] | None = None) -> None:
        """Chart a tensor over time, or one element of it; where it is charted, no more."""
        screen = self.screen
        told = screen.chart.charted.toggle(screen.timeline, screen.timeline.state(screen.cursor), tensor, element)
        if told is None:
            screen.say((_("this cannot be charted: complex, or there are enough curves already"), "quiet"))
            return
        name, charted = told
        if charted and screen.focused is not screen.graph:
            screen.front["right"] = "chart"
        text = N_("{name} is charted") if charted else N_("{name} is charted no more")
        screen.say(*phrase(text, name=(clean(name), "value")))

    def _tensor_of(self, subject: str, ref: int) -> int | None:
        """The tensor of a row: of a node's, the one that it made."""
        if subject == "tensor":
            return ref
        node = self.screen.timeline.state(self.screen.cursor).nodes.get(ref) if subject == "node" else None
        return None if node is None else node.tensor

    # ------------------------------------------------------------ all else

    def stop(self) -> None:
        """Stop the program."""
        if not self.screen.stop_program():
            self.screen.say((_("nothing runs"), "quiet"))

    def rerun(self) -> None:
        """Run the program again; the answers stay."""
        if self.screen.session is not None and not self.screen.running:
            self.screen.runner.again()

    def help(self) -> None:
        from tutor.ui.screens.help import help_sheet

        self.screen.app.push_screen(help_sheet())

    def leave(self) -> None:
        """One thing back: the prompt, the input, the mark, the zoom, the lesson."""
        screen = self.screen
        focused = screen.focused
        if screen.prompt.purpose:
            screen.prompts.close()
        elif isinstance(focused, Input):
            screen.places.focus_pane()
        elif isinstance(focused, Pane) and focused.chosen is not None:
            focused.mark(None)
        elif screen.zoomed:
            self.zoom()
        else:
            self.to_the_list()


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
        self.study.check_answers(self.timeline)
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
            self.study.settle_answers(self.gate)
            self.lesson.gate, self.lesson.given = self.gate, self.study.answers
            self.lesson.standing = self.exercising.standing

    def on_unmount(self) -> None:
        self.player.pause()
        self.study.save_position(self.cursor)

    # ------------------------------------------------------------ where one may be

    @property
    def limit(self) -> int:
        """The last step that may be walked to."""
        self._know_document()  # its questions hold from the moment at which it is there
        return self.gate.last_step(self.timeline)

    @property
    def asking(self) -> bool:
        """Whether a question waits for an answer now."""
        return self.gate.question_at(self.timeline, self.cursor) is not None

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
        self.study.record_step(self.cursor, self.timeline, self.running)
        self.lesson.seen = self.study.furthest
        self.places.turn()
        asked = self.gate.question
        self.code.reveal = self.gate.last_revealed_cell
        self.tensors.asking = self.asking
        self.chart.limit = self.limit if asked is not None else None
        self.places.update()
        if layout.too_small(*self.size):
            return
        at = (self.cursor, min(self.timeline.steps, self.cursor + 1), asked, self.lesson.seen, dict(self.study.answers))
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
        if self.is_mounted and not layout.too_small(*self.size):
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
