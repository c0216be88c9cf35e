"""Colours: one for each meaning, the same in every pane, told apart by eyes of every kind; dark and light."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.style import Style

from tutor.ui.render import segments
from tutor.ui.render.segments import Glyphs

if TYPE_CHECKING:
    from textual.app import App
    from textual.theme import Theme

DARK = "gradtutor-dark"
LIGHT = "gradtutor-light"

_COLOURS = {
    DARK: {
        "ground": "#11161d", "raised": "#1b2430", "ink": "#dfe5ee", "quiet": "#7d8796", "faint": "#36414f",
        "leaf": "#2fbf8f", "value": "#62b6f0", "grad": "#f0a330", "now": "#f2e25c", "error": "#ff7a55",
        "stroke": "#e2603b", "title": "#a9b6c8", "keyword": "#c592e8", "string": "#9ccf9a", "number": "#f08d77",
        "statement": "#252f3d", "chosen": "#2b3a4f", "onmark": "#11161d",
    },
    LIGHT: {
        "ground": "#fbfbf8", "raised": "#ebeef2", "ink": "#1c232c", "quiet": "#626d7a", "faint": "#c3cad3",
        "leaf": "#0a7a55", "value": "#1264ad", "grad": "#a85200", "now": "#6d5e00", "error": "#b8321a",
        "stroke": "#b8321a", "title": "#46515f", "keyword": "#7a3ea8", "string": "#3b7a2a", "number": "#b04632",
        "statement": "#e6ebf2", "chosen": "#d5e3f3", "onmark": "#1c232c",
    },
}  # fmt: skip
# Grounds behind dark text: the same in both themes, bright enough to be found at once.
_MARKER = {"now": "#f2e25c", "grad": "#f0a330"}

# Of pictures of values: below zero, zero, above; apart for all kinds of eyes.
_HEAT = {DARK: ("#4a9bf5", "#232b36", "#f0a330"), LIGHT: ("#1264ad", "#e4e7ec", "#b85a00")}
_HEAT_LEVELS = 8
"""On either side of zero."""

# Where there are only 16 colours the nearest ones would fall together: these stay apart.
_SIXTEEN = {
    DARK: {
        "leaf": "#00ff00", "value": "#00ffff", "grad": "#808000", "now": "#ffff00", "error": "#ff0000",
        "keyword": "#ff00ff", "string": "#008000", "number": "#c0c0c0",
    },
    LIGHT: {
        "leaf": "#008000", "value": "#000080", "grad": "#808000", "now": "#800080", "error": "#800000",
        "keyword": "#800080", "string": "#008000", "number": "#000000", "statement": "#c0c0c0", "chosen": "#c0c0c0",
    },
}  # fmt: skip
_MARKER_SIXTEEN = {"now": "#ffff00", "grad": "#808000"}

_ROLES = {
    "plain": "{ink}",
    "strong": "bold",
    "quiet": "{quiet}",
    "note": "italic {quiet}",
    "faint": "{faint}",
    "frame": "{faint}",
    "focus": "{value}",
    "title": "{title}",
    "heading": "bold {ink}",
    "brand": "bold {value}",
    "bar": "on {raised}",
    "leaf": "{leaf}",
    "op": "{value}",
    "node": "bold {now}",
    "value": "{value}",
    "grad": "{grad}",
    "now": "bold {now}",
    "error": "{error}",
    "key": "bold {now}",
    "tab": "bold {ink} on {raised}",
    "code": "{ink}",
    "keyword": "{keyword}",
    "string": "{string}",
    "number": "{number}",
    "comment": "italic {quiet}",
    "statement": "on {statement}",
    "here": "bold {onmark} on {now_ground}",
    "back": "bold {onmark} on {grad_ground}",
    "chosen": "on {chosen}",
    "changed": "bold underline",
    "linked": "underline {value}",
}
# Without colours meaning must lie in weight, line and inversion.
_MONO = {"statement": "bold", "here": "bold reverse", "back": "bold reverse underline", "chosen": "reverse",
         "tab": "bold reverse", "bar": "", "focus": "bold", "now": "bold", "node": "bold", "key": "bold",
         "linked": "underline"}  # fmt: skip


class Palette:
    """The style of each role in one theme."""

    def __init__(self, name: str, mono: bool, few: bool = False) -> None:
        colours = _COLOURS[name] | (_SIXTEEN[name] if few else {})
        marker = {f"{key}_ground": value for key, value in (_MARKER_SIXTEEN if few else _MARKER).items()}
        self.ground = Style.parse(f"{colours['ink']} on {colours['ground']}")
        self._roles = {role: Style.parse(text.format(**colours, **marker)) for role, text in _ROLES.items()}
        self._roles.update(_heat(name, colours))
        if mono:
            self._roles.update({role: Style.parse(text) for role, text in _MONO.items()})
        self.shades = not (mono or few)
        """Whether there are enough colours for pictures of values."""
        self._cache: dict[str, Style] = {}
        self.glyphs: Glyphs = segments.for_terminal(not mono)

    def style(self, roles: str) -> Style:
        """The style of some roles, the later ones on top; one that is not known looks plain."""
        style = self._cache.get(roles)
        if style is None:
            style = self.ground
            for role in roles.split():
                style += self._roles.get(role, Style.null())
            self._cache[roles] = style
        return style


def _heat(name: str, colours: dict[str, str]) -> dict[str, Style]:
    """`hot0` to `hot16` in front and `on0` to `on16` behind, 8 for zero; `nan`, and `now` for what is chosen."""
    below, zero, above = (tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for colour in _HEAT[name])
    found = {"nan": colours["error"], "now": colours["now"]}
    for place in range(2 * _HEAT_LEVELS + 1):
        end, share = (below if place < _HEAT_LEVELS else above), abs(place - _HEAT_LEVELS) / _HEAT_LEVELS
        mixed = (round(a + (b - a) * share) for a, b in zip(zero, end, strict=True))
        found[str(place)] = "#" + "".join(f"{part:02x}" for part in mixed)
    fore = {f"hot{key}": Style(color=colour) for key, colour in found.items()}
    return fore | {f"on{key}": Style(bgcolor=colour) for key, colour in found.items()}


@lru_cache(8)
def palette(name: str, mono: bool, few: bool) -> Palette:
    return Palette(name if name in _COLOURS else DARK, mono, few)


def palette_of(app: App[object]) -> Palette:
    """The palette of the app's theme."""
    few = not app.is_headless and app.console.color_system == "standard"
    return palette(app.theme, app.no_color, few)


def preferred() -> str:
    """Light where the terminal says that its ground is light, or where the environment asks for it."""
    asked = os.environ.get("GRADTUTOR_THEME", "")
    if asked in ("light", "dark"):
        return LIGHT if asked == "light" else DARK
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if ground in ("7", "15") else DARK


def themes() -> list[Theme]:
    """The two themes, for what Textual draws itself: inputs, scrollbars, the ground."""
    from textual.theme import Theme

    return [
        Theme(
            name=name, dark=name == DARK, primary=c["value"], secondary=c["title"], accent=c["now"],
            warning=c["grad"], error=c["error"], success=c["leaf"], foreground=c["ink"], background=c["ground"],
            surface=c["ground"], panel=c["raised"], variables={"faint": c["faint"]},
        )
        for name, c in _COLOURS.items()
    ]  # fmt: skip
