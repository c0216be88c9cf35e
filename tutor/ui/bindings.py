"""Key bindings: which keys are bound, how the footer and the help screen describe them, which are possible now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding, BindingType

from tutor.i18n import N_
from tutor.ui.moves import MOVES
from tutor.ui.panes.base import Pane

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


class Key(NamedTuple):
    """A key of a screen, and what it does."""

    id: str
    keys: str
    """The names that Textual gives the keys, separated by commas."""
    shown: str
    label: str
    about: str
    """Text for the help screen. Consecutive keys with the same label share a line there."""


class Hint(NamedTuple):
    """One or two keys in the footer."""

    keys: str
    label: str
    action: str
    rank: int
    """Importance: as the terminal gets narrower, the hints with the highest rank go first."""


KEYS: tuple[Key, ...] = (
    Key("forward", "right,l", "→ l", "step", N_("the next step")),
    Key("back", "left,h", "← h", "step", N_("the step before")),
    Key("next_line", "n", "n", "line", N_("the next statement")),
    Key("previous_line", "p", "p", "line", N_("the statement before: over operations, passes and calls")),
    Key("into", "i", "i", "into", N_("into a call, an operation, a pass or a module of the graph")),
    Key("out", "o", "o", "into", N_("out of it")),
    Key("next_cell", "right_square_bracket,pagedown", "] PageDown", "cell", N_("the next cell")),
    Key("previous_cell", "left_square_bracket,pageup", "[ PageUp", "cell", N_("the cell before")),
    Key("next_iteration", "right_curly_bracket", "}", "iteration", N_("the next iteration of this loop")),
    Key("previous_iteration", "left_curly_bracket", "{", "iteration", N_("the iteration before")),
    Key("next_pass", "b", "b", "pass", N_("the next backward pass")),
    Key("previous_pass", "B", "B", "pass", N_("the pass before")),
    Key("first", "home", "Home", "end", N_("the beginning")),
    Key("last", "end", "End", "end", N_("the last one, along with a program that runs")),
    Key("play", "space", N_("space"), "play", N_("play and pause")),
    Key("slower", "less_than_sign", "<", "pace", N_("play slower")),
    Key("faster", "greater_than_sign", ">", "pace", N_("faster")),
    Key("go", "g", "g", "go to", N_("go to a step, a line or an iteration")),
    Key("find", "slash", "/", "find", N_("find in code, names and output; Enter finds the next")),
    Key("details", "enter", "Enter", "details", N_("everything about the tensor or node under the mark, or the step")),
    Key("chart", "c", "c", "chart", N_("chart the tensor under the mark over time; again: no more")),
    Key(
        "view",
        "v",
        "v",
        "view",
        N_("the graph as lanes, as boxes, or one node with those around it; the chart: figure, curves, log axis"),
    ),
    Key("others", "V", "V", "inputs", N_("show or hide what needs no gradient in the graph: data and numbers")),
    Key("knobs", "k", "k", "what if", N_("what if: set the knobs for another run")),
    Key("edit", "e", "e", "edit", N_("edit this cell, and run it; the file stays as it is")),
    Key("runs", "w", "w", "runs", N_("the runs: walk, compare, name and drop them")),
    Key("rerun", "r", "r", "run again", N_("run the program again")),
    Key("stop", "x", "x", "stop", N_("stop the program")),
    Key("hint", "H", "H", "exercise", N_("the next hint of the exercise")),
    Key("solution", "S", "S", "exercise", N_("its solution")),
    Key("skip", "s", "s", "skip", N_("skip the question")),
    Key("up", "up", "↑", "move", N_("up in the pane")),
    Key("down", "down", "↓", "move", N_("down")),
    Key("next_pane", "tab", "Tab", "pane", N_("the next pane")),
    Key("previous_pane", "shift+tab", "Shift+Tab", "pane", N_("the pane before")),
    Key("zoom", "z", "z", "zoom", N_("one pane on all of the screen, and back")),
    Key("language", "L", "L", "language", N_("the next language")),
    Key("help", "question_mark", "?", "help", N_("the keys and the marks")),
    Key("leave", "escape", "Esc", "back", N_("back; to the list of lessons")),
    Key("quit", "q", "q", "quit", N_("quit")),
)

HINTS: tuple[Hint, ...] = (
    Hint("Enter", N_("answer"), "details", 1),
    Hint("s", N_("skip"), "skip", 2),
    Hint("x", N_("stop"), "stop", 3),
    Hint("← →", N_("step"), "forward", 4),
    Hint("n p", N_("line"), "next_line", 5),
    Hint("i", N_("into"), "into", 12),
    Hint("o", N_("out"), "out", 12),
    Hint("] [", N_("cell"), "next_cell", 7),
    Hint("} {", N_("iteration"), "next_iteration", 10),
    Hint("b", N_("pass"), "next_pass", 8),
    Hint(N_("space"), N_("play"), "play", 9),
    Hint("k", N_("what if"), "knobs", 12),
    Hint("H", N_("hint"), "hint", 3),
    Hint("e", N_("edit"), "edit", 4),
    Hint("w", N_("runs"), "runs", 12),
    Hint("r", N_("run again"), "rerun", 14),
    Hint("g", N_("go to"), "go", 15),
    Hint("/", N_("find"), "find", 14),
    Hint("Tab", N_("pane"), "next_pane", 11),
    Hint("v", N_("view"), "view", 16),
    Hint("z", N_("zoom"), "zoom", 10),
    Hint("V", N_("inputs"), "others", 17),
    Hint("?", N_("help"), "help", 0),
    Hint("q", N_("quit"), "quit", 0),
)


BRACKET = "left_square_bracket"
"""The key `[`: it leads to the previous cell, but starts a list where a question waits for an answer."""


def bindings(keys: Sequence[Key] = KEYS) -> list[BindingType]:
    """Return the Textual bindings of these keys; each calls `action_do` with the key's id."""
    result: list[BindingType] = []
    for key in keys:
        names = key.keys.split(",")
        if BRACKET in names:
            names.remove(BRACKET)
            result.append(Binding(BRACKET, "do('bracket')", show=False))
        action = f"do('{key.id}')"
        result.append(
            Binding(",".join(names), action, key.label, key_display=key.shown, tooltip=key.about, id=key.id, show=False)
        )
    return result


def typing_hints(enter_label: str) -> list[Hint]:
    """Return the hints for an input, where letters are text. `enter_label` says what Enter does."""
    return [Hint("Enter", enter_label, "details", 0), Hint("Esc", N_("back"), "leave", 0)]


def possible_hints(possible: Callable[[str], bool], hints: Sequence[Hint] = HINTS) -> list[Hint]:
    """Return the hints whose keys do something now, by `possible`."""
    return [hint for hint in hints if possible(hint.action)]


def is_possible(screen: LessonScreen, key: str) -> bool:
    """Return whether a key does something at the cursor of this screen."""
    timeline, step, focused = screen.timeline, screen.cursor, screen.focused
    match key:
        case "play" | "next_pass" | "next_cell" if screen.asking:
            return False
        case "forward" | "next_line" | "play" | "find" | "go":
            return timeline.steps > 0
        case "into" | "out" if screen.focused is screen.graph and screen.graph.can_fold(key == "into"):
            return True
        case "others":
            return screen.focused is screen.graph
        case "into":
            return step > 0 and MOVES[key](timeline, step) is not None
        case "out":
            return step > 0 and _is_inside(screen)
        case "next_pass":
            return bool(timeline.passes)
        case "next_cell":
            return len(timeline.cells) > 1
        case "next_iteration":
            frames = timeline.state(step).frames
            return bool(frames and frames[-1].iterations)
        case "details":
            return screen.asking and (not isinstance(focused, Pane) or focused.details() is None)
        case "skip":
            return screen.asking
        case "stop":
            return screen.running
        case "rerun" | "edit":
            return screen.session is not None and not screen.running
        case "knobs":
            return screen.session is not None and not screen.running and bool(screen.whatif.knobs_by_name)
        case "hint":
            exercise = screen.exercises.here
            progress = screen.study.progress
            return (
                exercise is not None
                and exercise.id not in progress.solved
                and progress.hints.get(exercise.id, 0) < len(exercise.hints)
            )
        case "runs":
            return len(screen.runner.runs.all) > 1
        case _:
            return True


def _is_inside(screen: LessonScreen) -> bool:
    """Return whether the step is in a function call, a composite operation or a backward pass."""
    timeline, step = screen.timeline, screen.cursor
    columns = timeline.columns
    return columns.frame_depths[step - 1] > 1 or columns.depths[step - 1] > 0 or timeline.pass_of(step) is not None
