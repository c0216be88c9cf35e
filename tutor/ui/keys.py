"""The keys, as data: what is bound, what the footer and the help screen say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.binding import Binding, BindingType

from tutor.language import later


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
    Key("forward", "right,l", "→ l", "step", later("the next step")),
    Key("back", "left,h", "← h", "step", later("the step before")),
    Key("next_line", "n", "n", "line", later("the next statement")),
    Key("previous_line", "p", "p", "line", later("the statement before: over operations, passes and calls")),
    Key("into", "i", "i", "into", later("into a call, an operation, a pass or a module of the graph")),
    Key("out", "o", "o", "into", later("out of it")),
    Key("next_cell", "right_square_bracket,pagedown", "] PageDown", "cell", later("the next cell")),
    Key("previous_cell", "left_square_bracket,pageup", "[ PageUp", "cell", later("the cell before")),
    Key("next_iteration", "right_curly_bracket", "}", "turn", later("the next iteration of this loop")),
    Key("previous_iteration", "left_curly_bracket", "{", "turn", later("the iteration before")),
    Key("next_pass", "b", "b", "pass", later("the next backward pass")),
    Key("previous_pass", "B", "B", "pass", later("the pass before")),
    Key("first", "home", "Home", "end", later("the beginning")),
    Key("last", "end", "End", "end", later("the last one, along with a program that runs")),
    Key("play", "space", later("space"), "play", later("play and pause")),
    Key("slower", "less_than_sign", "<", "pace", later("play slower")),
    Key("faster", "greater_than_sign", ">", "pace", later("faster")),
    Key("go", "g", "g", "go to", later("go to a step, a line or an iteration")),
    Key("find", "slash", "/", "find", later("find in code, names and output; Enter finds the next")),
    Key(
        "details", "enter", "Enter", "details", later("everything about the tensor or node under the mark, or the step")
    ),
    Key("chart", "c", "c", "chart", later("chart the tensor under the mark over time; again: no more")),
    Key(
        "view",
        "v",
        "v",
        "view",
        later("the graph as lanes, as boxes, or one node with those around it; the chart: figure, curves, log axis"),
    ),
    Key("others", "V", "V", "inputs", later("show or hide what needs no gradient in the graph: data and numbers")),
    Key("knobs", "k", "k", "what if", later("what if: set the knobs for another run")),
    Key("edit", "e", "e", "edit", later("edit this cell, and run it; the file stays as it is")),
    Key("runs", "w", "w", "runs", later("the runs: walk, compare, name and drop them")),
    Key("rerun", "r", "r", "run again", later("run the program again")),
    Key("stop", "x", "x", "stop", later("stop the program")),
    Key("hint", "H", "H", "exercise", later("the next hint of the exercise")),
    Key("solution", "S", "S", "exercise", later("its solution")),
    Key("skip", "s", "s", "skip", later("skip the question")),
    Key("up", "up", "↑", "move", later("up in the pane")),
    Key("down", "down", "↓", "move", later("down")),
    Key("next_pane", "tab", "Tab", "pane", later("the next pane")),
    Key("previous_pane", "shift+tab", "Shift+Tab", "pane", later("the pane before")),
    Key("zoom", "z", "z", "zoom", later("one pane on all of the screen, and back")),
    Key("language", "L", "L", "language", later("English or Chinese")),
    Key("help", "question_mark", "?", "help", later("the keys and the marks")),
    Key("leave", "escape", "Esc", "back", later("back; to the list of lessons")),
    Key("quit", "q", "q", "quit", later("quit")),
)

HINTS: tuple[Hint, ...] = (
    Hint("Enter", later("answer"), "details", 1),
    Hint("s", later("skip"), "skip", 2),
    Hint("x", later("stop"), "stop", 3),
    Hint("← →", later("step"), "forward", 4),
    Hint("n p", later("line"), "next_line", 5),
    Hint("i", later("into"), "into", 12),
    Hint("o", later("out"), "out", 12),
    Hint("] [", later("cell"), "next_cell", 7),
    Hint("} {", later("turn"), "next_iteration", 10),
    Hint("b", later("pass"), "next_pass", 8),
    Hint(later("space"), later("play"), "play", 9),
    Hint("k", later("what if"), "knobs", 12),
    Hint("H", later("hint"), "hint", 3),
    Hint("e", later("edit"), "edit", 4),
    Hint("w", later("runs"), "runs", 12),
    Hint("r", later("run again"), "rerun", 14),
    Hint("g", later("go to"), "go", 15),
    Hint("/", later("find"), "find", 14),
    Hint("Tab", later("pane"), "next_pane", 11),
    Hint("v", later("view"), "view", 16),
    Hint("z", later("zoom"), "zoom", 10),
    Hint("V", later("inputs"), "others", 17),
    Hint("?", later("help"), "help", 0),
    Hint("q", later("quit"), "quit", 0),
)


BRACKET = "left_square_bracket"
"""It leads to the cell before; but where a question is open a list begins with it."""


def bindings(keys: Sequence[Key] = KEYS) -> list[BindingType]:
    """What Textual is told."""
    found: list[BindingType] = []
    for key in keys:
        names = key.keys.split(",")
        if BRACKET in names:
            names.remove(BRACKET)
            found.append(Binding(BRACKET, "do('bracket')", show=False))
        action = f"do('{key.id}')"
        found.append(
            Binding(",".join(names), action, key.label, key_display=key.shown, tooltip=key.about, id=key.id, show=False)
        )
    return found


def hints_of_typing(does: str) -> list[Hint]:
    """Where one types: there letters are text."""
    return [Hint("Enter", does, "details", 0), Hint("Esc", later("back"), "leave", 0)]


def hints_now(works: Callable[[str], bool], hints: Sequence[Hint] = HINTS) -> list[Hint]:
    """Those that do something now."""
    return [hint for hint in hints if works(hint.action)]
