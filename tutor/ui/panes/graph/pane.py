"""The graph pane: the autograd graph as it grows, and the gradients that the backward pass sends through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutor.i18n import N_, _, ngettext
from tutor.text_width import width
from tutor.trace import events as ev
from tutor.trace.state import State
from tutor.ui.bindings import pane_bindings
from tutor.ui.panes.base import Pane, Said, SettingChanged
from tutor.ui.panes.graph.lanes import Graph, NodeRow
from tutor.ui.panes.graph.model import GraphModel
from tutor.ui.panes.graph.views import LanesView, View, ViewSelector
from tutor.ui.render.segments import Row

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline
    from tutor.ui.panes.base import Linked


_LEVELS = (
    N_("the graph of what computes: without views, data and numbers"),
    N_("the graph with its views (view, transpose, expand); without data and numbers"),
    N_("the whole graph, with its views, data and numbers"),
)
"""By level of detail: what is shown."""


class GraphPane(Pane):
    """The graph at the cursor, as lanes, as boxes, or as a node with its neighbours."""

    BINDINGS = pane_bindings(
        into=("fold(True)", N_("open the module under the mark")),
        out=("fold(False)", N_("close the module around the node under the mark")),
        details=("fold(True)", N_("open the module under the mark")),
        view=("next_view", N_("lanes, boxes, or one node with those around it")),
        others=("next_level", ""),
    )
    NAME = N_("graph")
    VALUES = True
    CHOOSES = True

    def __init__(self) -> None:
        super().__init__()
        self.model = GraphModel()
        self.views = ViewSelector()
        self._graph = Graph((), (), _no_row, _unchanged)
        self._view: View | None = None
        self._place: dict[int, int] = {}
        self._placed: Sequence[int] = ()
        self._centre: int | None = None
        """The node that the view shows: the current one, or the selected one since."""
        self._title: Row = ()
        self._totals: dict[int, int] = {}
        self._hint = ""

    def is_used(self, timeline: Timeline) -> bool:
        return any(meta.requires_grad for meta in timeline.definitions.metas.values())

    def prepare(self) -> None:
        timeline = self.timeline
        if timeline is None:
            return
        graph = self._graph = self.model.at(timeline, self.cursor)
        state = self.model.state
        event = timeline.event(self.cursor) if self.cursor else None
        if self._placed is not graph.nodes:
            self._placed = graph.nodes
            self._place = {node: index for index, node in enumerate(graph.nodes)}
        if graph.now is not None or self._centre not in self._place:
            self._centre = graph.now if graph.now is not None else graph.nodes[-1] if graph.nodes else None
        self._title = self._heading(state, event)
        self._hint = "" if graph.nodes else _("leaves and operations appear here")
        if state.full:
            self._hint = _("the recording was full: there is no graph of what ran after")
        self._lay_out()

    def _lay_out(self) -> None:
        self._view = self.views.view(self._graph, self._centre, self.inner, self.page, self.glyphs, self._view)

    def action_next_view(self) -> None:
        """Turn to the newer graph, or back to the pass and to the next view; say what is shown."""
        if self.model.has_newer and not self.model.shows_newer:
            self.turn()
            return
        self.model.shows_newer = False
        view = self.views.next_view(self._view.name if self._view is not None else "lanes")
        self.top = 0
        self.update()
        self.post_message(SettingChanged("graph", view))
        messages = {"focus": _("one node of the graph, with those around it"), "boxes": _("the graph as boxes")}
        message = messages.get(view, _("the graph as lanes"))
        if self.views.refused:
            message = f"{_(self.views.refused)}: {_('the graph as lanes')}"
        self.post_message(Said([(message, "quiet")]))

    def turn(self) -> None:
        """Turn from the last pass to the newer graph, or back."""
        newer = self.model.shows_newer = not self.model.shows_newer
        self.update()
        message = _("the graph of what ran since the pass") if newer else _("the graph of the last pass")
        self.post_message(Said([(message, "quiet")]))

    def _heading(self, state: State, event: ev.Event | None) -> Row:
        last = state.last_pass
        if self.model.has_newer and last is not None:
            newer = self.model.shows_newer
            titles = (_("pass {number}", number=last.number), not newer), (_("forward"), newer)
            return tuple((f" {title} ", "tab" if active else "quiet") for title, active in titles)
        if last is None or not state.showing_pass:
            return ((_("forward"), "value"),) if state.shown else ()
        text = N_("backward pass {number}") if last.call == "backward" else N_("autograd.grad, pass {number}")
        if self.tabs:  # less room beside tabs
            text = N_("pass {number}")
        title = _(text, number=last.number)
        if not last.ran:
            return ((title, "grad"),)
        if not last.running and not isinstance(event, ev.BackwardEnd):
            return self.join_heading(((title, "grad"),), ((_("over"), "quiet"),))
        place = _("node {number} of {count}", number=len(last.ran), count=self._total(state))
        return self.join_heading(((title, "grad"),), ((place, "quiet"),))

    def _total(self, state: State) -> int:
        """Return how many nodes this pass runs: as recorded if it has ended, else the number of visible nodes."""
        assert state.last_pass is not None
        assert self.timeline is not None
        number = state.last_pass.number
        if number not in self._totals:
            info = next((info for info in self.timeline.passes if info.number == number), None)
            if info is None or info.end_step is None:
                return max(len(state.shown), len(state.last_pass.ran))
            last_pass = self.timeline.state(info.end_step).last_pass
            self._totals[number] = len(last_pass.ran) if last_pass is not None else len(state.last_pass.ran)
        return self._totals[number]

    def _click_title(self, x: int) -> None:
        """Turn to the graph whose tab in the heading was clicked."""
        start = 0
        for piece in self._shown[0] if self._shown else ():
            end = start + width(piece[0])
            if start <= x < end and self.model.has_newer and piece in self._title and piece[1] == "quiet":
                self.turn()
                return
            start = end
        super()._click_title(x)

    def heading(self) -> Row:
        if self._view is None or not self._graph.nodes:
            return self._title
        count = self.model.hidden_views
        hidden = ((ngettext("{count} view hidden", "{count} views hidden", count), "quiet"),) if count else ()
        return self.join_heading(hidden, self._view_heading())

    def _view_heading(self) -> Row:
        """Return the title, with the view unless it is the usual one."""
        assert self._view is not None
        name = _(self._view.name)
        if self._view.name == "lanes" and self.views.wanted is None and not self.views.refused:
            return self._title
        view_name = ((f"{name}, {_(self.views.refused)}" if self.views.refused else name, "quiet"),)
        return self.join_heading(view_name, self._title) if self.tabs else self.join_heading(self._title, view_name)

    def rows(self, width: int, height: int) -> list[Row]:
        if self._view is not None and self.failure is None:
            self._bound()
            self.model.mark_path(self._selected_nodes())
            self._view.prepare_rows(self.top, self.page, self.inner)
        return super().rows(width, height)

    def _selected_nodes(self) -> list[int]:
        """Return the selected node of this pane, or those that belong to the selection in another one."""
        if self.has_focus:
            return [] if self.chosen is None or self.chosen >= self.choices() else [self._graph.nodes[self.chosen]]
        linked = self.linked
        places = (self.place_of("node", node) for node in linked.nodes) if linked is not None and linked.chosen else ()
        return [self._graph.nodes[place] for place in places if place is not None]

    def count(self) -> int:
        return self._view.count() if self._view is not None and self._graph.nodes else 1

    def row(self, index: int, cells: int) -> Row:
        if self._view is None or not self._graph.nodes:
            return ((self._hint, "note"),)
        chosen = None if self.chosen is None or not self.has_focus else self._graph.nodes[self.chosen]
        return self._view.row(index, cells, chosen)

    def in_view(self) -> int | None:
        return None if self._graph.now is None or self._view is None else self._view.row_of(self._graph.now)

    # ------------------------------------------------------------ selection

    def subject(self, index: int) -> tuple[str, int] | None:
        return self.model.subject(self._graph.nodes[index]) if index < len(self._graph.nodes) else None

    def choices(self) -> int:
        return len(self._graph.nodes)

    def first_choice(self) -> int:
        return self._place.get(self._centre, 0) if self._centre is not None else 0

    def row_of(self, choice: int) -> int | None:
        return None if self._view is None else self._view.row_of(self._graph.nodes[choice])

    def choice_at(self, index: int, column: int) -> int | None:
        node = None if self._view is None else self._view.node_at(index, column)
        choice = None if node is None else self._place.get(node)
        return choice if choice is not None and self.subject(choice) is not None else None

    def is_marked(self, index: int) -> bool:
        return index == self.chosen and isinstance(self._view, LanesView)

    def place_of(self, subject: str, ref: int) -> int | None:
        item = self.model.item_of(subject, ref)
        return None if item is None else self._place.get(item)

    def set_linked(self, linked: Linked) -> None:
        super().set_linked(linked)
        self.model.linked = linked.nodes

    def linked_row(self) -> int | None:
        """Return the row of the selection in another pane, and centre the view on it."""
        nodes = self.linked.nodes if self.linked is not None else ()
        places = [place for node in nodes if (place := self.place_of("node", node)) is not None]
        if not places:
            return None
        self._centre = self._graph.nodes[min(places)]
        self._lay_out()
        return self.row_of(min(places))

    def choose(self, choice: int) -> None:
        self._centre = self._graph.nodes[choice]
        self._lay_out()
        row = self.row_of(choice)
        if row is not None:
            self._bring_into_view(row)
        self.mark(choice)

    # ------------------------------------------------------------ options

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys that go into a module and out of it to the screen where there is none."""
        return action != "fold" or self.can_fold(bool(parameters[0]))

    def action_next_level(self) -> None:
        """Show more of the graph: views, then inputs without gradient and constants; then the least again."""
        level = self.model.next_level()
        self.update()
        self.post_message(Said([(_(_LEVELS[level]), "quiet")]))

    def can_fold(self, inward: bool) -> bool:
        """Return whether the selection is a closed module (`inward`), or is inside an open one."""
        if self.chosen is None or self.chosen >= len(self._graph.nodes):
            return False
        number = self._graph.nodes[self.chosen]
        return self.model.can_open(number) if inward else self.model.can_close(number)

    def action_fold(self, inward: bool) -> None:
        """Open the selected module (`inward`), or close the one around the selection."""
        assert self.chosen is not None
        number = self._graph.nodes[self.chosen]
        node = self.model.open(number) if inward else self.model.close(number)
        if node is not None:
            self._marked = ("node", node)
            self.update()
            if self.chosen is not None:
                self.choose(self.chosen)


def _no_row(node: int) -> NodeRow:
    raise KeyError(node)


def _unchanged(row: NodeRow, value: int, grad: int) -> NodeRow:
    return row
