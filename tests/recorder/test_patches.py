"""What is replaced in Python and plotext leaves the program what a plain run has."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import plotext
import pytest
import torch

import tutor.recorder
from tests.worker.servers import run_python
from tutor.recorder import patches
from tutor.trace import events as ev

# ------------------------------------------------------------ figures


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ev.Figure]]:
    for name, function in list(vars(plotext).items()):
        if inspect.isfunction(function):
            monkeypatch.setattr(plotext, name, function)
    shown: list[ev.Figure] = []
    patches.record_figures(shown.append, contextlib.nullcontext)
    yield shown
    plotext.clear_figure()


def test_a_figure_is_the_calls_that_drew_it(figures: list[ev.Figure]) -> None:
    plotext.plot([1, 2], torch.tensor([3.0, 4.0]), label="loss")
    plotext.title("a run")
    plotext.build()
    assert [figure.calls for figure in figures] == [
        [["plot", [[1, 2], [3.0, 4.0]], {"label": "loss"}], ["title", ["a run"], {}]]
    ]


def test_a_figure_that_was_cleared_begins_anew(figures: list[ev.Figure]) -> None:
    plotext.scatter([1], [2])
    plotext.build()
    plotext.clf()
    plotext.bar(["a"], [1])
    plotext.build()
    assert [[call[0] for call in figure.calls] for figure in figures] == [["scatter"], ["bar"]]


def test_the_size_of_the_terminal_is_no_part_of_a_figure(figures: list[ev.Figure]) -> None:
    assert plotext.terminal_width() == plotext.tw()
    plotext.plot([1, 2])
    plotext.build()
    assert [call[0] for call in figures[0].calls] == ["plot"]


def test_values_of_any_kind_are_sent_as_plain_ones(figures: list[ev.Figure]) -> None:
    large = torch.arange(20_000.0).requires_grad_()
    assert patches._plain(large) == [float(item) for item in range(10_000)]
    assert patches._plain(torch.ones(2, 2).numpy()) == [[1.0, 1.0], [1.0, 1.0]]
    assert patches._plain({1: (True, None, range(2))}) == {"1": [True, None, [0, 1]]}
    assert patches._plain(1 + 2j) == "(1+2j)"


# ------------------------------------------------------------ the recursion limit

DEPTH = """\
import sys
{begin}
def deeper(level):
    {check}
    try:
        return deeper(level + 1)
    except RecursionError as error:
        return level, str(error)[:32]
def main():
    print(sys.getrecursionlimit(), *deeper(0))
    sys.setrecursionlimit(300)
    print(sys.getrecursionlimit(), *deeper(0))
    try:
        sys.setrecursionlimit(0)
    except ValueError as error:
        print(error)
main()
"""


def test_the_program_recurses_as_deep_as_by_itself(tmp_path: Path) -> None:
    printed = []
    begin = "from tutor.recorder import patches\npatches.raise_recursion_limit()"
    for name, text in {
        "plain": DEPTH.format(begin="", check="pass"),
        "recorded": DEPTH.format(begin=begin, check="patches.check_recursion()"),
    }.items():
        script = tmp_path / f"{name}.py"
        script.write_text(text)
        status, out, err = run_python([str(script)], {"PYTHONPATH": str(Path(__file__).parents[2])})
        assert (status, err) == (0, "")
        printed.append(out)
    # The server has frames around the program, so the two depths may differ by a few.
    plain, recorded = ([line.split() for line in out.splitlines()] for out in printed)
    assert plain[2] == recorded[2]
    for by_itself, watched in zip(plain[:2], recorded[:2], strict=True):
        assert by_itself[0] == watched[0]
        assert abs(int(by_itself[1]) - int(watched[1])) <= 12
        assert by_itself[2:] == watched[2:]


def test_deep_code_is_compiled_and_the_limit_is_as_before() -> None:
    limit = patches._limit()
    with patches.deep_recursion():
        assert patches._limit() >= patches.SYNTAX_DEPTH
    assert patches._limit() == limit
    with pytest.raises(KeyError), patches.deep_recursion():
        raise KeyError
    assert patches._limit() == limit


# ------------------------------------------------------------ watchers of the program

RECORDER = str(Path(tutor.recorder.__file__).with_name("tensors.py"))


def in_recorder() -> Any:
    """Run a function in the recorder's code."""
    names: dict[str, Any] = {}
    exec(compile("def read():\n    return 1\n", RECORDER, "exec"), names)
    return names["read"]()


def by_program() -> int:
    return 2


@pytest.fixture
def shielded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = sys.gettrace(), sys.getprofile()
    set_trace, set_profile = sys.settrace, sys.setprofile
    for name in ("settrace", "gettrace", "setprofile", "getprofile", "addaudithook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    patches.shield_from_tracers()
    yield
    set_trace(before[0])
    set_profile(before[1])


@pytest.mark.usefixtures("shielded")
@pytest.mark.parametrize("kind", ["trace", "profile"])
def test_tracers_see_the_programs_code_alone(kind: str) -> None:
    install, installed = getattr(sys, f"set{kind}"), getattr(sys, f"get{kind}")
    entered: list[str] = []

    def watcher(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call":
            entered.append(frame.f_code.co_name)
        return watcher

    install(watcher)
    same = installed() is watcher
    in_recorder()
    by_program()
    install(None)
    assert same
    assert installed() is None
    assert "by_program" in entered
    assert "read" not in entered


@pytest.mark.usefixtures("shielded")
def test_an_audit_hook_is_not_called_for_its_own_events() -> None:
    seen: list[tuple[str, tuple[Any, ...]]] = []
    on = True

    def hook(event: str, words: tuple[Any, ...]) -> None:
        if on and event.startswith(("tests.", "sys._getframe")):
            seen.append((event, words))
            sys.audit("tests.inner")

    sys.addaudithook(hook)
    sys.audit("tests.outer", 5)
    sys._getframe()
    sys.audit("tests.outer", 6)
    on = False  # a hook stays for good
    assert seen == [("tests.outer", (5,)), ("tests.outer", (6,))]
