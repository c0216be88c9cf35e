"""Walking without a screen: a line of input, a step, and the words that it takes. Works with any terminal, and none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TextIO

from tutor.explain import cause, explanation, line
from tutor.i18n import N_, _, ngettext
from tutor.lesson.model import Cell
from tutor.progress import Progress, Store
from tutor.text import prose, show
from tutor.text.changes import changed
from tutor.text.guarded import guarded
from tutor.text.output import Paint, safe
from tutor.text.questions import Questions
from tutor.trace import navigation
from tutor.trace.timeline import Timeline

HELP = N_("""\
Enter  the next step            b   the step before
n      the next statement       p   the statement before
i      into a call              o   out of it
]      the next cell            [   the cell before
}      the next turn of a loop  {   the turn before
f      the next backward pass   F   the backward pass before
t      everything here          c   what made this failure inevitable
7      to step 7                line:8  to where line 8 has run; also cell:2, end, line:8#3
s      skip a question          ?   this help
q      quit
""")

Go = Callable[[Timeline, int], int | None]
_MOVES: dict[str, tuple[Go, str]] = {
    "": (navigation.forward, N_("This was the last step.")),
    "b": (navigation.back, N_("This is the first step.")),
    "back": (navigation.back, N_("This is the first step.")),
    "n": (navigation.next_line, N_("No statement comes after this one.")),
    "next": (navigation.next_line, N_("No statement comes after this one.")),
    "p": (navigation.previous_line, N_("This is the first statement.")),
    "i": (navigation.into, N_("Nothing to step into here.")),
    "into": (navigation.into, N_("Nothing to step into here.")),
    "o": (navigation.out, N_("Nothing to step out of here.")),
    "out": (navigation.out, N_("Nothing to step out of here.")),
    "]": (navigation.next_cell, N_("This is the last cell that ran.")),
    "[": (navigation.previous_cell, N_("This is the first cell.")),
    "}": (navigation.next_iteration, N_("No turn of a loop comes after this.")),
    "{": (navigation.previous_iteration, N_("No turn of a loop comes before this.")),
    "f": (navigation.next_pass, N_("No backward pass comes after this.")),
    "F": (navigation.previous_pass, N_("No backward pass comes before this.")),
}
_AHEAD = ("", "n", "next", "]", "}", "f")


class Walker:
    """A walk through a recording: the cursor, and what has been told."""

    def __init__(self, timeline: Timeline, store: Store | None, language: str, source: TextIO, out: TextIO) -> None:
        self.timeline = timeline
        self.step = 0
        self._source = source
        self._out = out
        self._paint = Paint(out)
        self._asked = source.isatty()
        self._prose = prose.Prose(timeline, language)
        self._questions = Questions(timeline, language)
        document = timeline.document
        self._store = store
        self._progress = Progress(document.name, begun=True) if document is not None else Progress("")
        self._told_cells = 0

    def run(self) -> None:
        """Until the last line of input, or `q`."""
        try:
            self._begin()
            while (typed := self._read("> ")) is not None and typed.strip() not in ("q", "quit", "exit"):
                guarded(self.timeline, partial(self._do, typed.strip()), self._cannot)
        finally:
            self._keep()

    # ------------------------------------------------------------ a command

    def _begin(self) -> None:
        timeline = self.timeline
        document = timeline.document
        title = self._prose.title or (document.name if document is not None else _("a recording"))
        said = ngettext(
            ", {count} step. Enter takes a step, ? helps.",
            ", {count} steps. Enter takes a step, ? helps.",
            timeline.steps,
        )
        self._say([(title, "node"), (said, "quiet")])

    def _cannot(self, why: str) -> None:
        self._say([(why, "quiet")])

    def _do(self, command: str) -> None:
        if command in _MOVES:
            go, nowhere = _MOVES[command]
            step = go(self.timeline, self.step)
            if step is None or step == self.step:
                if command == "" and self.step >= self.timeline.steps:
                    self._tell_prose(None)
                said = [(_(nowhere), "quiet")]
                if self.timeline.cut is not None and command in _AHEAD:
                    said.append((_(" The recording was full at step {step:,}.", step=self.timeline.cut), "quiet"))
                self._say(said)
            else:
                self._move(step)
        elif command in ("?", "h", "help"):
            self._out.write(_(HELP))
        elif command in ("t", "show"):
            if self.step:
                show.write_text(self.timeline, self.step, self._out)
        elif command == "c":
            self._to_cause()
        else:
            self._go(command)

    def _go(self, where: str) -> None:
        try:
            step = navigation.resolve(self.timeline, where)
        except navigation.PlaceError as error:
            hint = "" if ":" in where or where.isdecimal() else _(" ? lists the commands.")
            self._say([(f"{error}{hint}", "error")])
            return
        if step:
            self._move(step)

    def _to_cause(self) -> None:
        if not self.step or self.timeline.kind(self.step) != "failed":
            self._say([(_("This step is no failure."), "quiet")])
            return
        step = cause(self.timeline, self.step)
        if step is None:
            self._say([(_("Where this became inevitable is not known."), "quiet")])
        else:
            self._move(step)

    # ------------------------------------------------------------ a step

    def _move(self, step: int) -> None:
        """To a step, by way of the prose and the questions that stand before its cell."""
        before = self.step
        cell = self.timeline.cell(step)
        for number in range(self._told_cells + 1, (cell or 0) + 1):
            self._leave_cell(number - 1)
            if not self._tell_prose(number):
                return
            self._told_cells = number
        self.step = step
        self._progress.done |= step == self.timeline.steps
        parts = [(f"{step:>{len(str(self.timeline.steps))}}  ", "quiet"), *line(self.timeline, step)]
        self._say(parts)
        if step > before:
            printed = self.timeline.output(step)[len(self.timeline.output(before)) :]
            for text in printed.splitlines():
                self._say([("   | ", "quiet"), (text, "plain")])
        for text in changed(self.timeline, step):
            self._say([("     " + text, "quiet")])
        why = explanation(self.timeline, step)
        if why is not None:
            self._say([("     " + why, "error")])
            if cause(self.timeline, step) is not None:
                self._say([("     " + _("c goes to the step that made it inevitable."), "quiet")])
        if self.timeline.kind(step) == "cell_end" and cell is not None:
            self._tell_answers(cell)

    def _leave_cell(self, number: int) -> None:
        """To the end of a cell that is jumped over: what follows speaks of what it did."""
        end = next((info.end for info in self.timeline.cells if info.cell == number), None)
        if end is not None and self.step < end:
            self.step = end
            self._tell_answers(number)

    def _tell_prose(self, number: int | None) -> bool:
        """What stands before a code cell (after the last one: None), its questions asked. False: input has ended."""
        for cell in self._prose.before(number):
            state = self.timeline.state(self.step)
            for text in self._prose.lines(cell, state):
                self._out.write(safe(text) + "\n")
            if cell.question is not None and not self._ask(cell):
                return False
        return True

    def _ask(self, cell: Cell) -> bool:
        for number, option in enumerate(self._questions.options(cell), 1):
            self._out.write(safe(f"  {number}  {option}") + "\n")
        for row in self._questions.code(cell):
            self._out.write(safe(row) + "\n")
        while (typed := self._read(_("{what}, s skips: ", what=self._questions.prompt(cell)))) is not None:
            said, settled = self._questions.give(cell, typed.strip())
            if said:
                self._say([(said, "plain")])
            if settled:
                self._keep_answer(cell)
                return True
        return False

    def _tell_answers(self, number: int) -> None:
        """After a cell has ended: how the answers to its questions compare."""
        exercise = self._questions.exercise(number)
        if exercise is not None:
            self._say([(exercise, "plain")])
        for text, right in self._questions.verdicts(number):
            self._say([(text, "leaf" if right else "grad")])

    # ------------------------------------------------------------ in and out

    def _read(self, prompt: str) -> str | None:
        """A line of input; None when there is no more."""
        self._out.write(prompt if self._asked else "")
        self._out.flush()
        typed = self._source.readline()
        return typed if typed else None

    def _say(self, parts: list[tuple[str, str]]) -> None:
        self._out.write("".join(self._paint(text, role) for text, role in parts) + "\n")

    # ------------------------------------------------------------ progress

    def _keep_answer(self, cell: Cell) -> None:
        given = self._questions.given.get(cell.index)
        if given is not None:
            self._progress.answers[cell.index] = given
            self._keep()

    def _keep(self) -> None:
        """Keep the progress of a lesson. Who has seen its last step is done with it."""
        if self._store is None:
            return
        self._progress.step = self.step
        self._store.save(self._progress)
        if self._store.notice is not None:
            print(f"gradtutor: {self._store.notice}", file=sys.stderr)
            self._store.notice = None
