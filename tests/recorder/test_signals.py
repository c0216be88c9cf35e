"""A handler of the program's runs at once in the program's code, and waits while the recorder's code runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import tutor.recorder
from tutor.recorder.call_sites import STAND_IN
from tutor.recorder.signals import DeferredSignals

RECORDER = str(Path(tutor.recorder.__file__).with_name("tensors.py"))
TORCH = str(Path(torch.__file__).with_name("functional.py"))
PROGRAM = "/home/ada/train.py"


class Handler:
    """A program's handler, which notes the signals and the frames that it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, FrameType | None]] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.calls.append((number, frame))


def frames(*places: tuple[str, str]) -> Callable[[], Any]:
    """Return a function that raises a signal below frames of these files and functions, the outermost first."""

    def within(path: str, name: str, call: Callable[[], Any]) -> Callable[[], Any]:
        names: dict[str, Any] = {"call": call}
        exec(compile("def outer():\n    call()\n", path, "exec"), names)
        outer = names["outer"]
        outer.__code__ = outer.__code__.replace(co_name=name)
        return outer  # type: ignore[no-any-return]

    call: Callable[[], Any] = eval(compile("lambda: raise_(number)", "<signal>", "eval"),
                                   {"raise_": signal.raise_signal, "number": signal.SIGUSR1})  # fmt: skip
    for path, name in reversed(places):
        call = within(path, name, call)
    return call


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeferredSignals]:
    original, kept = signal.signal, [(n, signal.getsignal(n)) for n in (signal.SIGUSR1, signal.SIGINT)]
    for name in ("signal", "getsignal"):
        monkeypatch.setattr(signal, name, getattr(signal, name))
    deferred = DeferredSignals()
    deferred.watch()
    yield deferred
    for number, handler in kept:
        original(number, handler)


@pytest.mark.parametrize(
    ("places", "waits"),
    [
        ([(PROGRAM, "train")], False),
        ([(PROGRAM, "train"), (RECORDER, "record")], True),
        ([(PROGRAM, "train"), (RECORDER, "record"), (TORCH, "norm")], True),
        ([(PROGRAM, "train"), (RECORDER, "record"), (RECORDER, STAND_IN), (TORCH, "norm")], False),
        ([(PROGRAM, "train"), (RECORDER, "record"), (PROGRAM, "forward")], False),
    ],
    ids=["program", "recorder", "torch for the recorder", "torch for the program", "program below the recorder"],
)
def test_it_waits_while_the_recorders_code_runs(
    signals: DeferredSignals, places: list[tuple[str, str]], waits: bool
) -> None:
    handler = Handler()
    signal.signal(signal.SIGUSR1, handler)
    frames(*places)()
    assert [number for number, _ in handler.calls] == ([] if waits else [signal.SIGUSR1])
    assert signals.waiting == ([(handler, signal.SIGUSR1)] if waits else [])


def test_what_waited_runs_once_and_in_order_with_the_programs_frame(signals: DeferredSignals) -> None:
    first, second = Handler(), Handler()
    in_recorder = frames((RECORDER, "record"))
    for handler in (first, second):
        signal.signal(signal.SIGUSR1, handler)
        in_recorder()
    assert [handler for handler, _ in signals.waiting] == [first, second]
    here = sys._getframe()
    signals.run(here)
    signals.run(here)
    assert first.calls == second.calls == [(signal.SIGUSR1, here)]


def test_one_that_raises_leaves_the_others_waiting(signals: DeferredSignals) -> None:
    def refuse(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("too slow")

    later = Handler()
    for handler in (refuse, later):
        signal.signal(signal.SIGUSR1, handler)
        frames((RECORDER, "record"))()
    with pytest.raises(TimeoutError, match="too slow"):
        signals.run(sys._getframe())
    assert signals.waiting == [(later, signal.SIGUSR1)]


def test_the_program_is_given_its_own_handlers_back(signals: DeferredSignals) -> None:
    first, second = Handler(), Handler()
    calls = first.calls, second.calls
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert signal.signal(signal.SIGUSR1, first) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is first
    assert signal.signal(signal.SIGUSR1, second) is first
    assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) is second
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
    frames((PROGRAM, "train"))()
    assert calls == ([], [])


def test_an_interrupt_in_the_recorder_is_raised_in_the_program(signals: DeferredSignals) -> None:
    call = eval(compile("lambda: raise_(2)", RECORDER, "eval"), {"raise_": signal.raise_signal})
    call()
    with pytest.raises(KeyboardInterrupt):
        signals.run(sys._getframe())


def test_at_the_end_nothing_is_kept(signals: DeferredSignals) -> None:
    handler = Handler()
    signal.signal(signal.SIGUSR1, handler)
    frames((RECORDER, "record"))()
    signals.release()
    assert signals.waiting == []
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
