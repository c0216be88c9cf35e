"""What the keys of the lesson screen do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widgets import Input

from tutor.i18n import N_, _, ngettext
from tutor.ui import moves
from tutor.ui.draw import places
from tutor.ui.draw.phrase import phrase
from tutor.ui.draw.row import clean
from tutor.ui.panes.pane import Pane
from tutor.ui.telling import first_step, gate_said

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


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
        names = [name for name in places.PANES if screen.gate.prose or name != "lesson"]
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
        from tutor.ui.about.sheet import about

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
