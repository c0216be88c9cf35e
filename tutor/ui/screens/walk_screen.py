"""The keys that walk: moves, jumps and back, play, the prompt for places and texts to find, copies and pictures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from tutor.i18n import N_, _, key_label, ngettext
from tutor.study import copying
from tutor.study.changes import last_change
from tutor.study.course import lesson_after
from tutor.study.result import Result
from tutor.trace.names import name_of
from tutor.ui.bindings import BY_ID
from tutor.ui.explanation import describe_result, first_step
from tutor.ui.panes.base import LessonLeft, SettingChanged, StepPicked, TargetChosen
from tutor.ui.panes.prompt import Prompt
from tutor.ui.render.segments import clean, styled
from tutor.ui.screens.file_choice import FileChoice
from tutor.ui.screens.pane_screen import PaneScreen
from tutor.ui.time_bar import TimeBar

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_SEARCHED = ("code", "output", "tensors")
"""Panes that mark what is looked for."""
_SHOWN = 60
"""Characters of a copy that are shown."""


class WalkScreen(PaneScreen):
    """Moves the cursor of a walk, and says what came of it."""

    _followed: tuple[Timeline | None, int, int, tuple[str, int] | None] = None, 0, 0, None
    """The recording, the step that `changed` led to, the tensor that it is about, and what was selected there."""

    @cached_property
    def _file_choice(self) -> FileChoice:
        return FileChoice(self.lessons, "O")

    def restore(self, setting: Callable[[str], Any]) -> None:
        """Begin with speed, views and sizes that are kept; `setting` returns None for those that are not."""
        self.timebar.begin_at(setting("speed"))
        self.sizes = dict(setting("panes") or {})
        self.graph.views.wanted = setting("graph")
        self.chart.view = setting("chart") or self.chart.view

    def show_result(self, result: Result, soon: bool = True) -> None:
        """Show what came of a command of the model."""
        if result.moved:
            self.notice = ()
        if result.outcome == "question":
            self.show_pane("lesson")
            self.shown = None
            self.lesson.keep_in_view("end")
        pieces = describe_result(self.model, result, self.room)
        if result.outcome == "finished":
            self.notice = ()  # the explanation says what comes next
        if pieces:
            self.notice, self.passing = pieces, result.outcome == "waiting"
        if soon:
            self.update_soon()

    # ------------------------------------------------------------ moves and jumps

    def on_step_picked(self, message: StepPicked) -> None:
        self.go_to(message.step)

    def pause(self) -> None:
        """Stop playback."""
        if self.timebar.playing:
            self.timebar.pause()
            self.update_soon()

    def action_move(self, name: str) -> None:
        """Move the cursor as the key of this id does, or say why it cannot."""
        move = BY_ID[name].move
        assert move is not None
        self.pause()
        self.show_result(self.model.move(move.load()))

    def action_bookmark(self) -> None:
        """Ask for the note of a bookmark at the cursor, or drop the bookmark there."""
        if not self.model.cursor:
            arrow = (self.header.glyphs.arrow, "key")
            self.say(*styled("at the beginning there is no step to remember: {arrow} takes one", arrow=arrow))
        elif self.model.cursor in self.model.timeline.bookmarks:
            self.show_result(self.model.bookmark(None))
        else:
            self._open_prompt("note")

    def go_to(self, step: int) -> None:
        """Move the cursor to a step that was picked."""
        self.pause()
        self.show_result(Result(moved=self.model.jump(step).moved))

    def action_problem(self) -> None:
        """Go to the next problem, or from a failure to its cause."""
        self.pause()
        self.show_result(self.model.next_problem())

    def action_first(self) -> None:
        """Go to the beginning."""
        self.go_to(0)

    def action_last(self) -> None:
        """Go to the last step, and follow a program that still runs."""
        self.pause()
        self.show_result(self.model.last())

    def action_jump_back(self) -> None:
        """Go back to where the last jump came from."""
        self.pause()
        self.show_result(self.model.jump_back())

    def action_jump_forward(self) -> None:
        """Go forward to where `jump_back` came from."""
        self.pause()
        self.show_result(self.model.jump_forward())

    def action_play(self) -> None:
        """Play or pause."""
        self.model.stay()
        if self.timebar.playing:
            self.timebar.pause()
        else:
            self.timebar.play()
        self.update_soon()

    def action_pace(self, by: int) -> None:
        """Play faster or slower."""
        self.timebar.change_speed(by)
        self.post_message(SettingChanged("speed", self.timebar.speed))
        self.say((ngettext("{count} step a second", "{count} steps a second", self.timebar.speed), "quiet"))

    def on_time_bar_ticked(self, message: TimeBar.Ticked) -> None:
        """Play on by a step."""
        if not self.timebar.playing:
            return
        result = self.model.play()
        if result.outcome == "waiting":
            return
        if not result.moved:
            self.timebar.pause()
        self.show_result(result)

    def action_changed(self) -> None:
        """Go to the step that changed a tensor last; from there, to the change before."""
        self.pause()
        timeline, step = self.model.timeline, self.model.cursor
        *followed_from, number, selection = self._followed
        if followed_from != [timeline, step] or selection != self.selection:
            tensor = copying.tensor_at(timeline, step, self.selection)
            number = 0 if tensor is None else tensor.tensor
        if not number:
            text = N_("to ask who changed a tensor put the mark on it: {tab} to the pane, {arrows} to its row, {u}")
            self.say(*styled(text, tab=("Tab", "key"), arrows=("↑ ↓", "key"), u=("u", "key")))
            return
        change = last_change(timeline, step, number)
        if change is None:
            name = name_of(timeline.state(step), number) or _("a tensor without a name")
            self.say((_("{name}: nothing before this step changed it", name=clean(name)), "quiet"))
        else:
            self.go_to(change[0])
            self._followed = (timeline, *change, self.selection)

    # ------------------------------------------------------------ views, and other lessons

    def action_view(self) -> None:
        """Show the next view of the graph."""
        if not self.graph.display:
            self.show_pane("graph")
        self.graph.action_next_view()

    def action_others(self) -> None:
        """Show more of the graph, or the least again."""
        self.graph.action_next_level()

    def action_next_lesson(self) -> None:
        """Go on to the lesson after this one."""
        following = lesson_after(self.lessons, self.model.target.name) if self.model.target.kind == "lesson" else None
        if following is None:
            self.say((_("no lesson comes after this one"), "quiet"))
        else:
            self.post_message(LessonLeft(following.id, following))

    # ------------------------------------------------------------ the prompt

    def action_go(self) -> None:
        """Ask where to go."""
        self._open_prompt("go")

    def action_find(self) -> None:
        """Ask what to find."""
        self._open_prompt("find")

    def action_open(self) -> None:
        """Ask for a file to open: the module that is shown, or that the lesson has run, is there already."""
        self._open_prompt("file", self._file_choice.typed or self._module_path())

    def _module_path(self) -> str:
        """Return the path of the module at the cursor, else of the first one that the lesson ran; empty for none."""
        model = self.model
        sources = model.timeline.sources
        view = model.timeline.view(model.cursor) if model.cursor else None
        at_cursor = sources.get(view.site.file) if view is not None and view.site is not None else None
        listed = [source for number, source in sources.items() if number != 1] if model.target.kind == "lesson" else []
        if at_cursor is not None and at_cursor is not sources.get(1):
            listed.insert(0, at_cursor)
        paths = (model.target.path.absolute().parent / source.path for source in listed if source.cell is None)
        path = next((path for path in paths if path.is_file()), None)
        return "" if path is None else shlex.quote(str(path))

    def on_filter_asked(self) -> None:
        """Ask which tensors to show."""
        self._open_prompt("filter")

    def _open_prompt(self, purpose: str, value: str = "") -> None:
        """Show the prompt in place of the explanation."""
        self.pause()
        self.prompt.begin(purpose, value)
        self.label_prompt()
        self.set_focus(self.prompt)  # at once, so that it gets the keys typed ahead

    def close_prompt(self) -> None:
        """Return to the explanation."""
        self.prompt.purpose = ""
        self._mark_text("")
        self.place_prompt()
        self.focus_pane()
        self.update_soon()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do what Enter does in the prompt."""
        event.stop()
        if event.input is not self.prompt:
            return
        if self.prompt.purpose == "find":
            self._find(event.value)
            return
        purpose = self.prompt.purpose
        self.close_prompt()
        if purpose == "filter":
            self.show_pane("tensors")
            self.tensors.show_matching(event.value)
        elif purpose == "file":
            chosen = self._file_choice.choose(event.value)
            if isinstance(chosen, TargetChosen):
                self.post_message(chosen)
            else:
                self.say(*chosen)
        elif purpose == "note":
            self.show_result(self.model.bookmark(event.value))
        elif event.value.strip():
            self.show_result(self.model.go_to_place(event.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Mark and count what is looked for while it is typed."""
        if event.input is self.prompt and self.prompt.purpose == "find":
            self._mark_text(event.value)
            count = self.model.count(event.value)
            self._label_hits(f"{count}" if count or not event.value.strip() else self._not_found)

    def on_prompt_moved(self, message: Prompt.Moved) -> None:
        """Find the hit before, or after."""
        if self.prompt.purpose == "find":
            self._find(self.prompt.value, previous=message.by < 0)

    def _find(self, text: str, previous: bool = False) -> None:
        """Go to the next (or previous) hit, and say which of how many it is."""
        self.pause()
        result = self.model.find(text, previous)
        self._label_hits(self._not_found if result.outcome == "not found" else result.text)
        self.show_result(result)

    @property
    def _not_found(self) -> str:
        """What to say where a text is nowhere: a question may hide where it is."""
        return _("not before the question") if self.model.asking else _("not found")

    def _label_hits(self, hits: str) -> None:
        self.label.text = f"{key_label('find')} {hits}"
        self.place_prompt()
        self.label.paint()

    def _mark_text(self, text: str) -> None:
        """Mark a text in the panes that are searched; an empty one ends that."""
        for name in _SEARCHED:
            self.panes[name].mark_text(text.strip())

    # ------------------------------------------------------------ copies

    def action_copy_value(self) -> None:
        """Copy the value of the tensor under the mark, or of the one that the step brought."""
        timeline, step = self.model.timeline, self.model.cursor
        tensor = copying.tensor_at(timeline, step, self.selection)
        if tensor is None:
            text = N_("to copy a value put the mark on it: {tab} to the pane, {arrows} to its row, {y}")
            self.say(*styled(text, tab=("Tab", "key"), arrows=("↑ ↓", "key"), y=("y", "key")))
            return
        name, value = copying.described(timeline.state(step), tensor), copying.value_text(tensor)
        if value is None:
            self.say((_("{name}: its numbers are not in the recording", name=clean(name)), "quiet"))
        else:
            self._copy(value, f"{name} = {value}")

    def action_copy_step(self) -> None:
        """Copy the step as text."""
        if self.model.cursor:
            text = copying.step_text(self.model.timeline, self.model.cursor, self.model.limit)
            self._copy(text, text)
        else:
            self.say(*first_step(self.explain.glyphs))

    def action_export(self) -> None:
        """Write the screen as a picture into the current folder."""
        name = re.sub(r"[^\w.-]+", "-", self.model.target.name.removeprefix(".")).strip("-") or "screen"
        path = Path(f"gradtutor-{name[-_SHOWN:]}-step-{self.model.cursor}.svg")
        try:
            path.write_text(
                self.app.export_screenshot(title=self.model.target.name), encoding="utf-8", errors="replace"
            )
        except OSError as error:
            self.say((_("cannot be written: {why}.", why=clean(error.strerror or str(error))), "error"))
        else:
            self.say((f"{_('written')}  ", "quiet"), (clean(str(path)), "value"))

    def _copy(self, text: str, shown: str) -> None:
        """Give a text to the terminal's clipboard (OSC 52), and say what it is."""
        self.app.copy_to_clipboard(text)
        brief = shown.split("\n")[0]
        brief = brief if len(brief) <= _SHOWN else f"{brief[:_SHOWN]}{self.explain.glyphs.more}"
        self.say((f"{_('copied')}  ", "quiet"), (clean(brief), "value"))
