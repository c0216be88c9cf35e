"""The list of lessons: what there is, what is done, and first of all what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen

from tutor.i18n import N_, _, next_language, own_name
from tutor.lesson import catalog
from tutor.lesson.model import Header as LessonHeader
from tutor.lesson.model import LessonError, in_language
from tutor.study.progress import Progress, Store
from tutor.ui.draw import places
from tutor.ui.draw.phrase import phrase
from tutor.ui.keys import Hint, Key, bindings
from tutor.ui.messages import KeyPicked, LessonChosen
from tutor.ui.panes.catalog import AboutPane, CatalogPane
from tutor.ui.panes.lines import Explain, KeyLine, TitleBar, TooSmall
from tutor.ui.panes.surface import Surface

if TYPE_CHECKING:
    from tutor.ui.app import GradtutorApp

_KEYS = (
    Key("up", "up,k", "↑", "up", "up"),
    Key("down", "down,j", "↓", "down", "down"),
    Key("page_up", "pageup", "PageUp", "up", "ten up"),
    Key("page_down", "pagedown", "PageDown", "down", "ten down"),
    Key("first", "home", "Home", "first", "the first"),
    Key("last", "end", "End", "last", "the last"),
    Key("open", "enter,right,l", "Enter", "open", "open the lesson"),
    Key("reset", "R", "R", "forget", "forget what was done with the lesson; press it twice"),
    Key("language", "L", "L", "language", "the next language"),
    Key("help", "question_mark", "?", "help", "the keys and the marks"),
    Key("leave", "escape", "Esc", "back", "nothing: here is where it leads back to"),
    Key("quit", "q", "q", "quit", "quit"),
)


def _hints() -> tuple[Hint, ...]:
    return (
        Hint("↑ ↓", N_("choose"), "down", 2), Hint("Enter", N_("open"), "open", 0), Hint("?", N_("help"), "help", 1),
        Hint("L", own_name(next_language()), "language", 3), Hint("q", N_("quit"), "quit", 0),
    )  # fmt: skip


class LessonsScreen(Screen[None]):
    """Families with their lessons; beside them what the lesson under the mark shows."""

    BINDINGS = bindings(_KEYS)
    AUTO_FOCUS = ""

    def __init__(self, folder: Path, language: str, at: str = "") -> None:
        super().__init__()
        self.folder = folder
        self.at = at
        """The lesson to stand on when the list shows next; without one it stays where it is."""
        self.language = language
        self._away = False
        self._progress: dict[str, Progress] = {}
        self._forgetting = ""
        """The lesson that would be forgotten if asked once more."""
        self.catalog = CatalogPane()
        self.about = AboutPane()
        self.header, self.explain, self.keyline, self.small = TitleBar(), Explain(), KeyLine(), TooSmall()

    def compose(self) -> ComposeResult:
        yield from (self.header, self.catalog, self.about, self.explain, self.keyline, self.small)

    def on_mount(self) -> None:
        self.read()
        self.catalog.focus()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())
        # Once the list is on the screen: torch takes a second or two, and the learner takes longer.
        self.set_timer(0.3, cast("GradtutorApp", self.app).prepare)

    def read(self) -> None:
        """The lessons and what was done with them, from the disk."""
        problem = ""
        lessons: tuple[LessonHeader, ...] = ()
        try:
            found = catalog.load(self.folder)
            lessons = found.lessons
            if found.problems:
                more = len(found.problems) - 1
                problem = str(found.problems[0]) + (_(" (and {count} more)", count=more) if more else "")
        except LessonError as error:
            problem = str(error)
        store = Store()
        progress = self._progress = store.load_all(lesson.id for lesson in lessons)
        self.catalog.fill(lessons, {name: kept.mark for name, kept in progress.items()}, self.language, self.at)
        self.at = ""
        done = sum(kept.done for kept in progress.values())
        self.header.show("", "", [(_("{done} of {count} done", done=done, count=len(lessons)), "quiet")])
        self.explain.show([(problem, "error")] if problem else self._greeting(store))
        self.keyline.show(_hints())
        self.keyline.paint()
        self._tell()

    def _greeting(self, store: Store) -> list[tuple[str, str]]:
        if store.notice:
            return [(store.notice, "note")]
        return [(_("walk real PyTorch code, forward and back in time"), "quiet")]

    def on_screen_suspend(self) -> None:
        """A lesson was opened: there is news when it closes."""
        self._away = True

    def on_screen_resume(self) -> None:
        """Back from a lesson, or from a sheet."""
        if self._away:
            self._away = False
            self.read()

    def on_resize(self) -> None:
        width, height = self.size
        small = places.too_small(width, height)
        left = width * 48 // 100
        found: dict[Surface, places.Place] = {
            self.header: places.Place(0, 0, width, 1),
            self.catalog: places.Place(0, 1, left, height - 3),
            self.about: places.Place(left, 1, width - left, height - 3),
            self.explain: places.Place(0, height - 2, width, 1),
            self.keyline: places.Place(0, height - 1, width, 1),
            self.small: places.Place(0, 0, width, height),
        }
        for surface, place in found.items():
            surface.display = small == (surface is self.small)
            surface.styles.offset = (place.x, place.y)
            surface.styles.width, surface.styles.height = place.width, place.height

    def speak(self, language: str) -> None:
        """Another language: say all of it anew."""
        self.language = language
        self.read()
        self.small.paint()

    def recolour(self) -> None:
        """The theme changed."""
        for surface in (self.header, self.catalog, self.about, self.explain, self.keyline):
            surface.repaint()

    def _tell(self) -> None:
        lesson = self.catalog.lesson
        name = lesson.id if lesson is not None else ""
        self.about.tell(lesson, self._progress.get(name, Progress(name)), self.language)

    def on_catalog_pane_moved(self) -> None:
        self._tell()

    def on_key_picked(self, message: KeyPicked) -> None:
        self.action_do(message.action)

    def action_do(self, key: str) -> None:
        """A key was pressed."""
        jumps = {"up": -1, "down": 1, "page_up": -10, "page_down": 10, "first": -10_000, "last": 10_000}
        lesson = self.catalog.lesson
        if key == "reset" and lesson is not None:
            self._forget(lesson)
            return
        self._forgetting = ""
        if key in jumps:
            self.catalog.move(jumps[key])
        elif key == "open" and lesson is not None:
            self.post_message(LessonChosen(lesson.id, lesson.path))
        elif key == "help":
            from tutor.ui.screens.help import help_sheet

            self.app.push_screen(help_sheet())
        elif key == "language":
            cast("GradtutorApp", self.app).change_language()
        elif key == "leave":
            self.explain.show(phrase("{q} quits", q=("q", "key")))
        elif key == "quit":
            self.app.exit(return_code=0)

    def _forget(self, lesson: LessonHeader) -> None:
        """At the second time: nothing was done with this lesson."""
        if self._progress.get(lesson.id, Progress(lesson.id)).mark == "new":
            self.explain.show([(_("there is nothing to forget: this lesson was not begun"), "quiet")])
        elif self._forgetting != lesson.id:
            self._forgetting = lesson.id
            title = in_language(lesson.title, self.language)
            text = N_("{r} once more forgets your answers and your place in {title}")
            self.explain.show(phrase(text, "note", r=("R", "key"), title=title))
        else:
            self._forgetting = ""
            store = Store()
            gone = store.reset(lesson.id)
            self.read()
            self.explain.show([(_("forgotten"), "quiet") if gone else (store.notice or "", "error")])
