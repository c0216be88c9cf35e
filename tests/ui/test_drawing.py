"""Rows, tables, bars, prose, code and places: drawn without a screen."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.lesson import markdown
from tutor.text_width import cut, width, wrapped
from tutor.trace.index import PassInfo
from tutor.ui import layout, time_bar
from tutor.ui.panes import code
from tutor.ui.render import plot, prose, table
from tutor.ui.render.segments import ASCII, PLAIN, UNICODE, Row, clean, fit, row_width
from tutor.ui.render.table import Cell, Column
from tutor.ui.time_bar import Scale

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PIECES = st.lists(st.tuples(TEXTS.map(clean), st.sampled_from(["plain", "grad"])), max_size=5).map(tuple)


def text_of(rows: list[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


# ---------------------------------------------------------------- rows


@given(row=PIECES, cells=st.integers(0, 40))
def test_a_row_fits_exactly(row: Row, cells: int) -> None:
    assert row_width(fit(row, cells)) == cells


@given(text=TEXTS, cells=st.integers(1, 20))
def test_what_is_cut_has_room_and_says_so(text: str, cells: int) -> None:
    shown = cut(clean(text), cells)
    assert width(shown) <= cells
    assert shown == clean(text) or shown.endswith("…")


def test_the_mark_of_a_cut_is_there_even_where_a_piece_ends_at_the_edge() -> None:
    assert text_of([fit((("abc", "plain"), ("def", "grad")), 3)]) == ["ab…"]


@given(text=st.text(max_size=40))
def test_nothing_is_left_for_a_terminal_to_obey(text: str) -> None:
    shown = clean(text)
    assert len(shown) == len(text)
    assert all(char == "\t" or char.isprintable() for char in shown)
    shown.encode()  # no lone surrogate, which could not be written


def test_control_characters_are_shown_as_what_they_are() -> None:
    assert clean("\x1b[31mred\x07") == "␛[31mred␇"
    assert clean("w[i] [red] 梯度") == "w[i] [red] 梯度"


@given(row=PIECES, cells=st.integers(4, 30))
def test_wrapped_text_has_room_and_loses_nothing_but_spaces(row: Row, cells: int) -> None:
    rows = wrapped(row, cells)
    assert all(row_width(line) <= cells for line in rows)
    shown = "".join(text_of(rows)).split()
    assert "".join(shown) == "".join("".join(text for text, _ in row).split())


def test_words_are_not_broken_and_chinese_is() -> None:
    assert text_of(wrapped([("one two three", "plain")], 8)) == ["one two", "three"]
    assert text_of(wrapped([("梯度相加，再相加。", "plain")], 10)) == ["梯度相加，", "再相加。"]


# ---------------------------------------------------------------- tables

COLUMNS = (
    Column("", 3, 0, 12),
    Column("value", 6, 0),
    Column("dtype", 5, 2),
    Column("dev", 3, 3),
    Column("grad", 6, 0),
)
TABLE = [
    [Cell("w"), Cell("[1 2 3 4]"), Cell("float32", brief=lambda _: "f32"), Cell("cpu"), Cell("None")],
    [Cell("model.weight"), Cell("2"), Cell("float32", brief=lambda _: "f32"), Cell("cpu"), Cell("[1 2]")],
]


@given(cells=st.integers(12, 120))
def test_a_table_fits_and_never_loses_value_and_grad(cells: int) -> None:
    sizes = table.fit_columns(COLUMNS, TABLE, cells)
    for row in TABLE:
        assert row_width(table.line(COLUMNS, sizes, row)) <= cells
    assert sizes.widths[1] > 0
    assert sizes.widths[4] > 0


def test_columns_go_in_their_order() -> None:
    def gone(cells: int) -> set[str]:
        widths = table.fit_columns(COLUMNS, TABLE, cells).widths
        return {column.title for column, size in zip(COLUMNS, widths, strict=True) if not size}

    assert gone(90) == set()
    assert gone(24) == {"dev"}
    assert gone(19) == {"dev", "dtype"}


def test_a_cell_without_room_says_it_shorter() -> None:
    sizes = table.fit_columns(COLUMNS, TABLE, 30)
    assert "f32" in text_of([table.line(COLUMNS, sizes, TABLE[0])])[0]


# ---------------------------------------------------------------- the bar of time


@given(steps=st.integers(0, 5000), cells=st.integers(2, 200), cursor=st.integers(0, 5000))
def test_the_cursor_stands_once_and_within(steps: int, cells: int, cursor: int) -> None:
    cursor = min(cursor, steps)
    row = time_bar.Bar(cells, Scale(steps), bytes(steps + 1), []).row(cursor, UNICODE)
    shown = text_of([row])[0]
    assert width(shown) == cells
    assert [role for text, role in row].count("now") == 1


@given(steps=st.integers(1, 300), cells=st.integers(2, 200))
def test_a_click_on_the_cursor_changes_little(steps: int, cells: int) -> None:
    for step in range(0, steps + 1, 7):
        result = time_bar.step_at(time_bar.column_of(step, cells, Scale(steps)), cells, Scale(steps))
        assert abs(result - step) <= steps / (cells - 1)


def test_backward_is_told_from_forward_by_colour_and_without() -> None:
    bar = time_bar.Bar(40, Scale(40), time_bar.BackwardSteps().update(40, [PassInfo(1, 20, 30)]), [1, 10])
    roles = {role: text for text, role in bar.row(40, PLAIN)}
    assert set(roles["value"]) == {"━"}
    assert set(roles["grad"]) == {"╍"}
    assert "┼" in text_of([bar.row(40, PLAIN)])[0]
    assert text_of([bar.row(40, ASCII)])[0].isascii()


@given(st.lists(st.integers(1, 6), max_size=40), st.data())
def test_what_belongs_to_passes_is_the_same_while_it_grows_and_after(lengths: list[int], data: st.DataObject) -> None:
    passes, step = [], 1
    for number, length in enumerate(lengths):
        passes.append(PassInfo(number, step + 1, step + length))
        step += length + 2
    whole = time_bar.BackwardSteps().update(step, passes)
    assert [at for at, back in enumerate(whole) if back] == [
        at for info in passes for at in range(info.start_step, (info.end_step or 0) + 1)
    ]
    growing = time_bar.BackwardSteps()
    for now in sorted(data.draw(st.lists(st.integers(0, step), max_size=5))):
        begun = [info for info in passes if info.start_step <= now]
        seen = [PassInfo(i.number, i.start_step, i.end_step if (i.end_step or 0) <= now else None) for i in begun]
        growing.update(now, seen)
    assert growing.update(step, passes) == whole


def test_gaps_are_marked_where_they_are_few() -> None:
    bar = time_bar.Bar(41, Scale(40), bytes(41), [], gaps=[7, 30], problems=[30])
    shown = text_of([bar.row(10, UNICODE)])[0]
    assert [at for at, glyph in enumerate(shown) if glyph == UNICODE.gap] == [7]
    assert shown[30] == UNICODE.no
    assert bar.gaps[7] == 7
    assert text_of([bar.row(10, ASCII)])[0].isascii()
    assert (
        UNICODE.gap not in text_of([time_bar.Bar(41, Scale(40), bytes(41), [], gaps=range(1, 41)).row(0, UNICODE)])[0]
    )


def test_each_cell_has_its_place_in_the_bar_beside_one_with_a_long_loop() -> None:
    scale = Scale(10_000, cells=[1, 11, 21, 9_981])
    columns = [time_bar.column_of(step, 60, scale) for step in (0, 10, 20, 9_980, 10_000)]
    # By square roots the four cells are as 3 : 3 : 100 : 4 of 60 columns.
    assert [after - before for before, after in itertools.pairwise(columns)] == pytest.approx([2, 2, 53, 2], abs=1)
    assert len(set(columns)) == 5
    for step in range(0, 10_001, 7):
        assert abs(scale.step(scale.place(step)) - step) < 1e-6
    assert Scale(40, cells=[1]).place(10) == Scale(40).place(10)


def test_what_a_question_hides_is_dotted() -> None:
    shown = text_of([time_bar.Bar(41, Scale(40), bytes(41), [], limit=20).row(10, UNICODE)])[0]
    assert shown[30:].strip("┄") == ""
    assert "┄" not in shown[:20]


@given(steps=st.lists(st.integers(1, 5000), max_size=300, unique=True).map(sorted), cells=st.integers(2, 200))
def test_the_ruler_numbers_what_has_room_where_it_begins(steps: list[int], cells: int) -> None:
    bar = time_bar.Bar(cells, Scale(5000), bytes(5001), [], limit=4000)
    marks = time_bar.Marks("pass", "grad", steps, range(1, len(steps) + 1))
    row = time_bar.ruler(bar, [time_bar.Marks("cell", "title", [1], [1]), marks])
    assert row_width(row) <= cells
    at, before = 0, ""
    for text, role in row:
        if role != "plain":
            assert text[0].isalpha() == (role != before)
            before = role
        if role == "grad":
            step = steps[int(text.split()[-1]) - 1]
            assert (at, step <= 4000) == (time_bar.column_of(step, cells, bar.scale), True)
        at += width(text)


def test_the_ruler_keeps_round_numbers_of_many() -> None:
    bar = time_bar.Bar(101, Scale(1000), bytes(1001), [])
    row = time_bar.ruler(bar, [time_bar.Marks("epoch", "quiet", range(10, 1000, 10), range(1, 100))])
    assert text_of([row])[0].split() == ["epoch", "1", *map(str, range(10, 100, 10))]


# ---------------------------------------------------------------- places


@given(
    size=st.tuples(st.integers(60, 240), st.integers(16, 80)),
    zoomed=st.sampled_from([None, None, "lesson", "graph"]),
    prose=st.booleans(),
    asks=st.booleans(),
    grown=st.sampled_from(["", *layout.PANES]),
    folded=st.frozensets(st.sampled_from(["output", "graph", "chart"])),
    extra=st.dictionaries(st.sampled_from(layout.PANES), st.integers(-40, 40)),
    most=st.dictionaries(st.just("output"), st.integers(2, 20)),
)
def test_panes_fill_the_screen_and_do_not_overlap(
    size: tuple[int, int], zoomed: str | None, prose: bool, asks: bool, grown: str, folded: frozenset[str],
    extra: dict[str, int], most: dict[str, int],
) -> None:  # fmt: skip
    cols, rows = size
    asking = (layout.ASK if layout.is_wide(*size) else layout.BRIEF) if asks and prose else 0
    zoomed = None if zoomed == "lesson" and not prose else zoomed
    rooms = layout.Rooms(grown, folded, extra, most)
    front = {"left": "code", "right": "graph"}
    places = layout.pane_regions(cols, rows, front=front, zoomed=zoomed, asking=asking, prose=prose, rooms=rooms)
    covered: set[tuple[int, int]] = set()
    for name, place in places.items():
        assert place.height >= (1 if name == "ask" or name in folded else 3), name
        area = set(itertools.product(range(place.x, place.x + place.width), range(place.y, place.y + place.height)))
        assert not covered & area
        covered |= area
    assert len(covered) == cols * (rows - layout.HEAD - layout.bar_rows(rows) - layout.explanation_rows(rows))


def test_a_narrow_terminal_keeps_lesson_code_graph_and_tensors() -> None:
    places = layout.pane_regions(80, 24, front={"left": "code", "right": "graph"})
    assert set(places) == {"lesson", "code", "graph", "tensors"}
    assert set(layout.pane_regions(80, 24, front={}, prose=False)) == {"code", "graph", "tensors"}
    assert set(layout.pane_regions(120, 36, front={})) == set(layout.PANES)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60)])
def test_a_question_and_a_card_move_no_pane(size: tuple[int, int]) -> None:
    plain = layout.pane_regions(*size, front={})
    for changed in (layout.pane_regions(*size, front={}, asking=1), layout.with_card(plain, 6)):
        assert len(changed) == len(plain) + 1
        assert all(changed[name].offset == region.offset for name, region in plain.items())


def test_the_pane_that_one_goes_to_grows_and_one_without_anything_is_folded() -> None:
    even = layout.pane_regions(120, 40, front={})
    grown = layout.pane_regions(120, 40, front={}, rooms=layout.Rooms("code"))
    assert grown["code"].height > even["code"].height > layout.CODE
    folded = layout.pane_regions(120, 40, front={}, rooms=layout.Rooms("", frozenset({"output", "chart"})))
    assert folded["output"].height == folded["chart"].height == 1
    assert folded["graph"].height > even["graph"].height
    assert layout.pane_regions(120, 40, front={}, rooms=layout.Rooms("output", frozenset({"output"})))[
        "output"
    ].height > even["output"].height  # fmt: skip


def test_the_output_is_no_higher_than_what_is_printed_and_the_others_share_the_rest() -> None:
    even = layout.pane_regions(120, 60, front={})
    low = layout.pane_regions(120, 60, front={}, rooms=layout.Rooms(most={"output": 4}))
    assert even["output"].height > low["output"].height == 4
    assert all(low[name].height > even[name].height for name in ("lesson", "code"))
    assert layout.pane_regions(120, 60, front={}, rooms=layout.Rooms(most={"output": 40})) == even
    grown = layout.pane_regions(120, 60, front={}, rooms=layout.Rooms("output", most={"output": 4}))
    assert grown["output"].height > even["output"].height


# ---------------------------------------------------------------- prose


def drawn(text: str, cells: int = 40, value: str | None = None) -> list[str]:
    return text_of(prose.rows(markdown.blocks(text), cells, UNICODE, lambda _: "", lambda _: value))


def test_prose_is_literal_but_for_its_own_marks() -> None:
    assert drawn("# Title\n\nSome `w[i]` and **bold [red]**.\nOne line.\n\n- an item\n- 第二") == [
        "Title", "", "Some w[i] and bold [red]. One line.", "", "• an item", "• 第二",
    ]  # fmt: skip


def test_a_live_value_is_filled_in_or_left_open() -> None:
    assert drawn("It is {{ w.grad.item() }}.", value="5") == ["It is 5."]
    assert drawn("It is {{ w.grad.item() }}.") == ["It is …."]


def test_code_in_prose_is_kept_as_it_stands() -> None:
    assert drawn("Text\n\n```python\nif  x:\n    y\n```\nmore") == ["Text", "", "  if  x:", "      y", "more"]


def test_lists_in_lists_are_indented() -> None:
    assert drawn("1. one two three\n   - four five six\n\n     seven\n2. eight", 13) == [
        "1. one two", "   three", "   • four", "     five six", "", "     seven", "2. eight",
    ]  # fmt: skip
    assert drawn("- a\n\n- b\n\n  c\n\n-\n- ```\n  if x:\n      y\n  ```") == [
        "• a", "• b", "", "  c", "", "• ", "•   if x:", "        y",
    ]  # fmt: skip


def test_quotations_tables_rules_and_line_ends() -> None:
    down, rule = UNICODE.down, UNICODE.rule
    assert drawn("> one two\n> three\n>\n> - four\n", 9) == [f"{down} one two", f"{down} three", "", f"{down} • four"]
    assert drawn("| a | `b` |\n|---|---|\n| {{ x }} | **c** |", value="5") == ["| a | b |", "|---|---|", "| 5 | c |"]
    assert drawn("a\n\n---\n\nb  \nc\\\nd", 5) == ["a", "", rule * 5, "", "b", "c", "d"]


def test_headings_have_marks_too() -> None:
    (row,) = prose.rows(markdown.blocks("## A `b` {{ c }}"), 40, UNICODE, lambda _: "leaf", lambda _: "5")
    assert [piece for piece in row if piece[0].strip()] == [
        ("A", "heading"), ("b", "heading strong leaf"), ("5", "heading strong leaf"),
    ]  # fmt: skip


@given(st.text(st.sampled_from("ab字。*`{}[]()\\ \n->#|12.\t\x1b"), max_size=60), st.integers(1, 12))
def test_no_prose_upsets_the_drawing(text: str, cells: int) -> None:
    rows = prose.rows(markdown.blocks(text), cells, UNICODE, lambda _: "", lambda _: None)
    assert not any("\x1b" in piece or "\n" in piece for row in rows for piece, _ in row)


# ---------------------------------------------------------------- code


def test_code_is_cut_into_the_lines_of_the_file() -> None:
    source = 'x = 1  # one\ns = """a\n[red]b"""\n\nw[i] = "\x1b[31m"\n'
    rows = code.coloured(source)
    assert text_of(rows) == ["x = 1  # one", 's = """a', '[red]b"""', "", 'w[i] = "␛[31m"', ""]
    assert ("# one", "comment") in rows[0]


@given(source=st.text(st.sampled_from("abc =+()[]'\"#\n\t :0123梯\x0c\u2028"), max_size=80))
def test_no_source_upsets_the_colouring(source: str) -> None:
    rows = code.coloured(source)
    assert text_of(rows) == [clean(line) for line in source.split("\n")]


def test_a_mark_covers_exactly_its_columns() -> None:
    row = code.marked((("y = (x + w)", "code"),), [code.Mark(0, 11, "statement"), code.Mark(5, 10, "here")])
    assert [(text, role) for text, role in row if "here" in role] == [("x + w", "code statement here")]
    assert text_of([row]) == ["y = (x + w)"]


def test_what_is_now_stays_in_view_in_a_long_line() -> None:
    line = (("x" * 60, "code"), ("now()", "code here"), ("y" * 60, "code"))
    shown = text_of([fit(code.windowed(line, 30, "here", UNICODE), 30)])[0]
    assert "now()" in shown
    assert shown.startswith("…")


# ---------------------------------------------------------------- curves


def test_a_curve_is_drawn_where_its_points_are() -> None:
    canvas = plot.canvas([[(0, 9.0), (1, 4.0), (2, 1.0)]], 30, 8)
    assert len(canvas.lines) == 8
    assert {len(line) for line in canvas.lines} == {30}
    assert canvas.lines[0][0].strip()
    assert canvas.lines[-1][-1].strip()
    rows = text_of(plot.rows(canvas, 1, UNICODE))
    assert rows[0].lstrip().startswith("9 ")
    assert rows[-1].split() == ["0", "1", "2"]


def test_what_is_not_a_number_has_a_mark_at_the_top_edge() -> None:
    canvas = plot.canvas([[(0, 1.0), (1, float("inf")), (2, float("nan")), (3, 2.0)]], 20, 5)
    assert canvas.unreal == 2
    assert (canvas.low, canvas.high) == (1.0, 2.0)
    assert [x for x, char in enumerate(canvas.lines[0]) if char == plot.UNREAL] == [6, 13]
    assert [role for char, role in plot.rows(canvas, 2, UNICODE)[0] if char == plot.UNREAL] == ["error", "now"]
    assert not any(plot.UNREAL in line for line in canvas.lines[1:])


@pytest.mark.parametrize("log", [False, True])
def test_a_curve_of_nothing_but_nan_has_no_axis_of_numbers(log: bool) -> None:
    canvas = plot.canvas([[(x, float("nan")) for x in range(5)]], 20, 5, log=log)
    assert canvas.lines[0].count(plot.UNREAL) == canvas.unreal == 5
    assert not any(character.isdigit() for row in text_of(plot.rows(canvas, 2, UNICODE))[:-1] for character in row)


def test_many_points_are_thinned_without_losing_a_peak() -> None:
    points = [(x, 100.0 if x == 4321 else 0.0) for x in range(10_000)]
    thin = plot.thin_out(points, 80)
    assert len(thin) <= 160
    assert (4321, 100.0) in thin


@pytest.mark.parametrize("values", [[1.0, 1.0], [float("inf"), float("inf")], [1e300, -1e300], [1e-300, 0.0]])
def test_no_series_upsets_the_chart(values: list[float]) -> None:
    canvas = plot.canvas([list(enumerate(values))], 20, 5, plain=True)
    assert all(line.isascii() for line in canvas.lines)
    assert all(row_width(row) <= 40 for row in plot.rows(canvas, 1, ASCII))


def test_no_row_of_chinese_begins_with_closing_punctuation() -> None:
    text = "正数原样通过，负数变成零。这就是（每层）只有一个神经元的网络：很小。"
    for cells in range(6, 40):
        rows = wrapped([(text[:9], "plain"), (text[9:], "strong")], cells)
        lines = ["".join(piece for piece, _ in row) for row in rows]
        assert "".join(lines) == text
        assert all(line[0] not in "，。）：" for line in lines)
        assert all(line[-1] != "（" for line in lines)


def test_lines_of_chinese_are_joined_without_a_space() -> None:
    (block,) = markdown.blocks("一个数，\n另一个 `w`\n和 three\nfour。\n好*强调*吗")
    assert block.text == "一个数，另一个 `w` 和 three four。好*强调*吗"
    rows = prose.rows([block], 80, UNICODE, lambda _: "plain", lambda _: None)
    assert ("强", "plain note") in rows[0]
