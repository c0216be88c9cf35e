"""Tensors in containers, modules and objects under the expressions that name them, and when what they hold is sent."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from tests.recorder.parts import Parts
from tutor.recorder.containers import ContainerRecorder, step_to
from tutor.recorder.tensors import TensorRecord
from tutor.trace import events as ev

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
    return ContainerRecorder(
        sent.append,
        id,
        lambda tensor: TensorRecord(weakref.ref(tensor), id(tensor)),
        lambda kind: kind in (Own, Slotted, Net, Refusing),
    )


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
    recorder.record((holder,))
    assert len(sent) == 1
    values.append(second)
    recorder.record((holder,))
    assert sent[1:] == [(tag, 1, [("[0]", id(first)), ("[1]", id(second))], [("", "list", 2)])]
    values.clear()
    recorder.record((holder,))
    assert sent[2:] == [(tag, 1, [], [("", "list", 0)])]
    values.append(3)  # type: ignore[arg-type]
    recorder.record((holder,))
    assert len(sent) == 3


def test_what_never_held_a_tensor_is_not_sent(recorder: ContainerRecorder, sent: Sent) -> None:
    holder = recorder.track([1, "a"])
    recorder.record((holder,))
    assert (holder.serial, sent) == (1, [])


def test_objects_are_not_kept_alive(recorder: ContainerRecorder) -> None:
    thing = Own(x=T)
    holder = recorder.track(thing)
    assert holder.get() is thing
    del thing
    assert holder.get() is None
    recorder.record((holder,))


def test_which_things_may_hold_tensors(recorder: ContainerRecorder) -> None:
    things: list[Any] = [[], (), {}, nn.Linear(1, 1), SimpleNamespace(), Own()]
    assert all(recorder.may_hold_tensors(thing) for thing in things)
    assert not any(recorder.may_hold_tensors(thing) for thing in (1, "a", Foreign(T), {1}, T, len))


# ------------------------------------------------------------ changes of modules


class Group:
    """A module that a name means, and what was sent of it."""

    def __init__(self, parts: Parts, module: nn.Module) -> None:
        self.parts = parts
        self.recorder = ContainerRecorder(
            parts.waiting.append, parts.tensors.serial, parts.tensors.find, lambda kind: kind in (Own, Net)
        )
        self.module = module
        self.holders = {"": self.recorder.track(module)}

    def shown(self) -> dict[str, dict[str, torch.Tensor | None]]:
        """Return the tensors that a reader of the events knows, by the path of the module and the suffix."""
        self.recorder.record(self.holders.values())
        paths = {holder.serial: path for path, holder in self.holders.items()}
        groups = {event.group: event.items for event in map(_group, self.parts.waiting) if event is not None}
        tensors = {record.serial: record.ref() for record in self.parts.tensors.by_id.values()}
        return {paths[number]: {name: tensors[t] for name, t in items} for number, items in groups.items()}


def _group(event: tuple[Any, ...]) -> ev.Group | None:
    return ev.Group(*event[1:]) if event[0] == ev.Group.__struct_config__.tag else None


def held(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return what a module holds, by an examination of all of it."""
    recorder = ContainerRecorder([].append, id, lambda tensor: None, lambda kind: kind in (Own, Net))
    with torch._C.DisableTorchFunction():
        return dict(recorder.tensors_in(module))


def same(shown: dict[str, torch.Tensor | None], expected: dict[str, torch.Tensor]) -> bool:
    return list(shown) == list(expected) and all(shown[name] is tensor for name, tensor in expected.items())


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.ones(2))


def rename(net: Any) -> None:
    net.layers[0]._parameters["kernel"] = net.layers[0]._parameters.pop("weight")


def exchange(net: Any) -> None:
    first, second = net.layers[0]._parameters, net.named["head"]._parameters
    first["weight"], second["weight"] = second["weight"], first["weight"]


def replace_at_once(net: Any) -> None:
    """Delete a buffer and make one that may get its `id`."""
    del net.count
    net._buffers["count"] = torch.zeros(3)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda net: None,
    "a value": lambda net: net.count.add_(1),
    "assigned": lambda net: setattr(net.layers[0], "weight", parameter()),
    "a new one": lambda net: setattr(net, "scale", parameter()),
    "registered": lambda net: net.layers.register_parameter("scale", parameter()),
    "registered None": lambda net: net.layers.register_parameter("scale", None),
    "set to None": lambda net: setattr(net.layers[0], "weight", None),
    "deleted": lambda net: delattr(net.layers[0], "weight"),
    "table written": lambda net: net.layers[0]._parameters.update(weight=parameter()),
    "table added to": lambda net: net.layers[1]._parameters.update(weight=parameter()),
    "table emptied": lambda net: net.layers[0]._parameters.clear(),
    "renamed": rename,
    "exchanged": exchange,
    "buffer assigned": lambda net: setattr(net, "count", torch.ones(3)),
    "buffer registered": lambda net: net.layers.register_buffer("mean", torch.ones(3)),
    "buffer written": lambda net: net._buffers.update(count=torch.ones(3)),
    "buffer replaced at once": replace_at_once,
    "another dtype": lambda net: net.to(torch.float64),
    "another table": lambda net: net.layers[0].__dict__.update(_parameters={"weight": parameter()}),
    "a module more": lambda net: net.layers.append(nn.Linear(2, 2)),
    "a module in between": lambda net: net.layers.insert(0, nn.Linear(2, 2)),
    "a module for another": lambda net: net.layers.__setitem__(0, nn.Linear(2, 2)),
    "a module deleted": lambda net: delattr(net, "layers"),
    "a module popped": lambda net: net.named.pop("head"),
    "a module table written": lambda net: net._modules.update(layers=nn.Linear(2, 2)),
    "a module twice": lambda net: setattr(net, "again", net.layers),
    "a module above it": lambda net: net.layers._modules.update(up=net),
    "parametrized": lambda net: parametrize.register_parametrization(net.layers[0], "weight", nn.Tanh()),
    "weight norm": lambda net: nn.utils.parametrizations.weight_norm(net.layers[0]),
    "pruned": lambda net: prune.l1_unstructured(net.layers[0], "weight", 1),
    "loaded": lambda net: net.load_state_dict(Net().state_dict(), assign=True),
    "list added to": lambda net: net.kept.append(torch.ones(1)),
    "list replaced": lambda net: setattr(net, "kept", [torch.ones(1)]),
    "a list more": lambda net: setattr(net, "others", [torch.ones(1)]),
    "tensor attribute": lambda net: setattr(net, "mean", torch.ones(1)),
    "attribute deleted": lambda net: delattr(net, "kept"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_of_a_module_is_seen(parts: Parts, change: Callable[[Any], Any]) -> None:
    net: Any = Net()
    modules = {"": net, "layers": net.layers, "linear": net.layers[0]}
    group = Group(parts, net)
    for path in ("layers", "linear"):
        group.holders[path] = group.recorder.track(modules[path])
    for next_change in (change, _add_late, _add_late, lambda net: None):
        next_change(net)
        shown = group.shown()
        for path, module in modules.items():
            assert same(shown[path], held(module)), path


def _add_late(net: Any) -> None:
    """Write to the table of a module at the end of the others."""
    modules = list(net.modules())
    modules[-1]._parameters[f"late{len(modules[-1]._parameters)}"] = parameter()


def test_an_attribute_that_comes_to_hold_a_tensor_is_seen(parts: Parts) -> None:
    net: Any = Net()
    del net.kept
    group = Group(parts, net)
    for value in (1.0, Own(), torch.ones(1), 2.0, [torch.ones(1)], "text", {"a": torch.ones(1)}, (), None):
        net.rate = value
        assert same(group.shown()[""], held(net)), value


def test_what_does_not_change_is_sent_once(parts: Parts) -> None:
    group = Group(parts, Net())
    before = len(parts.waiting)
    group.shown()
    assert len(parts.waiting) == before


def test_a_module_under_construction_is_seen_as_it_grows(parts: Parts) -> None:
    net: Any = Net.__new__(Net)
    group = Group(parts, net)
    nn.Module.__init__(net)
    group.shown()
    for name in ("a", "b"):
        setattr(net, name, nn.Linear(1, 1))
        assert same(group.shown()[""], held(net))


@pytest.mark.parametrize("cyclic", [False, True])
def test_modules_and_their_tensors_are_not_kept_alive(parts: Parts, cyclic: bool) -> None:
    net: Any = Net()
    if cyclic:
        net.layers.register_forward_hook(net.forward)
        net.named.up = [net]
    group = Group(parts, net)
    group.shown()
    refs = [weakref.ref(thing) for thing in (net, net.layers[0], net.layers[0].weight, net.count)]
    group.module = None  # type: ignore[assignment]
    del net
    if cyclic:
        gc.collect()
    assert [ref() for ref in refs] == [None] * 4
    group.recorder.record(group.holders.values())
