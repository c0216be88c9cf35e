"""The commands of the walk without a screen: the letters of the screen, a word for each, and moves between statements
that do something.
"""

from __future__ import annotations

from functools import partial

from tutor.i18n import N_
from tutor.study import moves
from tutor.study.moves import Find, Move
from tutor.trace import navigation
from tutor.trace.timeline import Timeline

HELP = N_("""\
Type a letter or its word, then press Enter.

Enter alone, or forward: the next step
h, back: the step before
n, next: the next statement
p, previous: the statement before
i, into: into a call or a backward pass
o, out: out of it
b, pass: the next backward pass
B: the backward pass before
a, bookmark: a bookmark at this step; a and a text: with that note; again, without a text: no bookmark
m, mark: the next bookmark, or where the program called breakpoint()
M: the one before
right bracket, cell: the next cell
left bracket: the cell before
right brace, iteration: the next iteration
left brace: the iteration before
exclamation mark, problem: the next problem; from a failure, what made it inevitable
a number, or g and a place, go: to that step; places are also line 8, cell 2, iteration 3, pass 1, start and end
slash and a text, find: the next step whose code or output has that text
apostrophe: back to where the last jump came from; quotation mark: forward again
u, changed: who changed the tensor that this step brought; u and a name: that one; again: the change before
show: everything there is here: tensors, graph, optimizer, output
s, skip: skip a question
e, edit: try an exercise
H, hint: a hint for an exercise
S, solution: its solution
k, knobs: the knobs; k, a name and a value runs the lesson with it
r, run: run it again
t, glossary: the words of this text in the glossary; t and a word: what it means
L, language: English or Chinese
question mark, help: this list
q, quit: leave
""")

WORDS = {
    "forward": "", "back": "h", "next": "n", "previous": "p", "into": "i", "out": "o", "pass": "b", "cell": "]",
    "iteration": "}", "mark": "m", "problem": "!", "go": "g", "find": "/", "skip": "s", "edit": "e", "hint": "H",
    "solution": "S", "knobs": "k", "knob": "k", "run": "r", "changed": "u", "bookmark": "a", "glossary": "t",
    "language": "L", "help": "?", "quit": "q", "exit": "q",
}  # fmt: skip
"""The letters that words stand for."""
BOOKMARKED = {
    "bookmark": N_("A bookmark is here: m and M lead to it."),
    "no bookmark": N_("No bookmark is here any more."),
    "not kept": N_("A bookmark is here for this walk: it could not be kept."),
}
"""What to say, by the outcome of the command."""
WITH_TEXT = ("g", "/", "k", "t", "u", "a")
"""The letters that a text may follow."""
OTHERS = ("!", "'", '"', "show", "s", "e", "H", "S", "r", "L", "?", "q", *WITH_TEXT)
"""The commands that are no moves."""


def parse(typed: str) -> tuple[str, str]:
    """Return the letter of a command and the text after it; no letter but a text if it is no command: a place."""
    text = typed.strip()
    if text.startswith("/"):
        return "/", text[1:].strip()
    word, _space, rest = text.partition(" ")
    letter = WORDS.get(word.lower(), word)
    if letter in WITH_TEXT or (not rest and (letter in MOVES or letter in OTHERS)):
        return letter, rest.strip()
    return "place", text


def is_command(typed: str) -> bool:
    """Return whether a text is a command, and no place or answer."""
    return parse(typed)[0] != "place"


def _first_stop(find: Find, timeline: Timeline, step: int) -> int | None:
    """Move to where a cell begins, and on to its first stop; back from there to the cell before."""
    begins = find(timeline, step)
    while begins is not None:
        stop = begins if moves.is_stop(timeline, begins) else moves.forward(timeline, begins)
        if stop is None or (begins > step or stop < step):
            return stop
        begins = find(timeline, begins)
    return None


FORWARD = Move(moves.forward, N_("This was the last step."), ahead=True)
MOVES = {
    "": FORWARD,
    "l": FORWARD,
    "h": Move(partial(moves.stopping, navigation.back), N_("This is the first step.")),
    "n": Move(moves.next_line, N_("No statement comes after this one."), ahead=True),
    "p": Move(partial(moves.stopping, navigation.previous_line), N_("This is the first statement.")),
    "i": Move(navigation.into, N_("Nothing to step into here.")),
    "o": Move(navigation.out, N_("Nothing to step out of here.")),
    "]": Move(partial(_first_stop, navigation.next_cell), N_("This is the last cell that ran."), ahead=True),
    "[": Move(partial(_first_stop, navigation.previous_cell), N_("This is the first cell.")),
    "}": Move(navigation.next_iteration, N_("No iteration comes after this."), ahead=True),
    "{": Move(navigation.previous_iteration, N_("No iteration comes before this.")),
    "b": Move(navigation.next_pass, N_("No backward pass comes after this."), ahead=True),
    "B": Move(navigation.previous_pass, N_("No backward pass comes before this.")),
    "m": Move(navigation.next_mark, N_("No bookmark comes after this: a makes one."), ahead=True),
    "M": Move(navigation.previous_mark, N_("No bookmark comes before this.")),
}
"""The moves by their letters; of each, where it leads and what to say where it leads nowhere."""
