"""The widgets of the lesson screen: where they are, which has the focus, and how they come to show the model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from textual.app import ComposeResult
from textual.geometry import Region
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tutor.i18n import N_, _, current_language, key_label, ngettext
from tutor.study.answer_form import answer_value
from tutor.study.cards import card_at
from tutor.study.commands import is_possible
from tutor.study.model import Model
from tutor.text_width import cut, last_written
from tutor.text_width import width as cells
from tutor.ui import layout
from tutor.ui.bars import Explain, KeyLine, TitleBar, TooSmall
from tutor.ui.bindings import key_hints, typing_hints
from tutor.ui.details.pane import DetailsPane
from tutor.ui.explanation import Room, explanation, title, title_facts
from tutor.ui.panes.base import FRAME, NOTHING_LINKED, Pane, SettingChanged, Surface, Tab
from tutor.ui.panes.card import CardBox, QuestionCard, keys_of
from tutor.ui.panes.chart import ChartPane
from tutor.ui.panes.code import CodePane
from tutor.ui.panes.cross_highlight import CrossHighlighter
from tutor.ui.panes.graph.pane import GraphPane
from tutor.ui.panes.inputs import AnswerInput, ReplyInput
from tutor.ui.panes.lesson import LessonPane
from tutor.ui.panes.output import OutputPane, printed_rows
from tutor.ui.panes.prompt import Prompt, PromptLabel
from tutor.ui.panes.tensors import TensorsPane
from tutor.ui.render.explained import running_rows
from tutor.ui.render.segments import Piece, clean, styled
from tutor.ui.time_bar import TimeBar

_SEARCH = 0.01
"""Seconds for which a recording is searched at a time."""
_REST = 4
"""Idle time per time spent drawing, so that reading the recording takes precedence."""


class PaneScreen(Screen[None]):
    """Shows a walk at the step of its cursor. What the keys do is in `LessonScreen`."""

    AUTO_FOCUS = ""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """The focused widget. Widgets draw their focus themselves; Textual would redraw the whole screen."""

    def __init__(self, model: Model, *, lessons: Path, language: str = "en") -> None:
        """Make the screen.

        Args:
            model: The walk.
            lessons: The folder of the lessons.
            language: The language of the interface.
        """
        super().__init__()
        self.model = model
        self.lessons = lessons
        self.language = language
        self.zoomed: str | None = None
        self.front = {"left": "code", "right": "graph"}
        """The pane in front of each group that shares a region."""
        self.sizes: dict[str, int] = {}
        """Rows that the learner gave to panes, or took from them."""
        self.grown = ""
        """The pane that the learner went to: it is larger."""
        self._folded: frozenset[str] = frozenset()
        """The panes for which the recording had nothing when it was whole."""
        self._most: dict[str, int] = {}
        """The rows that panes need for all that the recording had for them when it was whole."""
        self.notice: Sequence[Piece] = ()
        """What replaces the explanation until the next step."""
        self.passing = False
        """Whether the notice holds only until more is recorded."""
        self.lesson, self.code, self.output = LessonPane(model), CodePane(), OutputPane()
        self.graph, self.tensors, self.chart = GraphPane(), TensorsPane(), ChartPane()
        self.details = DetailsPane(model)
        self.panes: dict[str, Pane] = {
            pane.NAME: pane
            for pane in (self.lesson, self.code, self.output, self.graph, self.tensors, self.chart, self.details)
        }  # fmt: skip
        self._beside_sheet: Widget | None = None
        """What had the focus when the sheet of details was opened."""
        self.ask, self.prompt, self.label = AnswerInput(), Prompt(), PromptLabel()
        self.reply = ReplyInput()
        self.header, self.explain, self.timebar, self.keyline = TitleBar(), Explain(), TimeBar(), KeyLine()
        self.small = TooSmall()
        self.card, self.question_card = CardBox(), QuestionCard(self.lesson.question_rows)
        self._put_away: object = None
        """The step whose card is put away, until the cursor leaves it."""
        self._spoken_of: object = None
        """The text that was read when the chart, of which it speaks, or the graph came to the front."""
        self._chart_came = False
        """Whether the chart did."""
        self._searching = False
        self.shown: object = None
        """What the panes show; None makes all of them draw again."""
        self._highlighter = CrossHighlighter()
        self._placed: object = None
        """What the widgets were placed for."""
        self._regions: dict[str, Region] = {}
        """Where the panes are."""
        self._last_pane = ""
        self._last_leading: Pane | None = None
        self._update_due = self._resting = False
        self._not_before = 0.0

    def compose(self) -> ComposeResult:
        # Widgets that come and go are first: Textual numbers them from the end, and redraws those whose number changes.
        yield from (self.small, self.card, self.question_card, self.label, self.prompt, self.reply, self.ask)
        yield from self.panes.values()
        yield from (self.header, self.explain, self.timebar, self.keyline)

    # ------------------------------------------------------------ when to draw

    def update_soon(self) -> None:
        """Schedule an update once all pending input is handled, so that held keys do not pile up."""
        if not self._update_due:
            self._update_due = True
            self.call_later(self._update)

    def update_later(self) -> None:
        """Schedule an update when the time to rest since the last one is over."""
        delay = self._not_before - perf_counter()
        if delay <= 0:
            self.update_soon()
        elif not self._resting:
            self._resting = True
            self.set_timer(delay, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self.update_soon()

    def _update(self) -> None:
        start = perf_counter()
        try:
            if self.is_mounted:
                self.update_screen()
        finally:
            self._update_due = False
        end = perf_counter()
        self._not_before = end + _REST * (end - start)

    # ------------------------------------------------------------ what to draw

    def update_screen(self) -> None:
        """Update all widgets from the model."""
        model = self.model
        model.record_shown()
        self._follow_step()
        self.code.reveal = model.gate.last_revealed_cell
        self.tensors.asking = model.asking
        question = model.gate.question
        self.chart.limit = model.limit if question is not None else None
        ghost = None if model.runs.ghost is None else model.runs.ghost.timeline
        self.chart.ghost = self.tensors.ghost = ghost
        self._search()
        self._choose_card()
        self._open_spoken_tab()
        self.arrange_widgets()
        if layout.too_small(*self.size):
            self.question_card.display = False
            return
        key = (
            model.cursor,
            min(model.timeline.steps, model.cursor + 1),
            question,
            model.study.furthest,
            dict(model.study.answers),
            [(retry.typed, retry.right) for retry in model.study.retries.values()],
            (model.timeline, model.timeline.document is None, ghost),
        )
        if key != self.shown and self._marked() is None:  # so that panes are drawn once
            linked = self._highlighter.linked(model.timeline, model.cursor, None)
            for pane in self.panes.values():
                pane.set_linked(linked)
        for pane in self.panes.values():
            # A growing recording does not change earlier steps; only curves grow.
            if key != self.shown or pane is self.chart:
                pane.show(model.timeline, model.cursor)
        self.shown = key
        self._place_question()
        if self.details.display:
            self.call_after_refresh(self._update_details)
        self.highlight()
        speed = self.timebar.speed if self.timebar.playing else None
        self.header.show(*title(model, self.language), title_facts(model, self.header.glyphs, speed))
        self.show_explanation()
        problems = [problem.step for problem in model.problems.all(model.limit)]
        self.timebar.show(model.timeline, model.cursor, model.limit, problems)
        self.show_keys()

    def _update_details(self) -> None:
        """Draw the details after all else, so that held keys do not wait for them."""
        if self.is_mounted and not self._update_due:
            self.details.update()
            self.arrange_widgets()

    def _search(self) -> None:
        """Search the recording for problems, a part at a time, between the keys."""
        if not self._searching and not self.model.problems.read(_SEARCH):
            self._searching = True
            # A message to itself would come before all that the event loop has to do: keys, and the drawing of a frame.
            asyncio.get_running_loop().call_soon(self.call_later, self._search_on)

    def _search_on(self) -> None:
        self._searching = False
        if self.is_mounted:
            self._search()
            if not self._searching:
                self.update_soon()

    def _choose_card(self) -> None:
        """Show the card of the step, unless it was put away there."""
        model = self.model
        place = model.timeline, model.cursor, model.question
        if self._put_away != place:
            self._put_away = None
        card = None
        with suppress(Exception):  # a recording may be malformed
            card = None if self._put_away else card_at(model)
        others = any(problem.step != model.cursor for problem in model.problems.all(model.limit))
        keys = keys_of(card, is_possible(model, "edit"), others, is_possible(model, "skip")) if card is not None else []
        self.card.show(card, keys)

    def put_card_away(self) -> bool:
        """Hide the card until the cursor leaves this step; return whether there was one."""
        if not self.card.display and not self.question_card.display:
            return False
        self._put_away = self.model.timeline, self.model.cursor, self.model.question
        self.update_soon()
        return True

    def highlight(self) -> None:
        """Highlight in all panes what belongs to the selection; without one, to the node that runs now."""
        marked = self._marked()
        linked = self._highlighter.linked(self.model.timeline, self.model.cursor, marked)
        for pane in self.panes.values():
            pane.link(NOTHING_LINKED if pane is self.focused and marked is not None else linked)

    def _marked(self) -> tuple[str, int] | None:
        """Return what is selected in the pane with the focus."""
        return self.focused.marked() if isinstance(self.focused, Pane) else None

    @property
    def room(self) -> Room:
        """Where the explanation is shown."""
        rows = max(layout.explanation_rows(self.size.height) - 1 - self.reply.display, 1)
        return Room(self.size.width - 4, rows, self.explain.glyphs, self.language, self.lessons)

    def show_explanation(self) -> None:
        """Show the notice, or else the explanation of the step or of the marked line of code."""
        room = self.room
        if self.notice:
            self.explain.show(running_rows(list(self.notice), room.width, room.rows))
        else:
            rows, following = explanation(self.model, self.marked_answer() or self.code.clipped_line(), room)
            hidden = [] if self.output.display else printed_rows(self.model.timeline, self.model.cursor)
            self.explain.show([*rows, *hidden[-free:]] if (free := room.rows - len(rows)) > 0 else rows, following)

    def show_keys(self) -> None:
        """Show the keys that do something now."""
        field = self.focused
        if isinstance(field, AnswerInput | ReplyInput) or (isinstance(field, Prompt) and field.purpose):
            hints = typing_hints(field.enter_label, ends=isinstance(field, ReplyInput))
        else:
            hints = key_hints(self.active_bindings.values(), field is self.details and self.details.choosing)
        self.keyline.show(hints)

    def watch_focused(self) -> None:
        """Update the key line: the possible keys depend on the focus."""
        if self.is_mounted and not layout.too_small(*self.size):
            self.show_keys()

    def marked_answer(self) -> tuple[int, str] | None:
        """Return the number and text of the marked line of code if a "which line?" question is open, else None."""
        question = self.model.question
        if question is None or question.kind != "line" or self.focused not in (self.code, self.ask):
            return None
        return self.code.line()

    def say(self, *pieces: Piece, passing: bool = False) -> None:
        """Show a notice until the next step; with `passing`, until more is recorded."""
        self.notice, self.passing = pieces, passing
        self.update_soon()

    def speak(self, language: str) -> None:
        """Change the language, and draw everything again."""
        self.language = self.lesson.language = language
        self.lesson.clear_cache()
        self.shown, self.notice = None, ()
        self.keyline.paint()
        self.card.paint()
        self.small.paint()
        self.label_prompt()
        self.update_soon()

    def recolour(self) -> None:
        """Draw everything again in the colours of the new theme."""
        for surface in self.query(Surface):
            surface.repaint()

    # ------------------------------------------------------------ places

    def _follow_step(self) -> None:
        """Give the keys ↑ and ↓ to the lesson while one reads, and to the code while it runs."""
        if self.current_pane != self._last_pane:
            self._last_pane = self.current_pane
            if self.zoomed in ("lesson", "code"):
                self.zoomed = self.current_pane
        if self.leading != self._last_leading:
            self._last_leading = self.leading
            if self.focused in (self.lesson, self.code):
                self.set_focus(self._last_leading)

    @property
    def leading(self) -> Pane:
        """The pane that gets the focus, and so the up and down keys, unless the learner chooses another one."""
        question = self.model.question
        pointing = question is not None and question.kind == "line"
        return self.lesson if self.current_pane == "lesson" and self._has_prose and not pointing else self.code

    @property
    def current_pane(self) -> str:
        """The pane that belongs to the current step: `lesson` or `code`."""
        return "lesson" if self.model.gate.is_reading_time(self.model.timeline, self.model.cursor) else "code"

    @property
    def _has_prose(self) -> bool:
        """Whether there is a lesson pane, also before its text is there."""
        is_coming = self.model.timeline.document is None and self.model.target.kind == "lesson"
        return self.model.gate.has_prose or is_coming

    def _rooms(self) -> layout.Rooms:
        """Return what changes the heights of panes: one is folded if the whole recording has nothing for it, and the
        output is not higher than all that is printed.
        """
        if self.model.timeline.run_end is not None:
            timeline = self.model.timeline
            folded = frozenset(name for name, pane in self.panes.items() if not pane.is_used(timeline))
            if folded != self._folded and "graph" in folded and "chart" not in folded:
                self.front["right"] = "chart"  # where there is no graph, what the program draws is to be seen
            self._folded = folded
            rows = self.output.rows_needed(timeline, layout.left_width(*self.size))
            self._most = {} if rows is None else {"output": rows}
        return layout.Rooms(self.grown, self._folded, dict(self.sizes), self._most)

    def arrange_widgets(self) -> None:
        """Move and resize all widgets, if anything that matters has changed."""
        question = self.model.question
        width, height = self.size
        is_small, wide = layout.too_small(width, height), layout.is_wide(width, height)
        left = layout.left_width(width, height)
        self._set_tabs(wide)
        card = self.card.wanted_height(left if wide or self._has_prose else width)
        is_reading = self.current_pane == "lesson"
        card = 0 if self.zoomed or is_reading or is_small else card
        rooms = self._rooms()
        sheet = None
        self.details.is_open &= not layout.details_width(width, height)
        if self.details.is_open and not is_small:
            full = layout.sheet_region(width, height, self.details.wanted, height)
            rows = self.details.height_on_sheet(full.width - FRAME)
            sheet = layout.sheet_region(width, height, self.details.wanted, rows)
        key = (
            self.size, question, self.model.waiting, dict(self.front), self.zoomed, self._has_prose, rooms,
            current_language(), card, sheet,
        )  # fmt: skip
        if key == self._placed:
            return
        self._placed = key
        ask_height = 0 if question is None else layout.ASK if wide else layout.BRIEF
        regions = {} if is_small else layout.pane_regions(
            width, height, front=self.front, zoomed=self.zoomed, asking=ask_height, prose=self._has_prose, rooms=rooms,
        )  # fmt: skip
        regions = self._regions = layout.with_card(regions, card)
        self.details.floating = sheet is not None
        self.details.seams = layout.seams(sheet, regions) if sheet is not None else ()
        regions |= {"details": sheet} if sheet is not None else {}
        if question is not None:
            value = answer_value(self.model.gate, self.model.timeline, question)
            self.ask.ask_for(question, framed=wide, glyphs=self.header.glyphs, value=value)
        for name, widget in (*self.panes.items(), ("ask", self.ask), ("card", self.card)):
            widget.display = name in regions
            if name in regions:
                _place(widget, regions[name])
        bars = layout.bar_rows(height)
        for bar, y, rows in (
            (self.header, 0, layout.HEAD), (self.timebar, height - bars, bars - 1), (self.keyline, height - 1, 1),
        ):  # fmt: skip
            bar.display = not is_small
            _place(bar, Region(0, y, width, rows))
        self.small.display = is_small
        _place(self.small, Region(0, 0, width, height))
        self.place_prompt()
        if not is_small and (self.focused is None or (isinstance(self.focused, Pane) and not self.focused.display)):
            self.focus_pane()

    def _open_spoken_tab(self) -> None:
        """Bring the chart to the front while one reads a text that speaks of it, and then the graph again."""
        timeline, cursor = self.model.timeline, self.model.cursor
        texts, is_used = self.model.gate.texts_at(timeline, cursor, self.language), self.chart.is_used(timeline)
        if self._spoken_of == (texts, is_used):
            return
        is_spoken_of = is_used and any(_(self.chart.NAME) in text for text in texts)
        if is_spoken_of or self._chart_came:
            self.front["right"] = "chart" if is_spoken_of or "graph" in self._folded else "graph"
        self._spoken_of, self._chart_came = (texts, is_used), is_spoken_of

    def _place_question(self) -> None:
        """Show the open question on a card, above the panes, where it does not fit into the lesson; the tensors that it
        covers go below it.
        """
        lesson, tensors, card = self._regions.get("lesson"), self._regions.get("tensors"), self.question_card
        region = layout.question_region(self._regions) if lesson is not None and not self.zoomed else Region()
        rest = layout.below(region, tensors) if tensors is not None else Region()
        card.display = False
        if lesson is not None and region and not self.details.floating and self._put_away is None:
            name = self.focused.id if self.focused is not None else None
            focused = rest if name == "tensors" else self._regions.get(name or "")
            is_seen = focused in (None, lesson) or not region.overlaps(focused)  # one goes to no pane that is covered
            asked = self.lesson.question_rows(lesson.width - FRAME)[1]
            card.display = is_seen and 0 < lesson.height - 2 < asked  # a lesson that is folded has no room for it
        if card.display:
            card.seams = layout.seams(region, self._regions)
            _place(card, region)
            card.paint()
        if tensors is not None:
            _place(self.tensors, rest if card.display else tensors)

    def _set_tabs(self, wide: bool) -> None:
        timeline, cursor = self.model.timeline, self.model.cursor
        news = {"output": self.output.count_new_lines(timeline, cursor)}
        news["chart"] = self.chart.count_new_figures(timeline, self.output.previous_cursor, cursor)
        for group in (layout.LEFT, layout.RIGHT):
            for name in group:
                tabs = tuple(Tab(other, other == name, news.get(other, 0) * (name != other)) for other in group)
                self.panes[name].tabs = () if wide or self.zoomed else tabs

    def label_prompt(self) -> None:
        """Write the label and the example of the prompt in the current language."""
        if self.prompt.purpose:
            self.prompt.placeholder = self.prompt.example
            self.label.text = key_label(self.prompt.enter_label)
            self.place_prompt()

    def place_prompt(self) -> None:
        """Show or hide the prompt above the explanation, or the field for what the program asks in its first row."""
        width, height = self.size
        is_small, waiting = self.small.display, self.model.waiting
        asks = waiting is not None and not self.prompt.purpose and not is_small
        self.reply.ask_for(waiting)
        if asks and waiting is not None:
            text = cut(clean(last_written(waiting.prompt)).strip(), width // 2, self.explain.glyphs.more)
            self.label.text = text or _("the program reads a line")
            self.label.paint()
        label_width = cells(self.label.text) + 2
        self.explain.display = not is_small
        self.prompt.display, self.reply.display = bool(self.prompt.purpose) and not is_small, asks
        self.label.display = self.prompt.display or asks
        if not asks and self.focused is self.reply:
            self.focus_pane()
        rows = layout.explanation_rows(height)
        top = height - layout.bar_rows(height) - rows
        _place(self.explain, Region(0, top + asks, width, rows - asks))
        if self.label.display:
            _place(self.label, Region(0, top, label_width, 1))
            _place(self.reply if asks else self.prompt, Region(label_width, top, width - label_width, 1))

    # ------------------------------------------------------------ keys of the panes

    def action_turn(self, by: int) -> None:
        """Focus the next (or previous) pane, and bring it to the front where panes share a region."""
        names = [name for name in layout.PANES if self.model.gate.has_prose or name != "lesson"]
        names += ["details"] if self.details.display else []
        if self.model.asking:
            names.insert(1, "ask")
        if self.reply.display:
            names.append("reply")
        focused_name = self.focused.id if self.focused is not None else None
        name = names[(names.index(focused_name) + by) % len(names)] if focused_name in names else names[0]
        if name == "ask":
            self.focus_answer()
        elif name == "reply":
            self.set_focus(self.reply)
        else:
            self.go_to_pane(name)

    def action_zoom(self) -> None:
        """Give the focused pane the whole screen, or end that."""
        focused = self.focused
        self.zoomed = focused.NAME if self.zoomed is None and isinstance(focused, Pane) else None
        self.update_soon()

    def action_size(self, rows: int) -> None:
        """Give the focused pane rows of the others of its column, or give them back; keep those that were there."""
        pane = self.focused if isinstance(self.focused, Pane) else self.leading
        if self.zoomed or pane.NAME not in layout.PANES or pane.NAME not in self._regions:
            self.say((_("the size of this pane is fixed"), "quiet"))
            return
        kept, before = self.sizes.get(pane.NAME, 0), self._regions[pane.NAME].height
        self.sizes[pane.NAME] = kept + rows
        self.arrange_widgets()
        height = self._regions[pane.NAME].height
        self.sizes[pane.NAME] = kept + height - before
        self.post_message(SettingChanged("panes", dict(self.sizes)))
        self.say((ngettext("{pane}: {count} row", "{pane}: {count} rows", height, pane=_(pane.NAME)), "quiet"))

    # ------------------------------------------------------------ focus

    def show_pane(self, name: str) -> None:
        """Bring a pane into view and focus it."""
        for side, group in (("left", layout.LEFT), ("right", layout.RIGHT)):
            if name in group:
                self.front[side] = name
        if self.zoomed:
            self.zoomed = name
        if name != "details":
            self.details.is_open = False
        self.arrange_widgets()
        if self.focused is not self.panes[name]:
            self.set_focus(self.panes[name])
        self.update_soon()

    def code_place(self) -> Region:
        """Return where the editor goes: the code pane; in a small terminal with the panes beside it, for its lines."""
        width, height = self.size
        region = next((self._regions[name] for name in layout.LEFT if name in self._regions), None)
        if region is None:
            return Region(0, 0, width, height)
        return region if layout.is_wide(width, height) else Region(0, region.y, width, region.height)

    def go_to_pane(self, name: str) -> None:
        """Show a pane, larger than the others."""
        self.grown = name
        self.show_pane(name)

    def show_details(self, subject: str, ref: int) -> None:
        """Show the details of a `tensor`, `node` or `step`: in the column, or on a sheet."""
        self.details.ask(subject, ref)
        self.arrange_widgets()
        if self.details.floating and self.focused is not self.details:
            self._beside_sheet = self.focused
            self.set_focus(self.details)
        self.update_soon()

    def close_details(self) -> bool:
        """Close the sheet of details; return whether there was one."""
        was_open = self.details.floating and self.details.is_open
        self.details.is_open = False
        if was_open:
            self.details.asked = None
            if self.focused is self.details:
                beside = self._beside_sheet
                self.set_focus(beside if beside is not None and beside.display else self.leading)
            self.arrange_widgets()
            self.update_soon()
        return was_open

    def chart_tensor(self, tensor: int, element: tuple[int, str] | None = None) -> None:
        """Chart a tensor, or an element (place and index as text) of it; remove it if it is charted already."""
        timeline = self.model.timeline
        toggled = self.chart.curves.toggle(timeline, timeline.state(self.model.cursor), tensor, element)
        if toggled is None:
            self.say((_("this cannot be charted: complex, or there are enough curves already"), "quiet"))
            return
        name, is_charted = toggled
        if is_charted and self.focused is not self.graph:
            self.front["right"] = "chart"
        text = N_("{name} is charted") if is_charted else N_("{name} is charted no more")
        self.say(*styled(text, name=(clean(name), "value")))

    def focus_pane(self) -> None:
        """Focus a visible pane; nothing where the terminal is too small for any."""
        if self.details.floating and self.details.display:
            self.set_focus(self.details)
            return
        shown = next((pane for pane in (self.leading, *self.panes.values()) if pane.display), None)
        self.set_focus(shown)

    def focus_answer(self) -> None:
        """Focus the answer field."""
        self.show_pane("lesson")
        self.set_focus(self.ask)

    @property
    def is_typing(self) -> bool:
        """Whether letters are text for a focused field."""
        return isinstance(self.focused, Input)

    @property
    def selection(self) -> tuple[str, int] | None:
        """What is under the mark of the focused pane: `tensor`, `node` or `step`, and its number."""
        return self.focused.details() if isinstance(self.focused, Pane) else None


def _place(widget: Widget, region: Region) -> None:
    widget.styles.offset = (region.x, region.y)
    widget.styles.width, widget.styles.height = region.width, region.height
