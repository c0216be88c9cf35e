"""What a name means is sent when it is stored to: a number, a tensor, a container or nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.recorder.parts import Parts
from tutor.recorder.containers import ContainerRecorder
from tutor.recorder.variables import Frame, VariableRecorder
from tutor.trace import events as ev


class Names:
    """A recorder of names, and a frame."""

    def __init__(self, parts: Parts) -> None:
        self.made: list[tuple[int, torch.Tensor]] = []
        self.frame = Frame(1, 0, None)
        append, tensors = parts.waiting.append, parts.tensors
        containers = ContainerRecorder(append, tensors.serial, tensors.find, lambda kind: False)
        self.recorder = VariableRecorder(append, tensors, containers, self._record_made)
        self.recorder.on_error = parts.errors.append

    def _record_made(self, site: int, frame: Frame, tensor: torch.Tensor) -> None:
        self.made.append((site, tensor))

    def store(self, name: str, value: Any, made_at: int = 0) -> None:
        self.recorder.store(self.frame, name, value, made_at)


@pytest.fixture
def names(parts: Parts) -> Names:
    return Names(parts)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, 3), (2.5, 2.5), (True, True), (None, None), ("text", "text"), ("x" * 300, "x" * 200),
        ((1 << 63) - 1, (1 << 63) - 1), (-(1 << 63), -(1 << 63)), (1 << 63, "9223372036854775808"),
        (10**1000, "1" + "0" * 199), (1 << 20_000, "an int of 20,001 bits"),
    ],
    ids=["int", "float", "bool", "None", "str", "long", "most", "least", "over", "digits", "bits"],
)  # fmt: skip
def test_plain_values(names: Names, parts: Parts, value: Any, shown: Any) -> None:
    names.store("x", value)
    assert parts.sent() == [ev.Bind(1, "x", "value", 0, shown)]
    assert names.frame.bound == {"x"}


def test_a_tensor_is_sent_before_its_name(names: Names, parts: Parts) -> None:
    w = torch.tensor([2.0])
    names.store("w", w)
    assert [type(event) for event in parts.sent()] == [ev.Meta, ev.Snapshot, ev.Bind]
    names.store("v", w)
    assert parts.sent() == [ev.Bind(1, "v", "tensor", 1)]
    assert list(names.recorder.recent) == [("w", 1), ("v", 1)]


def test_a_parameter_is_a_tensor(names: Names, parts: Parts) -> None:
    names.store("p", torch.nn.Parameter(torch.ones(1)))
    assert parts.of(ev.Bind) == [ev.Bind(1, "p", "tensor", 1)]


def test_what_a_call_made_unseen_is_asked_for(names: Names, parts: Parts) -> None:
    tensor, grown = torch.ones(1), torch.ones(1)
    names.store("t", tensor, 5)
    names.store("t", tensor, 6)  # known by now
    assert [(site, made is tensor) for site, made in names.made] == [(5, True)]
    names.store("g", grown)
    grown.requires_grad_()
    names.store("g", grown, 7)  # as a custom Function gives its result a grad_fn
    assert [site for site, _ in names.made] == [5, 7]


def test_a_container_is_tracked_as_long_as_the_name_means_it(names: Names, parts: Parts) -> None:
    w = torch.ones(1)
    items = [w]
    names.store("items", items)
    assert parts.sent()[-2:] == [ev.Group(1, [("[0]", 1)], [("", "list", 1)]), ev.Bind(1, "items", "group", 1)]
    items.append(w)
    names.recorder.scan(names.frame)
    assert parts.sent() == [ev.Group(1, [("[0]", 1), ("[1]", 1)], [("", "list", 2)])]
    names.store("items", 3)
    items.append(w)
    parts.sent()
    names.recorder.scan(names.frame)
    assert parts.sent() == []


def test_what_is_of_no_interest_takes_the_name_away(names: Names, parts: Parts) -> None:
    names.store("f", len)
    assert parts.sent() == []
    names.store("f", 1)
    names.store("f", len)
    assert parts.sent() == [ev.Bind(1, "f", "value", 0, 1), ev.Bind(1, "f", "none")]
    assert names.frame.bound == set()


def test_all_names_of_a_module(names: Names, parts: Parts) -> None:
    names.recorder.store_all(names.frame, {"a": 1, "__name__": "m", "_b": 2})
    assert [event.name for event in parts.of(ev.Bind)] == ["a", "_b"]
    names.recorder.store_unseen(names.frame, {"a": 5, "c": 3})  # `a` was seen; `_b` was deleted by `exec`
    assert parts.of(ev.Bind) == [ev.Bind(1, "_b", "none"), ev.Bind(1, "c", "value", 0, 3)]


def test_frames_know_how_deep_they_are() -> None:
    outer = Frame(1, 10, None)
    inner = Frame(2, 11, Frame(3, 12, outer))
    assert (outer.depth, inner.depth) == (0, 2)


def test_a_secret_is_in_no_value(names: Names, parts: Parts) -> None:
    """As it is or as `repr` writes it; a short one only where it is the whole value."""
    for secret in ("it's\\", "abc"):
        names.recorder.add_secret(secret)
    shown = {"all": "abcd", "part": "it's"}
    hidden = {
        "whole": "it's\\",
        "end": "user:it's\\",
        "list": repr(["it's\\"]),
        "far": "x" * 300 + "it's\\",
        "short": "abc",
    }
    for name, value in {**shown, **hidden}.items():
        names.store(name, value)
    events = parts.of(ev.Bind)
    assert {event.name: event.value for event in events if event.what == "value"} == shown
