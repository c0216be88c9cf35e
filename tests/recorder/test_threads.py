"""Threads of the program are noticed, and what they change in tensors is recorded at the next statement."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.recorder.parts import Parts
from tutor.recorder.event_writer import wire_tuple
from tutor.recorder.threads import ThreadWatcher
from tutor.trace import events as ev

PROGRAM = """\
def start(function, **more):
    thread = threading.Thread(target=function, **more)
    thread.start()
    return thread

def start_in_pool(function):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return pool.submit(function).result()

def fill_queue(item):
    queue = multiprocessing.get_context("fork").Queue()
    queue.put(item)
    result = queue.get()
    queue.close()
    queue.join_thread()
    return result
"""


class Program:
    """A program whose functions are the learner's, and a watcher of its threads."""

    def __init__(self, parts: Parts) -> None:
        import concurrent.futures
        import multiprocessing

        names: dict[str, Any] = {
            "threading": threading, "concurrent": concurrent, "multiprocessing": multiprocessing
        }  # fmt: skip
        exec(compile(PROGRAM, "/home/ada/train.py", "exec"), names)
        self.start: Callable[..., threading.Thread] = names["start"]
        self.start_in_pool: Callable[[Callable[[], Any]], Any] = names["start_in_pool"]
        self.fill_queue: Callable[[Any], Any] = names["fill_queue"]
        self.parts = parts
        own = {id(function.__code__): function for function in (self.start, self.start_in_pool, self.fill_queue)}
        self.watcher = ThreadWatcher(lambda event: parts.waiting.append(wire_tuple(event)), parts.tensors, own)
        self.watcher.watch()

    def recorded(self) -> list[ev.Event]:
        """What is sent at the next statement."""
        self.watcher.record_changed()
        return self.parts.sent()


@pytest.fixture
def program(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    return Program(parts)


def gaps(events: list[ev.Event]) -> list[str]:
    return [event.detail for event in events if isinstance(event, ev.Gap) and event.why == "thread"]


def test_a_change_while_it_runs_and_one_at_its_end_are_recorded(program: Program, parts: Parts) -> None:
    w = torch.zeros(2)
    parts.tensors.serial(w)
    parts.sent()
    begun, go, written, end = (threading.Event() for _ in range(4))

    def work() -> None:
        begun.set()
        go.wait()
        w.add_(1)
        written.set()
        end.wait()
        w.add_(1)

    thread = program.start(work, name="loader-7")
    assert program.watcher.active
    begun.wait()
    first = program.recorded()
    assert gaps(first) == ["loader-7"]
    assert [type(event) for event in first] == [ev.Gap]
    go.set()
    written.wait()
    (changed,) = program.recorded()
    assert isinstance(changed, ev.Snapshot)
    assert changed.value == [1.0, 1.0]
    assert program.watcher.active
    end.set()
    thread.join()
    (changed,) = [event for event in program.recorded() if isinstance(event, ev.Snapshot)]
    assert changed.value == [2.0, 2.0]
    assert not program.watcher.active


def test_many_threads_of_one_kind_are_mentioned_once(program: Program) -> None:
    for number in range(3):
        program.start(lambda: None, name=f"reader-{number}").join()
    program.start(lambda: None, name="writer-1").join()
    assert gaps(program.recorded()) == ["reader-0", "writer-1"]


def test_a_thread_of_a_library_is_not_noticed_before_it_runs_the_programs_code(program: Program) -> None:
    thread = threading.Thread(target=lambda: None, name="library")
    thread.start()  # this file is not the program
    thread.join()
    assert not program.watcher.active
    assert program.recorded() == []
    others: list[bool] = []
    thread = threading.Thread(target=lambda: others.append(program.watcher.is_other_thread()), name="library")
    thread.start()
    thread.join()
    assert others == [True]
    assert gaps(program.recorded()) == ["library"]


def test_the_main_thread_is_not_another(program: Program) -> None:
    assert not program.watcher.is_other_thread()
    assert not program.watcher.active


def test_a_thread_of_a_pool_is_the_programs(program: Program) -> None:
    assert program.start_in_pool(lambda: 6 * 7) == 42
    (name,) = gaps(program.recorded())
    assert name.startswith("ThreadPoolExecutor")


def test_a_thread_that_only_feeds_a_queue_is_not_mentioned_but_watched(program: Program) -> None:
    assert program.fill_queue("item") == "item"
    assert program.watcher.active
    assert gaps(program.recorded()) == []
