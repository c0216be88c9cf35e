"""Colours: one colour for each meaning, the same in all panes, for colour-blind eyes too; dark and light."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from rich.style import Style

from tutor.trace.drawings import NO_GROUND, QUIET_INK
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
# Backgrounds for dark text: the same in both themes, and bright, to catch the eye.
_MARKER = {"now": "#f2e25c", "grad": "#f0a330"}

# Heat maps: below zero, zero, above zero; distinguishable by colour-blind eyes.
_HEAT = {DARK: ("#4a9bf5", "#232b36", "#f0a330"), LIGHT: ("#1264ad", "#e4e7ec", "#b85a00")}
_HEAT_LEVELS = 8
"""Colours on either side of zero."""

# With only 16 colours the nearest ones would coincide; these stay distinct.
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
    "nonfinite": "{error}",
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
    "fault": "bold {ground} on {error}",
    "chosen": "on {chosen}",
    "changed": "bold underline",
    "linked": "underline {value}",
    "hit": "bold reverse {value}",
}
# Without colours, weight, underline and inversion carry the meaning.
_MONO = {"statement": "bold", "here": "bold reverse", "back": "bold reverse underline",
         "fault": "bold reverse underline", "nonfinite": "bold reverse", "chosen": "reverse",
         "tab": "bold reverse", "bar": "", "focus": "bold", "now": "bold", "node": "bold", "key": "bold",
         "linked": "underline", "hit": "bold reverse"}  # fmt: skip


class Palette:
    """The Rich style of each role in one theme."""

    def __init__(self, name: str, mono: bool, few: bool = False) -> None:
        """Make the styles.

        Args:
            name: The theme.
            mono: Whether the terminal shows no colours, so that weight, underline and inversion carry the meaning.
            few: Whether the terminal has only 16 colours.
        """
        colours = _COLOURS[name] | (_SIXTEEN[name] if few else {})
        marker = {f"{key}_ground": value for key, value in (_MARKER_SIXTEEN if few else _MARKER).items()}
        self.ground = Style.parse(f"{colours['ink']} on {colours['ground']}")
        self._roles = {role: Style.parse(text.format(**colours, **marker)) for role, text in _ROLES.items()}
        self._roles.update(_heat_styles(name, colours))
        if mono:
            self._roles.update({role: Style.parse(text) for role, text in _MONO.items()})
        self.shades = not (mono or few)
        """Whether there are enough colours for heat maps."""
        self.mono, self.dark = mono, name == DARK
        self._ground: _Rgb = _rgb(colours["ground"])
        self.ground_and_ink: tuple[_Rgb, _Rgb] = self._ground, _rgb(colours["ink"])
        """Red, green and blue of the ground, and of text on it."""
        self._cache: dict[str, Style] = {}
        self.glyphs: Glyphs = segments.terminal_glyphs(not mono)

    def style(self, roles: str) -> Style:
        """Return the style of roles separated by spaces, the later ones on top; unknown roles change nothing."""
        style = self._cache.get(roles)
        if style is None:
            style = self.ground
            for role in roles.split():
                style += self._drawn(role) if ":" in role else self._roles.get(role, Style.null())
            if len(self._cache) > _MAX_STYLES:
                self._cache.clear()
            self._cache[roles] = style
        return style

    def _drawn(self, role: str) -> Style:
        """Return the style of `area:INK:GROUND` or `drawn:INK:GROUND`, colours as in `trace/drawings.py`: what is drawn
        on a ground like it becomes lighter or darker, an area does not."""
        if self.mono:
            return Style.null()
        kind, ink, ground = role.split(":")
        number = int(ground)
        below = _mixed(self._ground, number)
        style = Style(bgcolor=_hex(below)) if number != NO_GROUND else Style.null()
        if int(ink) < 0:
            return style + self._roles["quiet" if int(ink) == QUIET_INK else "plain"]
        colour = _mixed(below, int(ink))
        far = (0, 0, 0) if sum(below) > 384 else (255, 255, 255)
        for _step in range(_CONTRAST_STEPS if kind == "drawn" else 0):
            if max(abs(a - b) for a, b in zip(colour, below, strict=True)) >= _LEAST_CONTRAST:
                break
            colour = _blend(colour, far, 1 / _CONTRAST_STEPS)
        return style + Style(color=_hex(colour))


_Rgb: TypeAlias = tuple[int, int, int]
_MAX_STYLES = 20_000
"""Styles that are kept."""
_LEAST_CONTRAST = 110
"""What is drawn differs from its ground by this much, of 255, in one of the three colours at least."""
_CONTRAST_STEPS = 4


def _blend(below: _Rgb, colour: _Rgb, share: float) -> _Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(below, colour, strict=True))
    return red, green, blue


def _mixed(below: _Rgb, colour: int) -> _Rgb:
    """Return a colour `0xAARRGGBB` over another; below 0 there is none."""
    if colour < 0:
        return below
    return _blend(below, (colour >> 16 & 255, colour >> 8 & 255, colour & 255), (colour >> 24 & 255) / 255)


def _rgb(text: str) -> _Rgb:
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _hex(colour: _Rgb) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _heat_styles(name: str, colours: dict[str, str]) -> dict[str, Style]:
    """Return the styles of a heat map: `hot0` to `hot16` as foreground, `on0` to `on16` as background, 8 for zero.

    `nan` and `now` stand for numbers that are not finite and for the chosen element.
    """
    below, zero, above = (tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for colour in _HEAT[name])
    colour_of = {"nan": colours["error"], "now": colours["now"]}
    for level in range(2 * _HEAT_LEVELS + 1):
        extreme, share = (below if level < _HEAT_LEVELS else above), abs(level - _HEAT_LEVELS) / _HEAT_LEVELS
        mixed = (round(a + (b - a) * share) for a, b in zip(zero, extreme, strict=True))
        colour_of[str(level)] = "#" + "".join(f"{part:02x}" for part in mixed)
    fore = {f"hot{key}": Style(color=colour) for key, colour in colour_of.items()}
    return fore | {f"on{key}": Style(bgcolor=colour) for key, colour in colour_of.items()}


@lru_cache(8)
def palette(name: str, mono: bool, few: bool) -> Palette:
    """Return the palette of a theme, made once."""
    return Palette(name if name in _COLOURS else DARK, mono, few)


def palette_of(app: App[object]) -> Palette:
    """Return the palette of the app's theme, for its terminal."""
    few = not app.is_headless and app.console.color_system == "standard"
    return palette(app.theme, app.no_color, few)


THEMES = {"dark": DARK, "light": LIGHT}
"""By the name that a user gives it."""


def preferred_theme(kept: str | None) -> str:
    """Return the theme to begin with.

    That of `GRADTUTOR_THEME`, else the one that is kept, else light if the terminal reports a light background.
    """
    choice = THEMES.get(os.environ.get("GRADTUTOR_THEME", "")) or THEMES.get(kept or "")
    if choice is not None:
        return choice
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if background in ("7", "15") else DARK


def themes() -> list[Theme]:
    """Return the two themes for what Textual draws itself: inputs, scrollbars, the background."""
    from textual.theme import Theme

    return [
        Theme(
            name=name, dark=name == DARK, primary=c["value"], secondary=c["title"], accent=c["now"],
            warning=c["grad"], error=c["error"], success=c["leaf"], foreground=c["ink"], background=c["ground"],
            surface=c["ground"], panel=c["raised"], variables={"faint": c["faint"]},
        )
        for name, c in _COLOURS.items()
    ]  # fmt: skip
