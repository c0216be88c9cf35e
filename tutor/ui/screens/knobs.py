"""The knobs of a lesson, to be set for another run."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from tutor.i18n import N_, _, key_label
from tutor.lesson.knobs import resolve_knobs
from tutor.lesson.model import Knob, LessonError, Setting
from tutor.text_width import pad, width
from tutor.trace.number_format import number
from tutor.ui.bindings import PALETTE, Key, bindings
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import Piece, Row, clean


class _Text(Surface):
    """The names and ranges of the knobs, around the input fields."""

    BASE = "bar"
    BORDERED = True

    def __init__(self) -> None:
        super().__init__(id="knobs")
        self._rows: list[Row] = []

    def show(self, rows: list[Row]) -> None:
        """Show these rows."""
        self._rows = [tuple((text, f"bar {role}") for text, role in row) for row in rows]
        self.paint()

    def rows(self, width: int, height: int) -> list[Row]:
        return self._rows


class _NumberInput(Input):
    """A field in which the key that opens the knobs, and is no part of a number, closes them: in vi it moves up."""

    async def on_key(self, event: events.Key) -> None:
        if event.key == "k":
            event.prevent_default()
            event.stop()
            await self.run_action("screen.back")


class Knobs(ModalScreen[dict[str, str] | None]):
    """A form; the result is the texts of the knobs that differ from their defaults, None where the learner cancels."""

    KEYS = (
        Key("run", "enter", "Enter", N_("run with these knobs")),
        Key("back", "escape", "Esc", N_("close the knobs; nothing changes")),
        Key("up", "up,shift+tab", "↑", N_("the knob before"), action="move(-1)"),
        Key("down", "down,tab", "↓", N_("the knob after"), action="move(1)"),
        PALETTE,
    )
    BINDINGS = bindings(KEYS, priority=True)

    def __init__(self, knobs: Mapping[str, Knob], values: Mapping[str, Setting]) -> None:
        super().__init__()
        self._knobs, self._values = knobs, values
        self._problem = ""
        self.text = _Text()
        self.fields = {
            name: (_NumberInput if knob.type == "number" else Input)(
                str(values.get(name, knob.default)), max_length=200
            )
            for name, knob in knobs.items()
        }

    def compose(self) -> ComposeResult:
        yield self.text
        yield from self.fields.values()

    def on_mount(self) -> None:
        self.text.border_title = _("what if? set the knobs for another run")
        self.text.set_class(self.text.glyphs.ascii, "-ascii")
        self.on_resize()
        self.text.show(self._form_rows())
        next(iter(self.fields.values())).focus()

    def on_resize(self) -> None:
        columns, lines = self.app.size
        form_width, form_height = min(columns, 78), min(len(self.fields) + 6, lines)
        left, top = (columns - form_width) // 2, (lines - form_height) // 2
        self.text.styles.offset = (left, top)
        self.text.styles.width, self.text.styles.height = form_width, form_height
        x = left + self._name_width + 4
        for row, field in enumerate(self.fields.values()):
            field.styles.offset = (x, top + 2 + row)
            field.styles.width = 16
            field.display = row < form_height - 6

    @property
    def _name_width(self) -> int:
        return min(max(map(width, self._knobs)), 24)

    def _form_rows(self) -> list[Row]:
        """Return the rows around the input fields."""
        rows: list[Row] = [()]
        for name, knob in self._knobs.items():
            rows.append(
                ((f" {pad(clean(name), self._name_width)}", "value"), (" " * 20, "plain"), (_range(knob), "quiet"))
            )
        keys: list[Piece] = [
            (" Enter", "key"),
            (f" {key_label('run')}   ", "quiet"),
            ("↑ ↓", "key"),
            (f" {key_label('choose')}   ", "quiet"),
        ]
        rows += [((f" {clean(self._problem)}", "error"),), (*keys, ("Esc", "key"), (f" {key_label('back')}", "quiet"))]
        return rows

    def action_run(self) -> None:
        """Take the knobs for another run; say what is wrong with one."""
        texts = {name: field.value for name, field in self.fields.items()}
        try:
            resolve_knobs(self._knobs, texts, None)
        except LessonError as error:
            self._problem = str(error)
            self.text.show(self._form_rows())
            return
        self.dismiss({name: text for name, text in texts.items() if text.strip() != str(self._knobs[name].default)})

    def action_move(self, by: int) -> None:
        """Focus another field."""
        fields = list(self.fields.values())
        focused = next((index for index, field in enumerate(fields) if field.has_focus), 0)
        fields[(focused + by) % len(fields)].focus()

    def action_back(self) -> None:
        """Close the form without another run."""
        self.dismiss(None)


def _range(knob: Knob) -> str:
    """Return the values that a knob may have, as text."""
    if knob.choices:
        return _(" or ").join(map(str, knob.choices))
    if knob.type == "boolean":
        return _(" or ").join(("True", "False"))
    bounds = [
        _("from {least}", least=number(knob.min)) if knob.min is not None else "",
        _("to {most}", most=number(knob.max)) if knob.max is not None else "",
    ]
    return " ".join(filter(None, bounds)) + "   " + _("as written: {value}", value=knob.default)
