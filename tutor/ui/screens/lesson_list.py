"""The list of lessons: which there are, which are done, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from tutor.i18n import K_, N_, _, key_label, native_name, next_language, ngettext
from tutor.lesson import catalog
from tutor.lesson.extent import Extent, measure
from tutor.lesson.model import Header, LessonError, in_language
from tutor.lesson.model import Header as LessonHeader
from tutor.study.course import missing_device, next_lesson
from tutor.study.progress import Progress, Store
from tutor.text_width import width, wrapped
from tutor.ui import layout
from tutor.ui.bars import Explain, KeyLine, TitleBar, TooSmall
from tutor.ui.bindings import BY_ID, Hint, Key, bindings, typing_hints
from tutor.ui.panes.base import LessonChosen, Pane, Surface, TargetChosen, WorkerWanted
from tutor.ui.panes.prompt import Prompt, PromptLabel
from tutor.ui.render.segments import EMPTY, Piece, Row, clean, fit, styled
from tutor.ui.screens.file_choice import FileChoice

_FAMILIES = (
    N_("start"),
    N_("tensors"),
    N_("graph"),
    N_("backprop"),
    N_("training"),
    N_("pitfalls"),
    N_("gpu"),
)
"""The families of lessons, as texts of the interface; families of other authors keep their own names."""


class FileWanted(Message):
    """Posted to ask for a file to open."""


def _has(lesson: Header, text: str) -> bool:
    """Return whether a lesson has all words of a text in its id, titles, summaries or topics."""
    topics = [topic for of_language in lesson.topics.values() for topic in of_language]
    about = " ".join([lesson.id, *lesson.title.values(), *lesson.summary.values(), *topics]).lower()
    return all(word in about for word in text.lower().split())


def _chosen(row: Iterable[Piece]) -> Row:
    """Return a row as the marked one."""
    return tuple((text, f"chosen {role}") for text, role in row)


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
        self._extent_of: Callable[[Header], Extent] = lambda lesson: Extent()
        self.language = "en"
        self._entries: list[tuple[str, Header | None]] = []
        """What is written in a row: `next`, a heading, the number of a lesson on the path (empty for a side road), or
        `file`, which opens a file; and the lesson that it opens."""
        self.filter = ""
        """What the title, summary, topics or id of a lesson must contain; empty: all are shown."""
        self._marked_entry = 0

    def fill(
        self,
        lessons: Sequence[Header],
        marks: Mapping[str, str],
        extent_of: Callable[[Header], Extent],
        language: str,
        at: str = "",
    ) -> None:
        """Show these lessons; the mark goes to the lesson `at`, or stays on its own."""
        self.lessons, self.marks, self._extent_of, self.language = lessons, marks, extent_of, language
        self._arrange(at)

    def show_matching(self, text: str) -> None:
        """Show the lessons whose title, summary, topics or id have all words of a text."""
        self.filter = text
        self._arrange()
        self.post_message(self.Moved())

    def _arrange(self, at: str = "") -> None:
        """Make the rows; the mark goes to the lesson `at`, or stays on its own, if it is shown."""
        lessons = self.lessons
        before = self.lesson.id if self.lesson is not None else ""
        self._entries = []
        following = next_lesson(lessons, self.marks)
        if following is not None and not self.filter:
            self._entries.append(("next", following))
        has_path = any(lesson.order is not None for lesson in lessons)
        heading = ""
        for number, lesson in enumerate(lessons, catalog.first_number(lessons)):
            if self.filter and not _has(lesson, self.filter):
                continue
            family = clean(_(lesson.family))
            if lesson.order is not None:
                under = _("the path")
            else:
                under = _("side roads: {family}", family=family) if has_path else family
            if under != heading:
                heading = under
                self._entries += [("", None), (heading, None)]
            self._entries.append((str(number) if lesson.order is not None else "", lesson))
        if not self._entries:
            self._entries.append((_("no lesson has this") if self.filter else _("no lessons here"), None))
        if not self.filter:
            self._entries += [("", None), ("file", None)]
        ids = [lesson.id if lesson is not None else None for _, lesson in self._entries]
        first = next((index for index, name in enumerate(ids) if name is not None), 0)
        self._marked_entry = next((ids.index(name) for name in (at, before) if name in ids), first)
        self.update()

    @property
    def is_at_file(self) -> bool:
        """Whether the mark is on the row that opens a file."""
        return self._marked_entry < len(self._entries) and self._entries[self._marked_entry][0] == "file"

    def in_view(self) -> int:
        return self._marked_entry

    @property
    def lesson(self) -> Header | None:
        """The marked lesson."""
        return self._entries[self._marked_entry][1] if self._marked_entry < len(self._entries) else None

    @property
    def place(self) -> str:
        """Where the marked lesson is: `lesson 8 of 21 of the path`, `a side road`; empty where there is no path."""
        path = [lesson for lesson in self.lessons if lesson.order is not None]
        if self.lesson is None or not path:
            return ""
        if self.lesson.order is None:
            return _("a side road")
        first = catalog.first_number(path)
        number, count = path.index(self.lesson) + first, len(path) + first - 1
        return (
            _("lesson {number} of {count} of the path", number=number, count=count) if number else _("before the path")
        )

    def heading(self) -> Row:
        return EMPTY

    def count(self) -> int:
        return len(self._entries)

    def row(self, index: int, cells: int) -> Row:
        kind, lesson = self._entries[index]
        glyphs = self.glyphs
        is_marked = index == self._marked_entry
        if kind == "file":
            text = _("open a file of your own {more}", more=glyphs.more)
            row: Row = (("  ", "plain"), ("o", "key"), (f" {text}", "strong" if is_marked else "plain"))
            return fit(_chosen(row), cells, "chosen", glyphs.more) if is_marked else row
        if lesson is None:
            return ((kind, "quiet"),) if kind else EMPTY
        title = clean(in_language(lesson.title, self.language) or lesson.id)
        mark = self.marks.get(lesson.id, "new")
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
        minutes = _("{count} min", count=self._extent_of(lesson).minutes)
        left = fit(tuple(pieces), cells - width(minutes) - 2, "plain", glyphs.more)
        pieces = [*left, (f"  {minutes}", "quiet")]
        if not is_marked:
            return tuple(pieces)
        return fit(_chosen(pieces), cells, "chosen", glyphs.more)

    def move(self, rows: int) -> None:
        stops = [index for index, (kind, lesson) in enumerate(self._entries) if lesson is not None or kind == "file"]
        if not stops:
            return
        at = stops.index(self._marked_entry) if self._marked_entry in stops else -rows
        stop = max(0, min(at + rows, len(stops) - 1))
        self._marked_entry = stops[stop]
        self._bring_into_view(self._marked_entry, 2)
        self.paint()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - 1
        if 0 < event.y < self.size.height - 1 and index < len(self._entries):
            kind, lesson = self._entries[index]
            if lesson is None and kind != "file":
                return
            self._marked_entry = index
            self.paint()
            self.post_message(self.Moved())
            self.post_message(FileWanted() if lesson is None else LessonChosen(lesson))


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
    Key("first", "home", "Home", N_("the first row"), action="move(-10000)"),
    Key("last", "end", "End", N_("the last row"), action="move(10000)"),
    Key("open", "enter,right,l", "Enter", N_("open the lesson under the mark")),
    Key("find", "slash", "/", N_("show the lessons that have a word in title, summary or topics")),
    Key("file", "o", "o", N_("open a file of your own: a Python script, a notebook or a recording")),
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
        Hint("/", K_("find"), "slash", 3), Hint("o", K_("file"), "o", 4),
        Hint(":", K_("palette"), "colon", 4), Hint("?", K_("help"), "question_mark", 1),
        Hint("L", native_name(next_language()), "L", 3),
        Hint("q", K_("quit"), "q", 0),
    )  # fmt: skip


class LessonsScreen(Screen[None]):
    """The lessons on the left; beside them what the marked one shows."""

    KEYS = LIST_KEYS
    BINDINGS = bindings(LIST_KEYS)
    AUTO_FOCUS = ""

    def __init__(self, folder: Path, language: str, at: str = "", problem: str = "") -> None:
        """Make the screen.

        Args:
            folder: The folder of the lessons.
            language: The language of the interface.
            at: The lesson to mark.
            problem: What to say in place of the greeting.
        """
        super().__init__()
        self._problem = problem
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
        self.prompt, self.label = Prompt(), PromptLabel()
        self._file_choice = FileChoice(folder, "o")
        """The path that was typed last: an error in it can be corrected."""

    def compose(self) -> ComposeResult:
        yield from (self.header, self.catalog, self.info, self.explain, self.keyline, self.small)
        yield from (self.label, self.prompt)

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
        self.catalog.fill(lessons, marks, self._extent_of, self.language, self.at)
        self.at = ""
        done = sum(lesson_progress.done for lesson_progress in progress.values())
        self.header.show("", "", [(_("{done} of {count} done", done=done, count=len(lessons)), "quiet")])
        self.explain.show([[(problem, "error")] if problem else self._greeting(store)])
        self.keyline.show(_hints())
        self.keyline.paint()
        self._show_marked()

    def _extent_of(self, lesson: Header) -> Extent:
        """Return what a lesson holds. Its file is read when it is first asked about: many are not in view."""
        extent = self._extents.get(lesson.id)
        if extent is None:
            extent = self._extents[lesson.id] = measure(lesson.path)
        return extent

    def _greeting(self, store: Store) -> list[tuple[str, str]]:
        if store.notice or self._problem:
            return [(clean(store.notice or self._problem), "note")]
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
        columns, height = self.size
        is_small = layout.too_small(columns, height)
        left = columns * 48 // 100
        regions: dict[Surface, Region] = {
            self.header: Region(0, 0, columns, 1),
            self.catalog: Region(0, 1, left, height - 3),
            self.info: Region(left, 1, columns - left, height - 3),
            self.explain: Region(0, height - 2, columns, 1),
            self.keyline: Region(0, height - 1, columns, 1),
            self.small: Region(0, 0, columns, height),
        }
        for surface, region in regions.items():
            surface.display = is_small == (surface is self.small)
            surface.styles.offset = (region.x, region.y)
            surface.styles.width, surface.styles.height = region.width, region.height
        self._place_prompt()

    def _place_prompt(self) -> None:
        """Show or hide the prompt in place of the greeting."""
        columns, rows = self.size
        shown, label = bool(self.prompt.purpose) and not self.small.display, width(self.label.text) + 2
        self.label.display = self.prompt.display = shown
        for widget, x, cells in ((self.label, 0, label), (self.prompt, label, columns - label)):
            widget.styles.offset = (x, rows - 2)
            widget.styles.width, widget.styles.height = cells, 1

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
        extent = self._extent_of(lesson) if lesson is not None else Extent()
        progress = self._progress.get(name, Progress(name))
        self.info.show_lesson(lesson, self.catalog.place, extent, progress, self.language)

    def on_catalog_pane_moved(self) -> None:
        self._forget_asked = ""
        self._show_marked()

    def action_move(self, by: int) -> None:
        """Mark another lesson."""
        self.catalog.move(by)

    def action_open(self) -> None:
        """Open the marked lesson, or ask for a file."""
        if self.catalog.lesson is not None:
            self.post_message(LessonChosen(self.catalog.lesson))
        elif self.catalog.is_at_file:
            self.action_file()

    # ------------------------------------------------------------ the prompt

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to the prompt while it is open, but for Esc."""
        return not self.prompt.purpose or action == "leave"

    def action_find(self) -> None:
        """Ask which lessons to show."""
        self._open_prompt("lessons", self.catalog.filter)

    def action_file(self) -> None:
        """Ask for a file to open."""
        self._open_prompt("file", self._file_choice.typed)

    def on_file_wanted(self) -> None:
        self.action_file()

    def _open_prompt(self, purpose: str, value: str) -> None:
        self.prompt.begin(purpose, value)
        self.prompt.placeholder = self.prompt.example
        self.label.text = key_label("find" if purpose == "lessons" else "file")
        self._place_prompt()
        self.label.paint()
        self.keyline.show(typing_hints(self.prompt.enter_label))
        self.prompt.focus()

    def _close_prompt(self) -> None:
        self.prompt.purpose = ""
        self._place_prompt()
        self.keyline.show(_hints())
        self.catalog.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the lessons that have what is typed."""
        if self.prompt.purpose == "lessons":
            self.catalog.show_matching(event.value.strip())

    def on_prompt_moved(self, message: Prompt.Moved) -> None:
        """Mark another lesson while one types."""
        if self.prompt.purpose == "lessons":
            self.catalog.move(message.by)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Open the marked lesson, or the file."""
        purpose = self.prompt.purpose
        self._close_prompt()
        if purpose == "file":
            chosen = self._file_choice.choose(event.value)
            if isinstance(chosen, TargetChosen):
                self.post_message(chosen)
            elif chosen:
                self.explain.show([chosen])
        elif self.catalog.lesson is not None:
            self.action_open()
            self.catalog.show_matching("")

    def action_leave(self) -> None:
        """Close the prompt, show all lessons again, or say how to quit: Esc leads back to here."""
        if self.prompt.purpose:
            self._close_prompt()
        if self.catalog.filter:
            self.catalog.show_matching("")
        else:
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
