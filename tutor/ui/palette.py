"""The command palette: Textual's, over every action with its key, the lessons, the steps and the names of the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from textual.command import Command as Option
from textual.command import CommandList, CommandPalette, Hit, Hits, Matcher, Provider, SearchIcon
from textual.content import Content
from textual.widgets import Input

from tutor.explain import plain
from tutor.i18n import N_, _, current_language, key_label
from tutor.lesson import catalog
from tutor.lesson.model import Header, LessonError, in_language
from tutor.study.finding import places_with
from tutor.study.moves import resolve_typed
from tutor.text_width import width
from tutor.trace.names import names_of
from tutor.trace.navigation import PlaceError
from tutor.ui.bindings import PANE_KEYS, Key, keys_of, own_bindings
from tutor.ui.panes.base import DetailsAsked, LessonChosen, LessonLeft, Pane, StepPicked
from tutor.ui.render.segments import clean
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.screens.lesson_list import LessonsScreen
from tutor.ui.theme import palette_of

Run: TypeAlias = Callable[[], Awaitable[object] | object]

_LEFT = 12
"""Cells for the key."""
_PLACES = 12
"""Places in the code that match what was typed, at most."""
_AGAIN = 0.05
"""Seconds until Enter is looked at again, where the rows are still those of what was typed before."""
_TYPED = 2.0
"""Score of the place that was typed: before all else."""


class Command(NamedTuple):
    """A row of the palette."""

    key: str
    """The key that does the same, or the kind of thing that it leads to."""
    text: str
    run: Run
    possible: bool = True
    """Whether it does something now; otherwise it says why not."""


class Palette(CommandPalette):
    """Textual's palette with what gradtutor has to offer."""

    def __init__(self) -> None:
        super().__init__([Commands], placeholder=_("an action, a key, a lesson, a step or a name"))

    def on_mount(self) -> None:
        self.query_one(SearchIcon).icon = ":"
        self.set_class(palette_of(self.app).glyphs.ascii, "-ascii")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the row under the mark once the rows are those of what is typed, unless one types on until then."""
        if event.value != event.input.value:
            event.stop().prevent_default()
            return
        rows = self.query_one(CommandList)
        row = None if rows.highlighted is None else rows.get_option_at_index(rows.highlighted)
        hit = row.hit if isinstance(row, Option) else None
        if rows.option_count and not (isinstance(hit, Match) and hit.query == event.input.value.strip()):
            event.stop().prevent_default()
            self.set_timer(_AGAIN, lambda: self.post_message(Input.Submitted(event.input, event.value)))


@dataclass(eq=False)
class Match(Hit):
    """A row for what was typed."""

    query: str = ""


class Commands(Provider):
    """Offers all that can be done from the screen that was open, and all places to go to."""

    _headers: tuple[Header, ...] = ()

    async def startup(self) -> None:
        """Read the lessons once."""
        screen = self.screen
        if isinstance(screen, LessonScreen | LessonsScreen):
            with suppress(LessonError):
                self._headers = catalog.load(screen.lessons).lessons

    async def discover(self) -> Hits:
        for command in (*self._problems(), *self._bookmarks(), *self._actions()):
            yield Match(0, _row(command), command.run, command.text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        is_empty = True
        for command, score in self._matching(query, matcher):
            is_empty = False
            yield Match(score, _row(command, matcher), command.run, command.text, query=query)
        if is_empty:
            text = _("nothing has this name")
            yield Match(0, Content(text), lambda: None, text, query=query)

    def _matching(self, query: str, matcher: Matcher) -> list[tuple[Command, float]]:
        """Return what has all words of a query, with its score; where nothing has, what has its letters in order."""
        commands = [*self._problems(), *self._bookmarks(), *self._actions(), *self._names(), *self._lessons()]
        scored = [*((command, _TYPED) for command in self._typed_place(query))]
        scored += [(command, score) for command in commands if (score := _score(command, query))]
        scored += [(command, 0.5) for command in self._places(query)]
        return scored or [(command, score) for command in commands if (score := matcher.match(command.text))]

    # ------------------------------------------------------------ actions

    def _actions(self) -> Iterator[Command]:
        """Yield what the keys do: those that the focused pane has for itself, then those of the screen."""
        screen, pane = self.screen, self.focused
        for binding in own_bindings(type(pane)) if isinstance(pane, Pane) else ():
            run = partial(self.app.run_action, binding.action, pane)
            yield Command(binding.key_display or binding.key, _(binding.tooltip), run)
        for key in keys_of(screen):
            text = _(key.about) if key.about else key_label(key.label)
            possible = self._is_possible(key)
            explained = isinstance(screen, LessonScreen) and key.about
            if key.action != "app.command_palette" and text and (possible or explained):
                yield Command(_(key.shown), text, partial(self._press, key, possible), possible)
        for name in (N_("dark"), N_("light")):
            run = partial(self.app.run_action, f"theme('{name}')", self.app)
            yield Command(_("theme"), _("theme: {name}", name=_(name)), run)

    def _is_possible(self, key: Key) -> bool:
        """Return whether a key does something now."""
        name, _bracket, parameters = key.command.partition("(")
        typed = (parameters.strip("')"),)
        return name.startswith("app.") or bool(self.screen.check_action(name, typed))

    async def _press(self, key: Key, possible: bool) -> None:
        """Do what a key does, or let it say why it does nothing now."""
        in_lesson = isinstance(self.screen, LessonScreen)
        of_pane = in_lesson and key.id in PANE_KEYS and isinstance(self.focused, Pane)
        target = self.focused if of_pane else self.screen
        explained = in_lesson and not possible
        await self.app.run_action(f"explain('{key.id}')" if explained else key.command, target)

    # ------------------------------------------------------------ places

    def _problems(self) -> Iterator[Command]:
        """Yield the problems of the run."""
        if isinstance(self.screen, LessonScreen):
            model = self.screen.model
            for problem in model.problems.all(model.limit):
                with suppress(Exception):  # a recording may be malformed
                    what = clean(" ".join(plain(model.timeline, problem.step).split()))
                    yield self._step(_("problem"), problem.step, what)

    def _bookmarks(self) -> Iterator[Command]:
        """Yield the bookmarks of the program."""
        if isinstance(self.screen, LessonScreen):
            model = self.screen.model
            for step, note in sorted(model.timeline.bookmarks.items()):
                if step <= model.limit:
                    yield self._step(_("bookmark"), step, clean(note) or clean(model.timeline.view(step).code or ""))

    def _names(self) -> Iterator[Command]:
        """Yield the tensors that have a name at the cursor."""
        if isinstance(self.screen, LessonScreen):
            screen = self.screen
            for name, tensor in names_of(screen.model.timeline.state(screen.model.cursor)).items():
                text = _("{name}: everything about it", name=clean(name))
                yield Command(_("tensor"), text, partial(screen.post_message, DetailsAsked("tensor", tensor)))

    def _typed_place(self, query: str) -> Iterator[Command]:
        """Yield the step of a place that was typed as for the key `g`."""
        if isinstance(self.screen, LessonScreen):
            model = self.screen.model
            with suppress(PlaceError):
                step = resolve_typed(model.timeline, model.cursor, query)
                if step <= model.limit:
                    yield self._step("g", step, clean(query))

    def _places(self, query: str) -> Iterator[Command]:
        """Yield the statements that contain a text."""
        if isinstance(self.screen, LessonScreen):
            model = self.screen.model
            for step, code in list(places_with(model.timeline, model.cursor, query, model.limit))[:_PLACES]:
                yield self._step(_("code"), step, clean(code))

    def _step(self, kind: str, step: int, text: str) -> Command:
        run = partial(self.screen.post_message, StepPicked(step))
        return Command(kind, _("step {number}: {what}", number=step, what=text), run)

    # ------------------------------------------------------------ lessons

    def _lessons(self) -> Iterator[Command]:
        """Yield the lessons."""
        screen = self.screen
        for lesson in self._headers:
            text = f"{clean(in_language(lesson.title, current_language()))}  {clean(lesson.id)}"
            yield Command(_("lesson"), text, partial(screen.post_message, self._opening(lesson)))

    def _opening(self, lesson: Header) -> LessonChosen | LessonLeft:
        """Return the message that opens a lesson from this screen."""
        is_list = isinstance(self.screen, LessonsScreen)
        return LessonChosen(lesson) if is_list else LessonLeft(lesson.id, lesson)


def _score(command: Command, query: str) -> float:
    """Return how well a command matches a query: best if it is its key, better the earlier its words are; 0: not."""
    if query == command.key or query in command.key.split():
        return _TYPED
    text = command.text.lower()
    places = [text.find(word) for word in query.lower().split()]
    return 0 if min(places) < 0 else 0.5 + 1 / (2 + places[0])


def _row(command: Command, matcher: Matcher | None = None) -> Content:
    """Return a row: the key, and the text with what matches marked."""
    text = Content(command.text) if command.possible else Content.styled(command.text, "$text-muted")
    if matcher is not None and matcher.match_style is not None:
        _score, offsets = matcher.fuzzy_search.match(matcher.query, command.text)
        for offset in offsets:
            text = text.stylize(matcher.match_style, offset, offset + 1)
    gap = " " * max(_LEFT - width(command.key), 1)
    return Content.assemble((command.key, "$accent"), gap, text)
