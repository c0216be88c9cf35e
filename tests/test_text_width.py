"""Text measured, cut, filled and broken by the cells that it takes on a terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from tutor.text_width import align_right, cut, pad, printed_lines, width, wrap, wrapped


def test_chinese_takes_two_cells() -> None:
    assert [width(text) for text in ("", "abc", "两条a", "e\N{COMBINING ACUTE ACCENT}", "→…")] == [0, 3, 5, 1, 2]


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("两条路", 6, "两条路"),
        ("两条路", 5, "两条…"),
        ("两条路", 4, "两…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_cut(text: str, cells: int, expected: str) -> None:
    assert cut(text, cells) == expected


def test_text_is_filled_by_cells() -> None:
    assert (pad("两", 4), align_right("两", 4), pad("两条路", 4)) == ("两  ", "  两", "两… ")


def test_running_text_breaks_at_spaces_and_between_chinese_characters() -> None:
    assert wrap("  one two\nthree ", 8) == ["one two", "three"]
    assert wrap("一个 loss 的梯度，再相加。", 10) == ["一个 loss", "的梯度，再", "相加。"]
    assert wrap("（梯度）“相加”", 6) == ["（梯", "度）", "“相加”"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("", 3) == []


def test_roles_stay_with_their_text() -> None:
    assert wrapped([("one tw", "plain"), ("o three", "grad")], 8) == [
        (("one", "plain"), (" ", "plain"), ("tw", "plain"), ("o", "grad")),
        (("three", "grad"),),
    ]


def test_plain_ascii_needs_no_table_of_widths() -> None:
    code = "import sys\nfrom tutor.text_width import wrap\nwrap('a b', 1)\nassert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("cells", [1, 0, -3])
def test_text_in_no_room_is_wrapped_by_characters(cells: int) -> None:
    rows = wrapped([("ab c", "plain")], cells)
    assert ["".join(text for text, _ in row) for row in rows] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("pieces", "cells", "expected"),
    [
        (["opt = torch.optim.Adam(net.parameters(), lr=0.05)"], 20,
         ["opt =", "torch.optim.Adam(", "net.parameters(),", "lr=0.05)"]),
        (["f(", "a", ",b,ccc", ",d)"], 5, ["f(a,", "b,", "ccc,", "d)"]),
        (["f(a,b)"], 6, ["f(a,b)"]),
        (["some_very_long_name(x)"], 10, ["some_very_", "long_name(", "x)"]),
    ],
)  # fmt: skip
def test_code_breaks_behind_brackets_and_commas(pieces: list[str], cells: int, expected: list[str]) -> None:
    rows = wrapped([(piece, "code") for piece in pieces], cells, after="([{,")
    assert ["".join(text for text, _role in row) for row in rows] == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("0%\r50%\r100%\nend", ["100%", "end"]),
        ("a\rb\r", ["b"]),
        ("no bar \x1b[1mbold\x1b[0m", ["no bar \x1b[1mbold\x1b[0m"]),
        ("left\r\x1b[Kright", ["right"]),
        ("left\x1b[2K\rright", ["right"]),
        ("outer\n\rinner 1\x1b[A\n\rinner 2\x1b[A\router done\n", ["outer done", "inner 2"]),
        ("outer\n\rinner 1\x1b[A\n\r       \r\x1b[A\r100%\n", ["100%"]),
        ("\x1b[2A\rtop", ["top"]),
        ("\r      \r", []),
        ("a\n\x1b[9Ab", ["b"]),
    ],
)
def test_what_progress_bars_overwrite_is_not_shown(text: str, lines: list[str]) -> None:
    assert printed_lines(text) == lines


def test_bars_of_tqdm_below_each_other_end_as_in_a_terminal() -> None:
    from tqdm import tqdm  # type: ignore[import-untyped]

    out = io.StringIO()
    for epoch in tqdm(range(3), file=out, desc="epochs", mininterval=0, ascii=True):
        for _ in tqdm(range(5), file=out, desc=f"epoch {epoch}", leave=epoch == 1, mininterval=0, ascii=True):
            pass
    shown = printed_lines(out.getvalue())
    assert [line.partition(":")[0] for line in shown if line.strip()] == ["epoch 1", "epochs"]
    assert "3/3" in shown[-1]
