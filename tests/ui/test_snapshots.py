"""Pictures of the main states at four sizes. After a wanted change: pytest tests/ui --snapshot-update, and look."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ui.recordings import SCRIPT, TAUGHT, training, two_paths, viewer

Compare = Callable[..., bool]
SIZES = {"80x24": (80, 24), "100x30": (100, 30), "120x40": (120, 40), "200x60": (200, 60)}
AT_A_NODE = ["end", "5", "enter", "b", "right", "right"]


@pytest.fixture(params=list(SIZES.values()), ids=list(SIZES))
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    param: tuple[int, int] = request.param
    return param


def test_the_beginning(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=size)


def test_a_question(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=size, press=["end", "right"])


def test_a_node_of_the_backward_pass(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=size, press=AT_A_NODE)


def test_a_training_loop(snap_compare: Compare, size: tuple[int, int]) -> None:
    press = ["g", *"pass 12", "enter", "right", "tab", "tab", "down"]
    assert snap_compare(viewer(training(), SCRIPT), terminal_size=size, press=press)


def test_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=(120, 40), press=AT_A_NODE)


def test_on_a_light_ground(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADTUTOR_THEME", "light")
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=(120, 40), press=AT_A_NODE)


def test_zoomed(snap_compare: Compare) -> None:
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=(80, 24), press=[*AT_A_NODE, "tab", "tab", "z"])


def test_help(snap_compare: Compare) -> None:
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=(120, 40), press=["?"])


def test_everything_about_a_node(snap_compare: Compare) -> None:
    press = [*AT_A_NODE, "tab", "tab", "up", "enter"]
    assert snap_compare(viewer(two_paths(), TAUGHT), terminal_size=(80, 24), press=press)
