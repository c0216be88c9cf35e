"""Tensors in containers, modules and objects under the expressions that name them, and when what they hold is sent."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tutor.recorder.containers import ContainerRecorder, step_to

Sent = list[tuple[Any, ...]]


class Own:
    """A class of the learner's."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    """One of the learner's without a `__dict__`."""

    __slots__ = ("a", "b")


class Foreign:
    """A class of a library's."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


class Net(nn.Module):
    """A module of the learner's that keeps a list beside its parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Tanh())
        self.named = nn.ModuleDict({"head": nn.Linear(1, 1, bias=False), "a b": nn.Linear(1, 1, bias=False)})
        self.register_buffer("count", torch.zeros(1))
        self.kept = [torch.ones(1)]


@pytest.fixture
def sent() -> Sent:
    return []


@pytest.fixture
def recorder(sent: Sent) -> ContainerRecorder:
    return ContainerRecorder(sent.append, id, lambda kind: kind in (Own, Slotted, Net, Refusing))


T = torch.ones(1)
Pair = namedtuple("Pair", ["first", "second"])


def suffixes(recorder: ContainerRecorder, value: Any) -> list[str]:
    return [suffix for suffix, _ in recorder.tensors_in(value)]


def slotted() -> Slotted:
    thing = Slotted()
    object.__setattr__(thing, "b", T)
    return thing


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (T, [""]), ([T, 1, T], ["[0]", "[2]"]), ((T, [T]), ["[0]", "[1][0]"]), ([[[T]]], []),
        ({"w": T, 2: T, (1, "a"): T}, ["['w']", "[2]", "[(1, 'a')]"]), ({object(): T}, []),
        (OrderedDict(a=T), ["['a']"]), (Pair(T, 2), ["[0]"]), (SimpleNamespace(x=T, y=1), [".x"]),
        (Own(x=T, deep=Own(y=T), items=[T]), [".x", ".items[0]"]), (slotted(), [".b"]), (Foreign(T), []),
        ([Own(x=T)], ["[0].x"]), ([T] * 25, [f"[{at}]" for at in range(20)]), (3, []), ("text", []),
    ],
)  # fmt: skip
def test_what_is_in_it(recorder: ContainerRecorder, value: Any, expected: list[str]) -> None:
    assert suffixes(recorder, value) == expected


def test_a_module_names_its_parts_as_one_types_them(recorder: ContainerRecorder) -> None:
    assert suffixes(recorder, Net()) == [
        ".count", ".layers[0].weight", ".named.head.weight", ".named['a b'].weight", ".kept[0]"
    ]  # fmt: skip


def test_a_module_that_is_in_it_twice_is_named_once(recorder: ContainerRecorder) -> None:
    layer = nn.Linear(1, 1, bias=False)
    assert suffixes(recorder, nn.Sequential(layer, layer)) == ["[0].weight"]


@pytest.mark.parametrize(
    ("module", "name", "step"),
    [
        (nn.Sequential(), "0", "[0]"), (nn.ModuleList(), "1", "[1]"), (nn.ModuleDict(), "a", ".a"),
        (nn.ModuleDict(), "class", "['class']"), (nn.ModuleDict(), "keys", "['keys']"), (nn.Linear(1, 1), "0", ".0"),
        (nn.Linear(1, 1), "weight", ".weight"),
    ],
)  # fmt: skip
def test_the_step_to_a_member(module: nn.Module, name: str, step: str) -> None:
    assert step_to(module, name) == step


class Refusing:
    """One of the learner's whose attributes run code."""

    def __init__(self) -> None:
        object.__getattribute__(self, "__dict__")["x"] = T

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("the learner's code was run")

    def __iter__(self) -> Any:
        raise AssertionError("the learner's code was run")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the learner's code was run")

    __hash__ = None  # type: ignore[assignment]


class RefusingList(list[Any]):
    __getitem__ = __iter__ = __len__ = Refusing.__getattribute__  # type: ignore[assignment]


def test_no_code_of_the_learners_runs(recorder: ContainerRecorder) -> None:
    assert suffixes(recorder, Refusing()) == [".x"]
    assert suffixes(recorder, RefusingList([T])) == ["[0]"]


# ------------------------------------------------------------ when it is sent


def test_it_is_sent_first_and_whenever_it_has_changed(recorder: ContainerRecorder, sent: Sent) -> None:
    first, second = torch.ones(1), torch.ones(1)
    values = [first]
    holder = recorder.track(values)
    tag = sent[0][0]
    assert sent == [(tag, 1, [("[0]", id(first))], [("", "list", 1)])]
    recorder.record(holder)
    assert len(sent) == 1
    values.append(second)
    recorder.record(holder)
    assert sent[1:] == [(tag, 1, [("[0]", id(first)), ("[1]", id(second))], [("", "list", 2)])]
    values.clear()
    recorder.record(holder)
    assert sent[2:] == [(tag, 1, [], [("", "list", 0)])]
    values.append(3)  # type: ignore[arg-type]
    recorder.record(holder)
    assert len(sent) == 3


def test_what_never_held_a_tensor_is_not_sent(recorder: ContainerRecorder, sent: Sent) -> None:
    holder = recorder.track([1, "a"])
    recorder.record(holder)
    assert (holder.serial, sent) == (1, [])


def test_objects_are_not_kept_alive(recorder: ContainerRecorder) -> None:
    thing = Own(x=T)
    holder = recorder.track(thing)
    assert holder.get() is thing
    del thing
    assert holder.get() is None
    recorder.record(holder)


def test_which_things_may_hold_tensors(recorder: ContainerRecorder) -> None:
    things: list[Any] = [[], (), {}, nn.Linear(1, 1), SimpleNamespace(), Own()]
    assert all(recorder.may_hold_tensors(thing) for thing in things)
    assert not any(recorder.may_hold_tensors(thing) for thing in (1, "a", Foreign(T), {1}, T, len))
