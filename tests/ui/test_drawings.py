"""Figures that were drawn as cells, in terminals with colours, with few or none, and in ASCII."""

from __future__ import annotations

import pytest

from tests.ui.conftest import screen_of, text
from tests.ui.recordings import SCRIPT, timeline_of, training, viewer
from tutor.trace import drawings
from tutor.trace.drawings import DEFAULT_INK, NO_GROUND, QUIET_INK
from tutor.trace.events import CellEnd, Drawing, Figure, Output
from tutor.trace.wire import WireError
from tutor.ui.render.drawing import drawing_rows
from tutor.ui.render.segments import ASCII, UNICODE, Row
from tutor.ui.theme import DARK, LIGHT, Palette

BLUE, ORANGE, BLACK, WHITE, HALF_RED = 0xFF1F77B4, 0xFFFF7F0E, 0xFF000000, 0xFFFFFFFF, 0x80FF0000
CELLS: drawings.Cells = [
    [("  损失", DEFAULT_INK, NO_GROUND)],
    [("⡏⠉", QUIET_INK, NO_GROUND), ("⠑⢄", BLUE, NO_GROUND), ("⠈⠢", ORANGE, NO_GROUND)],
    [("⡇", QUIET_INK, NO_GROUND), ("  ", DEFAULT_INK, BLACK), ("  ", DEFAULT_INK, WHITE), ("▌", WHITE, BLACK)],
]


def text_of(rows: list[Row]) -> list[str]:
    return ["".join(piece for piece, _ in row) for row in rows]


def test_in_colours_the_characters_stay() -> None:
    rows = drawing_rows(CELLS, 6, UNICODE, shades=True, mono=False, dark=True)
    assert text_of(rows) == ["  损失", "⡏⠉⠑⢄⠈⠢", "⡇    ▌"]
    assert text_of(drawing_rows(CELLS, 10, UNICODE, shades=True, mono=False, dark=True))[1] == "  ⡏⠉⠑⢄⠈⠢"


def test_without_colours_curves_have_markers_and_areas_shades() -> None:
    rows = drawing_rows(CELLS, 6, UNICODE, shades=False, mono=True, dark=True)
    assert text_of(rows)[1:] == ["+-**++", "|░░██▒"]
    assert text_of(drawing_rows(CELLS, 6, UNICODE, shades=False, mono=True, dark=False))[2] == "|██░░▒"


def test_in_ascii_all_of_it_is_ascii() -> None:
    rows = text_of(drawing_rows(CELLS, 6, ASCII, shades=True, mono=False, dark=True))
    assert rows == ["  ??", "+-**++", "|..##:"]


@pytest.mark.parametrize("name", [DARK, LIGHT])
def test_what_is_drawn_can_be_told_from_its_ground(name: str) -> None:
    palette = Palette(name, mono=False)
    for ink, ground in ((BLACK, NO_GROUND), (WHITE, NO_GROUND), (BLUE, BLUE), (WHITE, WHITE), (BLACK, BLACK)):
        style = palette.style(f"drawn:{ink}:{ground}")
        assert style.color is not None
        assert style.bgcolor is not None
        shown, below = style.color.get_truecolor(), style.bgcolor.get_truecolor()
        assert max(abs(a - b) for a, b in zip(shown, below, strict=True)) >= 80, (ink, ground)
    assert palette.style(f"area:{BLUE}:{BLUE}").color == palette.style(f"area:{BLUE}:{BLUE}").bgcolor


def test_an_area_that_is_half_opaque_is_mixed_with_the_ground() -> None:
    style = Palette(DARK, mono=False).style(f"drawn:{DEFAULT_INK}:{HALF_RED}")
    assert style.bgcolor is not None
    assert style.bgcolor.get_truecolor() == (136, 11, 14)  # halfway from #11161d to red


def test_without_colours_there_are_none() -> None:
    palette = Palette(DARK, mono=True)
    assert palette.style(f"drawn:{BLUE}:{ORANGE}") == palette.ground


def test_the_largest_drawing_that_fits_is_chosen() -> None:
    sizes = [drawings.pack(columns, rows, CELLS) for columns, rows in ((40, 8), (60, 8), (70, 14))]
    chosen = [drawings.largest_that_fits(sizes, *size) for size in ((39, 30), (59, 9), (60, 8), (200, 13), (70, 14))]
    assert [drawing and drawing.columns for drawing in chosen] == [None, 40, 60, 60, 70]
    assert drawings.unpack(sizes[0]) == [[*map(tuple, row)] for row in CELLS]


async def test_the_pane_shows_it_and_says_what_is_missing() -> None:
    drawn = Figure([], [drawings.pack(40, 3, CELLS)], "a run", [], ["Odd"], "loss.png")
    large, damaged = Figure([], [drawings.pack(300, 90, CELLS)]), Figure([], [Drawing(40, 3, b"no zlib")])
    events = training()
    ends = next(place for place, event in enumerate(events) if isinstance(event, CellEnd))
    for figure, shown in (
        (drawn, ["figure 1 of 1 · saved as loss.png · not drawn: Odd", "⡏⠉⠑⢄⠈⠢"]),
        (large, ["z shows the figure, where there is room for it"]),
        (damaged, ["this figure cannot be drawn: damaged data"]),
        (Figure([]), ["there is nothing in the figure"]),
    ):
        app = viewer([*events[:ends], figure, *events[ends:]], SCRIPT)
        async with app.run_test(size=(130, 40)) as pilot:
            await pilot.press("end")
            await pilot.pause()
            for part in shown:
                assert part in text(app)


def test_a_drawing_that_inflates_to_too_much_is_refused() -> None:
    import zlib

    bomb = Drawing(40, 3, zlib.compress(b"\x00" * (8 << 20)))
    with pytest.raises(WireError):
        drawings.unpack(bomb)


async def test_a_tab_says_that_a_figure_was_shown_and_arrows_go_from_one_to_the_next() -> None:
    events, figures = training(4), []
    for place, event in reversed([*enumerate(events)]):
        if isinstance(event, Output):
            figures.append(Figure([], [drawings.pack(40, 3, CELLS)], event.text))
            events.insert(place, figures[-1])
    timeline = timeline_of(events)
    counts = [timeline.state(step).figures for step in range(timeline.steps + 1)]
    shown = [step for step in range(1, timeline.steps + 1) if counts[step] > counts[step - 1]]
    app = viewer(events, SCRIPT)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = screen_of(app)
        screen.go_to(shown[0] - 1)
        await pilot.pause()
        assert "chart +" not in text(app)
        screen.go_to(shown[0])
        await pilot.pause()
        assert "chart +1" in text(app)
        await pilot.resize_terminal(140, 40)
        await pilot.pause()
        screen.chart.focus()
        for key, step in (("down", shown[1]), ("down", shown[2]), ("up", shown[1]), ("up", shown[0]), ("up", shown[0])):
            await pilot.press(key)
            await pilot.pause()
            assert screen.model.cursor == step
