"""The panes of the list of lessons: the list, and what the lesson under the mark shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from textual import events
from textual.message import Message

from tutor.i18n import N_, _, ngettext
from tutor.lesson.model import UNSEEN, Header, in_language
from tutor.study.progress import Progress
from tutor.text_width import wrapped
from tutor.ui.draw.phrase import phrase
from tutor.ui.draw.row import EMPTY, Piece, Row, clean, fit
from tutor.ui.messages import LessonChosen
from tutor.ui.panes.pane import Pane

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
        lines.append(phrase("{r} forgets it", r=("R", "key")))
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
