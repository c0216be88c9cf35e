"""The keys, as data: what is bound, what the footer and the help screen say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Key(NamedTuple):
    """A key that does something on the lesson screen."""

    id: str
    keys: str
    """Textual's names, separated by commas."""
    shown: str
    label: str
    about: str
    """For the help screen; keys after one another with the same label share a line there."""


class Hint(NamedTuple):
    """One or two keys in the footer."""

    keys: str
    label: str
    action: str
    rank: int
    """The lower, the longer it stays as the terminal gets narrower."""


KEYS: tuple[Key, ...] = (
    Key("forward", "right,l", "→ l", "step", "the next step"),
    Key("back", "left,h", "← h", "step", "the one before"),
    Key("next_line", "n", "n", "line", "the next statement"),
    Key("previous_line", "p", "p", "line", "the one before: over operations, passes and calls"),
    Key("into", "i", "i", "into", "into a call, an operation, a pass or a module of the graph"),
    Key("out", "o", "o", "into", "out of it"),
    Key("next_cell", "right_square_bracket,pagedown", "] PageDown", "cell", "the next cell"),
    Key("previous_cell", "left_square_bracket,pageup", "[ PageUp", "cell", "the one before"),
    Key("next_iteration", "right_curly_bracket", "}", "turn", "the next iteration of this loop"),
    Key("previous_iteration", "left_curly_bracket", "{", "turn", "the one before"),
    Key("next_pass", "b", "b", "pass", "the next backward pass"),
    Key("previous_pass", "B", "B", "pass", "the one before"),
    Key("first", "home", "Home", "end", "the first step"),
    Key("last", "end", "End", "end", "the last one, along with a program that runs"),
    Key("play", "space", "space", "play", "play and pause"),
    Key("slower", "less_than_sign", "<", "pace", "play slower"),
    Key("faster", "greater_than_sign", ">", "pace", "faster"),
    Key("go", "g", "g", "go to", "go to a step, a line or an iteration"),
    Key("find", "slash", "/", "find", "find in code, names and output; Enter finds the next"),
    Key("details", "enter", "Enter", "details", "everything about the tensor or node under the mark, or the step"),
    Key("chart", "c", "c", "chart", "chart the tensor under the mark over time; again: no more"),
    Key(
        "view",
        "v",
        "v",
        "view",
        "the graph as lanes, as boxes, or one node with those around it; the chart: figure, curves, log axis",
    ),
    Key("others", "V", "V", "inputs", "show or hide what needs no gradient in the graph: data and numbers"),
    Key("knobs", "k", "k", "what if", "what if: set the knobs for another run"),
    Key("edit", "e", "e", "edit", "edit this cell, and run it; the file stays as it is"),
    Key("runs", "w", "w", "runs", "the runs: walk, compare, name and drop them"),
    Key("rerun", "r", "r", "run again", "run the program again"),
    Key("stop", "x", "x", "stop", "stop the program"),
    Key("hint", "H", "H", "exercise", "the next hint of the exercise"),
    Key("solution", "S", "S", "exercise", "its solution"),
    Key("skip", "s", "s", "skip", "skip the question"),
    Key("up", "up", "↑", "move", "up"),
    Key("down", "down", "↓", "move", "down in the pane"),
    Key("next_pane", "tab", "Tab", "pane", "the next pane"),
    Key("previous_pane", "shift+tab", "Shift+Tab", "pane", "the one before"),
    Key("zoom", "z", "z", "zoom", "one pane on all of the screen, and back"),
    Key("language", "L", "L", "language", "English or Chinese"),
    Key("help", "question_mark", "?", "help", "the keys and the marks"),
    Key("leave", "escape", "Esc", "back", "back; to the list of lessons"),
    Key("quit", "q", "q", "quit", "quit"),
)

HINTS: tuple[Hint, ...] = (
    Hint("Enter", "answer", "details", 1),
    Hint("s", "skip", "skip", 2),
    Hint("x", "stop", "stop", 3),
    Hint("← →", "step", "forward", 4),
    Hint("n p", "line", "next_line", 5),
    Hint("i", "into", "into", 12),
    Hint("o", "out", "out", 12),
    Hint("] [", "cell", "next_cell", 7),
    Hint("} {", "turn", "next_iteration", 10),
    Hint("b", "pass", "next_pass", 8),
    Hint("space", "play", "play", 9),
    Hint("k", "what if", "knobs", 12),
    Hint("H", "hint", "hint", 3),
    Hint("e", "edit", "edit", 4),
    Hint("w", "runs", "runs", 12),
    Hint("r", "run again", "rerun", 14),
    Hint("g", "go to", "go", 15),
    Hint("/", "find", "find", 14),
    Hint("Tab", "pane", "next_pane", 11),
    Hint("v", "view", "view", 16),
    Hint("z", "zoom", "zoom", 10),
    Hint("V", "inputs", "others", 17),
    Hint("?", "help", "help", 0),
    Hint("q", "quit", "quit", 0),
)


def bindings(keys: Sequence[Key] = KEYS) -> list[BindingType]:
    """What Textual is told."""
    return [
        Binding(key.keys, f"do('{key.id}')", key.label, key_display=key.shown, tooltip=key.about, id=key.id, show=False)
        for key in keys
    ]


def hints_now(works: Callable[[str], bool], hints: Sequence[Hint] = HINTS) -> list[Hint]:
    """Those that do something now."""
    return [hint for hint in hints if works(hint.action)]
