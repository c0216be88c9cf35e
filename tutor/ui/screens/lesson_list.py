"""The panes of the list of lessons: the list, and what the lesson under the mark shows.

The list of lessons: what there is, what is done, and first of all what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen

from tutor.i18n import N_, _, next_language, ngettext, own_name
from tutor.lesson import catalog
from tutor.lesson.model import UNSEEN, Header, LessonError, in_language
from tutor.lesson.model import Header as LessonHeader
from tutor.study.progress import Progress, Store
from tutor.text_width import wrapped
from tutor.ui import layout
from tutor.ui.bars import Explain, KeyLine, TitleBar, TooSmall
from tutor.ui.bindings import Hint, Key, bindings
from tutor.ui.panes.base import KeyPicked, LessonChosen, Pane, Surface
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit, styled

if TYPE_CHECKING:
    from tutor.ui.app import GradtutorApp

_DEVICES = ("/dev/nvidiactl", "/dev/dxg")
"""What is there where CUDA is: asking CUDA itself would take a second, and torch."""


_UNSEEN = re.compile(f'"({"|".join(UNSEEN)})"')
_TRANSLATED = re.compile(r'lang="(?!en")')
_FAMILIES = (
    N_("tensors"),
    N_("graph"),
    N_("backprop"),
    N_("training"),
    N_("pitfalls"),
    N_("gpu"),
)
"""How a family is called; one of somebody else's lessons has its own name."""


class CatalogPane(Pane):
    """Families with their lessons. The first entry is what to do next."""

    NAME = N_("lessons")

    class Moved(Message):
        """The mark stands on another lesson."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: Sequence[Header] = ()
        self.marks: Mapping[str, str] = {}
        """By lesson: new, begun or done."""
        self.language = "en"
        self._entries: list[tuple[str, Header | None]] = []
        """What is written in a row: `next`, a family, a lesson; and the lesson that it opens."""
        self._at = 0

    def fill(self, lessons: Sequence[Header], marks: Mapping[str, str], language: str, at: str = "") -> None:
        """Show these lessons; the mark goes to the lesson `at`, or stays on its own."""
        before = self.lesson.id if self.lesson is not None else ""
        self.lessons, self.marks, self.language = lessons, marks, language
        self._entries = []
        following = self._following()
        if following is not None:
            self._entries.append(("next", following))
        family = ""
        for lesson in lessons:
            if lesson.family != family:
                family = lesson.family
                self._entries += [("", None), (family, None)]
            self._entries.append(("lesson", lesson))
        ids = [lesson.id if lesson is not None else None for _, lesson in self._entries]
        self._at = next((ids.index(name) for name in (at, before) if name in ids), 0)
        self.update()

    def in_view(self) -> int:
        return self._at

    def _following(self) -> Header | None:
        """What to do next: what was begun last, else the first that is not done."""
        for mark in ("begun", "new"):
            for lesson in self.lessons:
                if self.marks.get(lesson.id, "new") == mark and not lacking(lesson):
                    return lesson
        return None

    @property
    def lesson(self) -> Header | None:
        """The lesson under the mark."""
        return self._entries[self._at][1] if self._at < len(self._entries) else None

    def heading(self) -> Row:
        return EMPTY

    def count(self) -> int:
        return len(self._entries) or 1

    def row(self, index: int, cells: int) -> Row:
        if not self._entries:
            return ((_("no lessons here"), "note"),)
        kind, lesson = self._entries[index]
        g = self.glyphs
        if lesson is None:
            return ((clean(_(kind)), "quiet"),) if kind else EMPTY
        title = clean(in_language(lesson.title, self.language) or lesson.id)
        mark = self.marks.get(lesson.id, "new")
        here = index == self._at
        if kind == "next":
            verb = _("go on with") if mark == "begun" else _("next")
            pieces: list[Piece] = [(f"{g.now} ", "now"), (f"{verb}  ", "quiet"), (title, "strong")]
        else:
            signs: dict[str, Piece] = {"done": (g.yes, "leaf"), "begun": (g.begun, "grad"), "new": (" ", "plain")}
            role = "quiet" if lacking(lesson) or mark == "done" else "plain"
            pieces = [("  ", "plain"), signs[mark], (f" {title}", "strong" if here else role)]
            if lacking(lesson):
                pieces.append((f"  {_('needs {what}', what=lacking(lesson))}", "note"))
        if not here:
            return tuple(pieces)
        row = [(text, f"chosen {role}") for text, role in pieces]
        return fit(tuple(row), cells, "chosen", g.more)

    def move(self, rows: int) -> None:
        stops = [at for at, (_, lesson) in enumerate(self._entries) if lesson is not None]
        if not stops:
            return
        place = max(0, min(stops.index(self._at) + rows, len(stops) - 1))
        self._at = stops[place]
        self._bring_into_view(self._at, 2)
        self.paint()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - 1
        if 0 < event.y < self.size.height - 1 and index < len(self._entries):
            lesson = self._entries[index][1]
            if lesson is not None:
                self._at = index
                self.paint()
                self.post_message(self.Moved())
                self.post_message(LessonChosen(lesson.id, lesson.path))


class AboutPane(Pane, can_focus=False):
    """What a lesson shows, how much there is of it, and what it needs."""

    NAME = N_("about")

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[list[Piece]] = []
        self._extents: dict[str, tuple[int, int, int]] = {}
        self._made: tuple[int, list[Row]] | tuple[()] = ()

    def tell(self, lesson: Header | None, progress: Progress, language: str) -> None:
        """Show this lesson, and what was done with it."""
        self._pieces, self._made = [], ()
        if lesson is not None:
            self._pieces = [
                [(clean(in_language(lesson.title, language)), "heading")],
                [(clean(lesson.id), "quiet")],
                [],
                [(clean(in_language(lesson.summary, language)), "plain")],
                [],
                [(self._extent(lesson.path, progress.steps), "quiet")],
            ]
            if lesson.needs:
                role = "error" if lacking(lesson) else "quiet"
                self._pieces.append([(_("needs {what}", what=", ".join(lesson.needs)), role)])
                if lacking(lesson):
                    self._pieces.append([(_("No CUDA device is found here, so it cannot run."), "note")])
            self._pieces += self._state(lesson, progress)
        self.paint()

    def _state(self, lesson: Header, progress: Progress) -> list[list[Piece]]:
        """What was done with it: how far, and how many questions were right."""
        if progress.mark == "new":
            return []
        g = self.glyphs
        lines: list[list[Piece]] = [[]]
        if progress.done:
            lines.append([(f"{g.yes} {_('done')}", "leaf")])
        else:
            at = ""
            if progress.step:
                text = N_(", left at step {step} of {steps}") if progress.steps else N_(", left at step {step}")
                at = _(text, step=progress.step, steps=progress.steps)
            lines.append([(f"{g.begun} {_('begun')}", "grad"), (at, "quiet")])
        questions = self._counted(lesson.path)[1]
        if questions and progress.answers:
            text = N_("{right} of {count} questions right at the first try")
            lines.append([(_(text, right=progress.right, count=questions), "quiet")])
        lines.append(styled("{r} forgets it", r=("R", "key")))
        return lines

    def _counted(self, path: str) -> tuple[int, int, int]:
        """How many code cells to walk, questions and exercises there are, from a glance at the file."""
        if path not in self._extents:
            try:
                lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                lines = []
            marks = [line for line in lines if line.startswith("# %%")]
            questions = sum("question=" in line and not _TRANSLATED.search(line) for line in marks)
            code = [line for line in marks if "[markdown]" not in line and not _UNSEEN.search(line)]
            self._extents[path] = len(code), questions, sum('"exercise"' in line for line in code)
        return self._extents[path]

    def _extent(self, path: str, steps: int) -> str:
        """`4 cells of code · 2 questions · 1 exercise · 41 steps`"""
        cells, questions, exercises = self._counted(path)
        said = [ngettext("{count} cell of code", "{count} cells of code", cells)] if cells else []
        said += [ngettext("{count} question", "{count} questions", questions)] if questions else []
        said += [ngettext("{count} exercise", "{count} exercises", exercises)] if exercises else []
        said += [ngettext("{count} step", "{count} steps", steps)] if steps else []
        return f" {self.glyphs.dot} ".join(said)

    def _lines(self, cells: int) -> list[Row]:
        """The rows for so many cells; made once."""
        if not self._made or self._made[0] != cells:
            self._made = cells, [row for pieces in self._pieces for row in (wrapped(pieces, cells) or [EMPTY])]
        return self._made[1]

    def count(self) -> int:
        return len(self._lines(max(self.inner, 1)))

    def row(self, index: int, cells: int) -> Row:
        return self._lines(cells)[index]


def lacking(lesson: Header) -> str:
    """What the machine has not that the lesson needs."""
    if "cuda" in lesson.needs and not any(Path(device).exists() for device in _DEVICES):
        return "CUDA"
    return ""


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
        small = layout.too_small(width, height)
        left = width * 48 // 100
        found: dict[Surface, Region] = {
            self.header: Region(0, 0, width, 1),
            self.catalog: Region(0, 1, left, height - 3),
            self.about: Region(left, 1, width - left, height - 3),
            self.explain: Region(0, height - 2, width, 1),
            self.keyline: Region(0, height - 1, width, 1),
            self.small: Region(0, 0, width, height),
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
            self.explain.show(styled("{q} quits", q=("q", "key")))
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
            self.explain.show(styled(text, "note", r=("R", "key"), title=title))
        else:
            self._forgetting = ""
            store = Store()
            gone = store.reset(lesson.id)
            self.read()
            self.explain.show([(_("forgotten"), "quiet") if gone else (store.notice or "", "error")])
