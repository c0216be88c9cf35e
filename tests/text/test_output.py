"""Text that arrives, whatever the terminal."""

from __future__ import annotations

import io

import pytest

from tutor.text.format import Paint, escape_controls, prepare_streams, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"), ("\x1b[31m", "\\x1b[31m"), ("\x9b2J", "\\x9b2J"),
        ("\x00\r\x7f", "\\x00\\r\\x7f"),
        ("\u202eabc", "\\u202eabc"), ("\ud83d", "\\ud83d"), ("两条路 → ∂", "两条路 → ∂"),
    ],
)  # fmt: skip
def test_safe(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_tables_are_aligned_by_cells() -> None:
    assert table([["a", "b", "c"], ["两", "bb", ""]]) == ["  a   b   c", "  两  bb"]
    assert table([]) == []


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint(Tty())("5.0", "grad") == "\x1b[33m5.0\x1b[0m"
    assert Paint(Tty())("\x1b[31m", "grad") == "\x1b[33m\\x1b[31m\x1b[0m"
    assert Paint(Tty())("words", "plain") == "words"
    assert Paint(io.StringIO())("5.0", "grad") == "5.0"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint(Tty())("5.0", "grad") == "5.0"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Paint(Tty())("5.0", "grad") == "5.0"


def test_ascii_streams_take_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    prepare_streams()
    stream.write("∂y/∂a → 1 × 2 两")
    stream.flush()
    assert stream.buffer.getvalue() == b"dy/da -> 1 x 2 \\u4e24"
