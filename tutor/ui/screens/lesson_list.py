"""The list of lessons: which there are, which are done, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen

from tutor.i18n import K_, N_, _, native_name, next_language, ngettext
from tutor.lesson import catalog
from tutor.lesson.extent import Extent, measure
from tutor.lesson.model import Header, LessonError, in_language
from tutor.lesson.model import Header as LessonHeader
from tutor.study.course import missing_device, next_lesson
from tutor.study.progress import Progress, Store
from tutor.text_width import width, wrapped
from tutor.ui import layout
from tutor.ui.bars import Explain, KeyLine, TitleBar, TooSmall
from tutor.ui.bindings import BY_ID, Hint, Key, bindings
from tutor.ui.panes.base import LessonChosen, Pane, Surface, WorkerWanted
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit, styled

_FAMILIES = (
    N_("tensors"),
    N_("graph"),
    N_("backprop"),
    N_("training"),
    N_("pitfalls"),
    N_("gpu"),
)
"""The families of lessons, as texts of the interface; families of other authors keep their own names."""


class CatalogPane(Pane):
    """The lessons: the one to do next, then the path, then the side roads by family."""

    NAME = N_("lessons")

    class Moved(Message):
        """Another lesson is marked."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: Sequence[Header] = ()
        self.marks: Mapping[str, str] = {}
        """By lesson: new, begun or done."""
        self._extents: Mapping[str, Extent] = {}
        """By lesson."""
        self.language = "en"
        self._entries: list[tuple[str, Header | None]] = []
        """What is written in a row: `next`, a heading, or the number of a lesson on the path (empty for a side road);
        and the lesson that it opens."""
        self._marked_entry = 0

    def fill(
        self,
        lessons: Sequence[Header],
        marks: Mapping[str, str],
        extents: Mapping[str, Extent],
        language: str,
        at: str = "",
    ) -> None:
        """Show these lessons; the mark goes to the lesson `at`, or stays on its own."""
        before = self.lesson.id if self.lesson is not None else ""
        self.lessons, self.marks, self._extents, self.language = lessons, marks, extents, language
        self._entries = []
        following = next_lesson(lessons, marks)
        if following is not None:
            self._entries.append(("next", following))
        has_path = any(lesson.order is not None for lesson in lessons)
        heading = ""
        for number, lesson in enumerate(lessons, 1):
            family = clean(_(lesson.family))
            if lesson.order is not None:
                under = _("the path")
            else:
                under = _("side roads: {family}", family=family) if has_path else family
            if under != heading:
                heading = under
                self._entries += [("", None), (heading, None)]
            self._entries.append((str(number) if lesson.order is not None else "", lesson))
        ids = [lesson.id if lesson is not None else None for _, lesson in self._entries]
        self._marked_entry = next((ids.index(name) for name in (at, before) if name in ids), 0)
        self.update()

    def in_view(self) -> int:
        return self._marked_entry

    @property
    def lesson(self) -> Header | None:
        """The marked lesson."""
        return self._entries[self._marked_entry][1] if self._marked_entry < len(self._entries) else None

    @property
    def place(self) -> str:
        """Where the marked lesson is: `lesson 8 of the path`, `a side road`; empty where there is no path."""
        path = [lesson for lesson in self.lessons if lesson.order is not None]
        if self.lesson is None or not path:
            return ""
        if self.lesson.order is None:
            return _("a side road")
        return _("lesson {number} of {count} of the path", number=path.index(self.lesson) + 1, count=len(path))

    def heading(self) -> Row:
        return EMPTY

    def count(self) -> int:
        return len(self._entries) or 1

    def row(self, index: int, cells: int) -> Row:
        if not self._entries:
            return ((_("no lessons here"), "note"),)
        kind, lesson = self._entries[index]
        glyphs = self.glyphs
        if lesson is None:
            return ((kind, "quiet"),) if kind else EMPTY
        title = clean(in_language(lesson.title, self.language) or lesson.id)
        mark = self.marks.get(lesson.id, "new")
        is_marked = index == self._marked_entry
        if kind == "next":
            verb = _("go on with") if mark == "begun" else _("next")
            pieces: list[Piece] = [(f"{glyphs.now} ", "now"), (f"{verb}  ", "quiet"), (title, "strong")]
        else:
            signs: dict[str, Piece] = {
                "done": (glyphs.yes, "leaf"),
                "begun": (glyphs.begun, "grad"),
                "new": (" ", "plain"),
            }
            role = "quiet" if missing_device(lesson) or mark == "done" else "plain"
            number = f"{kind:>2} " if kind else ""
            pieces = [("  ", "plain"), signs[mark], (f" {number}", "quiet"), (title, "strong" if is_marked else role)]
            if missing_device(lesson):
                pieces.append((f"  {_('needs {what}', what=missing_device(lesson))}", "note"))
        minutes = _("{count} min", count=self._extents.get(lesson.id, Extent()).minutes)
        left = fit(tuple(pieces), cells - width(minutes) - 2, "plain", glyphs.more)
        pieces = [*left, (f"  {minutes}", "quiet")]
        if not is_marked:
            return tuple(pieces)
        row = [(text, f"chosen {role}") for text, role in pieces]
        return fit(tuple(row), cells, "chosen", glyphs.more)

    def move(self, rows: int) -> None:
        stops = [index for index, (_, lesson) in enumerate(self._entries) if lesson is not None]
        if not stops:
            return
        stop = max(0, min(stops.index(self._marked_entry) + rows, len(stops) - 1))
        self._marked_entry = stops[stop]
        self._bring_into_view(self._marked_entry, 2)
        self.paint()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - 1
        if 0 < event.y < self.size.height - 1 and index < len(self._entries):
            lesson = self._entries[index][1]
            if lesson is not None:
                self._marked_entry = index
                self.paint()
                self.post_message(self.Moved())
                self.post_message(LessonChosen(lesson))


class LessonInfoPane(Pane, can_focus=False):
    """What the marked lesson shows, its length, and what it needs."""

    NAME = N_("about")

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[list[Piece]] = []
        self._made: tuple[int, list[Row]] | tuple[()] = ()

    def show_lesson(self, lesson: Header | None, place: str, extent: Extent, progress: Progress, language: str) -> None:
        """Show this lesson, its place among the others, and the learner's progress in it."""
        self._pieces, self._made = [], ()
        if lesson is not None:
            self._pieces = [
                [(clean(in_language(lesson.title, language)), "heading")],
                [(f" {self.glyphs.dot} ".join(filter(None, (clean(lesson.id), place))), "quiet")],
                [],
                [(clean(in_language(lesson.summary, language)), "plain")],
                [],
                [(ngettext("about {count} minute", "about {count} minutes", extent.minutes), "quiet")],
                [(self._describe_extent(extent, progress.steps), "quiet")],
            ]
            if lesson.topics:
                topics = _(", ").join(lesson.topics_in(language))
                self._pieces.append(styled("topics: {topics}", topics=(clean(topics), "plain")))
            if lesson.needs:
                role = "error" if missing_device(lesson) else "quiet"
                self._pieces.append([(_("needs {what}", what=", ".join(lesson.needs)), role)])
                if missing_device(lesson):
                    self._pieces.append([(_("No CUDA device is found here, so it cannot run."), "note")])
            self._pieces += self._describe_progress(extent, progress)
        self.paint()

    def _describe_progress(self, extent: Extent, progress: Progress) -> list[list[Piece]]:
        """Return how far the learner is, and how many answers were right."""
        if progress.mark == "new":
            return []
        glyphs = self.glyphs
        lines: list[list[Piece]] = [[]]
        if progress.done:
            lines.append([(f"{glyphs.yes} {_('done')}", "leaf")])
        else:
            left_at = ""
            if progress.step:
                text = N_(", left at step {step} of {steps}") if progress.steps else N_(", left at step {step}")
                left_at = _(text, step=progress.step, steps=progress.steps)
            lines.append([(f"{glyphs.begun} {_('begun')}", "grad"), (left_at, "quiet")])
        if extent.questions and progress.answers:
            text = N_("{right} of {count} questions right at the first try")
            right = min(progress.right, extent.questions)  # answers to questions of before are kept too
            lines.append([(_(text, right=right, count=extent.questions), "quiet")])
        lines.append(styled("{r} forgets it", r=("R", "key")))
        return lines

    def _describe_extent(self, extent: Extent, steps: int) -> str:
        """Return `4 cells of code · 2 questions · 1 exercise · 41 steps`."""
        cells, questions, exercises = extent.cells, extent.questions, extent.exercises
        parts = [ngettext("{count} cell of code", "{count} cells of code", cells)] if cells else []
        parts += [ngettext("{count} question", "{count} questions", questions)] if questions else []
        parts += [ngettext("{count} exercise", "{count} exercises", exercises)] if exercises else []
        parts += [ngettext("{count} step", "{count} steps", steps)] if steps else []
        return f" {self.glyphs.dot} ".join(parts)

    def _lines(self, cells: int) -> list[Row]:
        """Return the rows for this width, made once."""
        if not self._made or self._made[0] != cells:
            self._made = cells, [row for pieces in self._pieces for row in (wrapped(pieces, cells) or [EMPTY])]
        return self._made[1]

    def count(self) -> int:
        return len(self._lines(max(self.inner, 1)))

    def row(self, index: int, cells: int) -> Row:
        return self._lines(cells)[index]


LIST_KEYS = (
    Key("up", "up,k", "↑ k", N_("the lesson before"), action="move(-1)"),
    Key("down", "down,j", "↓ j", N_("the lesson after"), action="move(1)"),
    Key("page_up", "pageup", "PageUp", N_("ten lessons up"), action="move(-10)"),
    Key("page_down", "pagedown", "PageDown", N_("ten lessons down"), action="move(10)"),
    Key("first", "home", "Home", N_("the first lesson"), action="move(-10000)"),
    Key("last", "end", "End", N_("the last lesson"), action="move(10000)"),
    Key("open", "enter,right,l", "Enter", N_("open the lesson under the mark")),
    Key("palette", "colon,ctrl+p", ": Ctrl+P", BY_ID["palette"].about, action="app.command_palette"),
    Key("reset", "R", "R", N_("forget what was done with the lesson; press it twice")),
    Key("language", "L", "L", BY_ID["language"].about, action="app.change_language"),
    Key("redraw", "ctrl+l", "Ctrl+L", BY_ID["redraw"].about, action="app.redraw"),
    Key("help", "question_mark", "?", BY_ID["help"].about, action="app.help"),
    Key("leave", "escape", "Esc", N_("say how to quit")),
    Key("quit", "q", "q", BY_ID["quit"].about),
)


def _hints() -> tuple[Hint, ...]:
    return (
        Hint("↑ ↓", K_("choose"), "down", 2), Hint("Enter", K_("open"), "enter", 0),
        Hint(":", K_("palette"), "colon", 4), Hint("?", K_("help"), "question_mark", 1),
        Hint("L", native_name(next_language()), "L", 3),
        Hint("q", K_("quit"), "q", 0),
    )  # fmt: skip


class LessonsScreen(Screen[None]):
    """The lessons on the left; beside them what the marked one shows."""

    BINDINGS = bindings(LIST_KEYS)
    AUTO_FOCUS = ""

    def __init__(self, folder: Path, language: str, at: str = "") -> None:
        super().__init__()
        self.lessons = folder
        self.at = at
        """The lesson to mark when the list is shown next; empty to keep the mark."""
        self.language = language
        self._away = False
        self._progress: dict[str, Progress] = {}
        self._extents: dict[str, Extent] = {}
        self._forget_asked = ""
        """The lesson that is forgotten if the key is pressed again."""
        self.catalog = CatalogPane()
        self.info = LessonInfoPane()
        self.header, self.explain, self.keyline, self.small = TitleBar(), Explain(), KeyLine(), TooSmall()

    def compose(self) -> ComposeResult:
        yield from (self.header, self.catalog, self.info, self.explain, self.keyline, self.small)

    def on_mount(self) -> None:
        self.read()
        self.catalog.focus()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())
        # Once the list is on the screen: torch takes a second or two, and the learner takes longer.
        self.set_timer(0.3, lambda: self.post_message(WorkerWanted()))

    def read(self) -> None:
        """Read the lessons and the progress from disk."""
        problem = ""
        lessons: tuple[LessonHeader, ...] = ()
        try:
            contents = catalog.load(self.lessons)
            lessons = contents.lessons
            if contents.problems:
                others = len(contents.problems) - 1
                problem = str(contents.problems[0]) + (_(" (and {count} more)", count=others) if others else "")
        except LessonError as error:
            problem = str(error)
        store = Store()
        progress = self._progress = store.load_all(lessons)
        marks = {name: lesson_progress.mark for name, lesson_progress in progress.items()}
        self._extents = {lesson.id: self._extents.get(lesson.id) or measure(lesson.path) for lesson in lessons}
        self.catalog.fill(lessons, marks, self._extents, self.language, self.at)
        self.at = ""
        done = sum(lesson_progress.done for lesson_progress in progress.values())
        self.header.show("", "", [(_("{done} of {count} done", done=done, count=len(lessons)), "quiet")])
        self.explain.show([[(problem, "error")] if problem else self._greeting(store)])
        self.keyline.show(_hints())
        self.keyline.paint()
        self._show_marked()

    def _greeting(self, store: Store) -> list[tuple[str, str]]:
        if store.notice:
            return [(store.notice, "note")]
        return [(_("walk real PyTorch code, forward and back in time"), "quiet")]

    def on_screen_suspend(self) -> None:
        """Note that another screen was opened, so that the progress may change."""
        self._away = True

    def on_screen_resume(self) -> None:
        """Read the progress again after a lesson."""
        if self._away:
            self._away = False
            self.read()

    def on_resize(self) -> None:
        width, height = self.size
        is_small = layout.too_small(width, height)
        left = width * 48 // 100
        regions: dict[Surface, Region] = {
            self.header: Region(0, 0, width, 1),
            self.catalog: Region(0, 1, left, height - 3),
            self.info: Region(left, 1, width - left, height - 3),
            self.explain: Region(0, height - 2, width, 1),
            self.keyline: Region(0, height - 1, width, 1),
            self.small: Region(0, 0, width, height),
        }
        for surface, region in regions.items():
            surface.display = is_small == (surface is self.small)
            surface.styles.offset = (region.x, region.y)
            surface.styles.width, surface.styles.height = region.width, region.height

    def speak(self, language: str) -> None:
        """Change the language, and draw everything again."""
        self.language = language
        self.read()
        self.small.paint()

    def recolour(self) -> None:
        """Draw everything again in the colours of the new theme."""
        for surface in (self.header, self.catalog, self.info, self.explain, self.keyline):
            surface.repaint()

    def _show_marked(self) -> None:
        lesson = self.catalog.lesson
        name = lesson.id if lesson is not None else ""
        extent, progress = self._extents.get(name, Extent()), self._progress.get(name, Progress(name))
        self.info.show_lesson(lesson, self.catalog.place, extent, progress, self.language)

    def on_catalog_pane_moved(self) -> None:
        self._forget_asked = ""
        self._show_marked()

    def action_move(self, by: int) -> None:
        """Mark another lesson."""
        self.catalog.move(by)

    def action_open(self) -> None:
        """Open the marked lesson."""
        if self.catalog.lesson is not None:
            self.post_message(LessonChosen(self.catalog.lesson))

    def action_leave(self) -> None:
        """Say how to quit: Esc leads back to here."""
        self.explain.show([styled("{q} quits", q=("q", "key"))])

    def action_quit(self) -> None:
        """Quit; the status is that of no program."""
        self.app.exit(return_code=0)

    def action_reset(self) -> None:
        """Forget the progress in the marked lesson when asked twice."""
        if self.catalog.lesson is not None:
            self._forget(self.catalog.lesson)

    def _forget(self, lesson: LessonHeader) -> None:
        """Forget the progress in this lesson when asked twice."""
        if self._progress.get(lesson.id, Progress(lesson.id)).mark == "new":
            self.explain.show([[(_("not started: nothing to reset"), "quiet")]])
        elif self._forget_asked != lesson.id:
            self._forget_asked = lesson.id
            title = in_language(lesson.title, self.language)
            text = N_("{r} once more forgets your answers and your place in {title}")
            self.explain.show([styled(text, "note", r=("R", "key"), title=title)])
        else:
            self._forget_asked = ""
            store = Store()
            is_reset = store.reset(lesson.id, lesson.aliases)
            self.read()
            self.explain.show([[(_("forgotten"), "quiet") if is_reset else (store.notice or "", "error")]])
