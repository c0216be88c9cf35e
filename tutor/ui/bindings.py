"""The keys of the lesson screen, in one table: what binds them, describes them and moves the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen

from tutor.i18n import K_, N_

if TYPE_CHECKING:
    from tutor.study.moves import Move


class Destination(NamedTuple):
    """Where a key moves the cursor; see `Move`. The list of lessons has these keys without importing what they do."""

    function: str
    """The name of a function of `study.moves`, or else of `trace.navigation`."""
    nowhere: str
    ahead: bool = False
    local: bool = False

    def load(self) -> Move:
        """Return the move."""
        from tutor.study import moves
        from tutor.trace import navigation

        find = getattr(moves, self.function, None) or getattr(navigation, self.function)
        return moves.Move(find, self.nowhere, self.ahead, self.local)


class Key(NamedTuple):
    """A key of a screen, and what it does."""

    id: str
    """The action, `action_` of this name, unless `action` or `move` says otherwise."""
    keys: str
    """The names that Textual gives the keys, separated by commas."""
    shown: str
    about: str = ""
    """Text for the help sheet; empty: not there."""
    label: str = ""
    """What the key line calls it; empty: not there."""
    rank: int = 0
    """Importance in the key line: as the terminal gets narrower, the keys with the highest rank go first."""
    hint: str = ""
    """The keys that the key line shows; empty: `shown`."""
    joins: bool = False
    """Whether it shares a line of the help sheet with the key before it."""
    move: Destination | None = None
    """Where it moves the cursor."""
    action: str = ""

    @property
    def command(self) -> str:
        """The Textual action that the key runs."""
        return self.action or (f"move('{self.id}')" if self.move is not None else self.id)


KEYS: tuple[Key, ...] = (
    Key("forward", "right,l", "→ l", N_("the next step"), K_("step"), 4, "← →",
        move=Destination("forward", N_("this is the last step"), ahead=True)),
    Key("back", "left,h", "← h", N_("the step before"), joins=True,
        move=Destination("back", N_("this is the beginning"))),
    Key("next_line", "n", "n", N_("the next statement"), K_("line"), 5, "n p",
        move=Destination("next_line", N_("no statement follows"), ahead=True)),
    Key("previous_line", "p", "p", N_("the statement before: over operations, passes and calls"), joins=True,
        move=Destination("previous_line", N_("no statement before this one"))),
    Key("into", "i", "i", N_("into a call, an operation, a pass or a module of the graph"), K_("into"), 12,
        move=Destination("into", N_("there is nothing to go into here"), ahead=True, local=True)),
    Key("out", "o", "o", N_("out of a call, an operation, a pass or a module"), K_("out"), 12, joins=True,
        move=Destination("out", N_("this is the outermost level"))),
    Key("next_cell", "right_square_bracket,pagedown", "] PageDown", N_("the next cell"), K_("cell"), 7, "] [",
        move=Destination("next_cell", N_("this is the last cell"), ahead=True)),
    Key("previous_cell", "left_square_bracket,pageup", "[ PageUp", N_("the cell before"), joins=True,
        move=Destination("previous_cell", N_("this is the first cell"))),
    Key("next_iteration", "right_curly_bracket", "}", N_("the next iteration of this loop"), K_("iteration"), 10, "} {",
        move=Destination("next_iteration", N_("no further iteration"), ahead=True)),
    Key("previous_iteration", "left_curly_bracket", "{", N_("the iteration before"), joins=True,
        move=Destination("previous_iteration", N_("no iteration before this one"))),
    Key("next_pass", "b", "b", N_("the next backward pass"), K_("pass"), 8,
        move=Destination("next_pass", N_("no further backward pass"), ahead=True)),
    Key("previous_pass", "B", "B", N_("the pass before"), joins=True,
        move=Destination("previous_pass", N_("no backward pass before this step"))),
    Key("bookmark", "a", "a", N_("a bookmark at this step, with a note, kept for the next time; again: none")),
    Key("next_mark", "m", "m", N_("the next bookmark, or where the program called breakpoint()"), K_("bookmark"), 8,
        "m M", move=Destination("next_mark", N_("no bookmark follows: a makes one"), ahead=True)),
    Key("previous_mark", "M", "M", N_("the one before"), joins=True,
        move=Destination("previous_mark", N_("no bookmark before this step"))),
    Key("problem", "exclamation_mark", "!",
        N_("the next problem: an error, the first nan, a mistake; from an error to the step that made it inevitable"),
        K_("problem"), 3),
    Key("first", "home", "Home", N_("the beginning of the run")),
    Key("last", "end", "End", N_("the last step, along with a program that runs"), joins=True),
    Key("play", "space", N_("space"), N_("play and pause"), K_("play"), 9),
    Key("slower", "less_than_sign", "<", N_("play slower"), action="pace(-1)"),
    Key("faster", "greater_than_sign", ">", N_("play faster"), joins=True, action="pace(1)"),
    Key("go", "g", "g", N_("go to a step, a line or an iteration"), K_("go to"), 15),
    Key("find", "slash", "/", N_("find in code, names and output; Enter finds the next, ↑ the one before"), K_("find"),
        14),
    Key("jump_back", "apostrophe", "'", N_("back to where the last jump came from")),
    Key("jump_forward", "quotation_mark", '"', N_("forward again after it"), joins=True),
    Key("changed", "u", "u",
        N_("who changed the tensor under the mark, or the one the step brought; again: the change before")),
    Key("palette", "colon,ctrl+p", ": Ctrl+P", N_("the palette: every key, lesson, step and name, found by typing"),
        K_("palette"), 5, ":", action="app.command_palette"),
    Key("again", "enter", "Enter", label=K_("other numbers"), rank=1),
    Key("answer", "enter", "Enter", label=K_("answer"), rank=1),
    Key("reveal", "enter", "Enter", label=K_("see at once"), rank=1),
    Key("details", "enter", "Enter",
        N_("everything about the tensor or node under the mark, or the step: it follows the cursor")),
    Key("copy_value", "y", "y", N_("copy the value of the tensor under the mark, or of the one the step brought")),
    Key("copy_step", "Y", "Y", N_("copy the step as text"), joins=True),
    Key("export", "E", "E", N_("write the screen as a picture (SVG) into the current folder")),
    Key("chart", "c", "c", N_("chart the tensor under the mark over time; again: no more")),
    Key("view", "v", "v",
        N_("the graph as lanes, boxes, or one node with those around it; the chart: figure, curves, log axis, memory"),
        K_("view"), 16),
    Key("others", "V", "V", N_("more of the graph: views, data and numbers; then less"), K_("detail"), 17),
    Key("sort", "comma", ",", N_("sort the tensors: code order, gradient, gradient over value, memory"), K_("sort"),
        18),
    Key("knobs", "k", "k", N_("what if: set the knobs for another run"), K_("what if"), 12),
    Key("edit", "e", "e", N_("edit this cell, and run it; the file stays as it is"), K_("edit"), 4),
    Key("runs", "w", "w", N_("the runs: walk, compare, name and drop them"), K_("runs"), 12),
    Key("rerun", "r", "r", N_("run the program again"), K_("run again"), 14),
    Key("stop", "x", "x", N_("stop the program"), K_("stop"), 3),
    Key("hint", "H", "H", N_("the next hint of the exercise"), K_("hint"), 3),
    Key("solution", "S", "S", N_("the solution of the exercise"), joins=True),
    Key("skip", "s", "s", N_("skip the question, or the cell that failed"), K_("skip"), 2),
    Key("up", "up", "↑", N_("up in the pane"), action="move(-1)"),
    Key("down", "down", "↓", N_("down in the pane"), joins=True, action="move(1)"),
    Key("choose_left", "shift+left", N_("Shift+←"),
        N_("choose the element of a matrix that is worked out: the one to the left"), action="choose(0, -1)"),
    Key("choose_right", "shift+right", "→", N_("the element to the right"), joins=True, action="choose(0, 1)"),
    Key("choose_up", "shift+up", "↑", N_("the element above"), joins=True, action="choose(-1, 0)"),
    Key("choose_down", "shift+down", "↓", N_("the element below"), joins=True, action="choose(1, 0)"),
    Key("next_pane", "tab", "Tab", N_("the next pane"), K_("pane"), 11, action="turn(1)"),
    Key("previous_pane", "shift+tab", "Shift+Tab", N_("the pane before"), joins=True, action="turn(-1)"),
    Key("zoom", "z", "z", N_("maximize the pane, and restore it"), K_("zoom"), 10),
    Key("larger", "plus", "+", N_("make the pane larger"), action="size(2)"),
    Key("smaller", "minus", "-", N_("smaller"), joins=True, action="size(-2)"),
    Key("next_lesson", "N", "N", N_("the next lesson")),
    Key("open", "O", "O", N_("open a file: a script of your own, a notebook, a recording; Esc leads back from it")),
    Key("glossary", "t", "t",
        N_("the glossary: in the lesson the words of the text, one by one; then, and elsewhere, all")),
    Key("language", "L", "L", N_("the next language"), action="app.change_language"),
    Key("redraw", "ctrl+l", "Ctrl+L", N_("draw the screen again"), action="app.redraw"),
    Key("help", "question_mark", "?", N_("the keys and the marks"), K_("help"), action="app.help"),
    Key("leave", "escape", "Esc", N_("back; to the list of lessons")),
    Key("quit", "q", "q", N_("quit"), K_("quit"), action="app.quit"),
)  # fmt: skip
BY_ID: Mapping[str, Key] = {key.id: key for key in KEYS}
OF_PANE = 6
"""The rank of a key of the focused pane, if its own is higher."""
PANE_KEYS = ("up", "down")
"""Keys that only panes bind."""
PALETTE = Key("palette", "ctrl+p", "Ctrl+P", BY_ID["palette"].about, action="app.command_palette")
"""That of a screen on which a colon is text."""

KEY_LINE = (
    "again", "answer", "reveal", "skip", "stop", "problem", "forward", "next_line", "into", "out", "next_cell",
    "next_iteration", "next_pass", "next_mark", "play", "knobs", "hint", "edit", "runs", "rerun", "go", "find", "sort",
    "view", "others", "next_pane", "zoom", "palette", "help", "quit",
)  # fmt: skip
"""The order of the key line."""


class Hint(NamedTuple):
    """One or two keys in the key line."""

    keys: str
    label: str
    key: str
    """The name of the key that a click presses."""
    rank: int
    """Importance: as the terminal gets narrower, the hints with the highest rank go first."""


def binding(key: Key, action: str = "") -> Binding:
    """Return the Textual binding of a key; a pane names the action."""
    return Binding(
        key.keys, action or key.command, key.label, key_display=key.shown, tooltip=key.about, id=key.id, show=False
    )


def bindings(keys: Sequence[Key], priority: bool = False) -> list[BindingType]:
    """Return the Textual bindings of these keys; with `priority`, the focused widget does not get them."""
    return [replace(binding(key), priority=priority) for key in keys]


def keys_of(screen: object) -> Sequence[Key]:
    """Return the keys of a screen, for the palette and the help."""
    keys: Sequence[Key] = getattr(screen, "KEYS", ())
    return keys


def lesson_bindings() -> list[BindingType]:
    """Return the bindings of the lesson screen. Where `check_action` disables a key, it still says why."""
    result: list[BindingType] = []
    for key in KEYS:
        if key.id not in PANE_KEYS:
            result.append(binding(key))
        if key.about and not key.action:
            result.append(Binding(key.keys, f"explain('{key.id}')", show=False))
    return result


def pane_bindings(**actions: tuple[str, str]) -> list[BindingType]:
    """Return bindings for a pane: keys of the table, by id, that do something else while it has the focus.

    Args:
        actions: By id: the action, and the text for the help sheet, or an empty one for that of the table.
    """
    keys = ((BY_ID[name], action, about) for name, (action, about) in actions.items())
    return [binding(key._replace(about=about or key.about), action) for key, action, about in keys]


def own_bindings(owner: type) -> list[Binding]:
    """Return the bindings that a class of widgets adds to those of its bases and explains."""
    mine = [binding for binding in owner.__dict__.get("BINDINGS", ()) if isinstance(binding, Binding)]
    return [binding for binding in mine if binding.tooltip]


def key_hints(active: Iterable[ActiveBinding], choosing: bool = False) -> list[Hint]:
    """Return the hints of the keys that do something now, in the order of the key line. Those of the focused pane come
    before others of the screen where there is little room.

    Args:
        active: The bindings that hold.
        choosing: Whether the arrows choose an element of a matrix, instead of walking.
    """
    enabled = {item.binding.id: item.binding.key for item in active if item.enabled}
    of_pane = {item.binding.id for item in active if item.enabled and not isinstance(item.node, Screen | App)}
    keys = (BY_ID[name] for name in KEY_LINE if name in enabled and not (choosing and name == "forward"))
    arrows = [Hint("← → ↑ ↓", K_("element"), "right", 0), Hint("Esc", K_("back"), "escape", 1)] if choosing else []
    return arrows + [
        Hint(
            key.hint or key.shown, key.label, enabled[key.id], min(key.rank, OF_PANE) if key.id in of_pane else key.rank
        )
        for key in keys
    ]  # fmt: skip


def typing_hints(enter_label: str, *, ends: bool = False) -> list[Hint]:
    """Return the hints for an input, where letters are text.

    Args:
        enter_label: What Enter does.
        ends: Whether Ctrl+D ends the program's input.
    """
    end = [Hint("Ctrl+D", K_("end of input"), "ctrl+d", 0)] if ends else []
    return [Hint("Enter", enter_label, "enter", 0), *end, Hint("Esc", K_("back"), "escape", 0)]
