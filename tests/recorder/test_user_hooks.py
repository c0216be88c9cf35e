"""Hooks of the learner's: what each changed, in which order, and that the numbers are those that they left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.recorder.frames import Program
from tests.recorder.parts import Parts
from tests.worker.recording import Forker, Recording, plain_value
from tutor.explain import plain
from tutor.recorder import torch_private
from tutor.recorder.autograd_graph import RecorderHook
from tutor.recorder.call_sites import CallSite, OpSite, SourceRecorder
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.operations import OperationRecorder
from tutor.recorder.user_hooks import HookRecorder
from tutor.trace import events as ev
from tutor.trace.names import names_of


def hooks_of(recorded: Recording) -> list[tuple[str, str | None, int | None, Any, Any]]:
    """Of each hook that ran: its name, the node's, which input of it, before, after."""
    found = []
    for step in recorded.steps_of("hook"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.HookRan)
        node = None if event.node is None else recorded.timeline.state(step).nodes[event.node].name
        found.append((event.hook, node, event.input, plain_value(event.before), plain_value(event.after)))
    return found


def nodes_of(recorded: Recording) -> list[tuple[str, Any, Any]]:
    found = []
    for step in recorded.steps_of("node"):
        event = recorded.timeline.event(step)
        assert isinstance(event, ev.Node)
        name = recorded.timeline.state(step).nodes[event.node].name
        found.append((name, [*map(plain_value, event.grad_outputs)], [*map(plain_value, event.grad_inputs)]))
    return found


def test_hooks_of_nodes(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
k = torch.tensor([5.0, 5.0], requires_grad=True)
y = w * k
def before(outputs):
    return (outputs[0] * 2,)
def after(inputs, outputs):
    return (inputs[0] * 10, None)
def look(inputs, outputs):
    seen = outputs[0] + 1
y.grad_fn.register_prehook(before)
y.grad_fn.register_hook(after)
y.grad_fn.register_hook(look)
y.sum().backward()
""")
    # 1 arrives at y and is doubled; times k = 5 it is 10, and 100 after the hook; what went to k is put away.
    assert hooks_of(recorded) == [
        ("before", "MulBackward0", None, [1.0, 1.0], [2.0, 2.0]),
        ("after", "MulBackward0", 0, [10.0, 10.0], [100.0, 100.0]),
        ("after", "MulBackward0", 1, [2.0, 4.0], None),
        ("look", "MulBackward0", 0, [100.0, 100.0], [100.0, 100.0]),
    ]
    assert nodes_of(recorded)[1] == ("MulBackward0", [[2.0, 2.0]], [[100.0, 100.0], None])
    assert recorded.grad("w") == [100.0, 100.0]
    assert recorded.grad("k") is None
    assert ("mul", "outputs[0] * 2") in recorded.ops()
    assert ("add", "outputs[0] + 1") in recorded.ops()
    said = [plain(recorded.timeline, step) for step in recorded.steps_of("hook")]
    assert said[0] == "hook before on MulBackward0 changes what reaches it: [1 1] → [2 2]"
    assert said[1] == "hook after on MulBackward0 changes what it sends to w: [10 10] → [100 100]"
    assert said[3] == "hook look on MulBackward0 leaves what it sends to w as it is: [100 100]"


def test_a_hook_on_a_node_that_was_taken_off(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([3.0], requires_grad=True)
y = w * 2
handle = y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, None))
y.backward(retain_graph=True)
handle.remove()
y.backward()
""")
    assert [node[2] for node in nodes_of(recorded)] == [[[20.0], None], [[2.0], None]]
    assert recorded.grad("w") == [22.0]
    assert len(hooks_of(recorded)) == 1


def test_a_hook_that_writes_in_place(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
a = w * 3
def double(grad):
    grad.mul_(2)
a.register_hook(double)
(a * 5).sum().backward()
""")
    assert hooks_of(recorded) == [("double", None, None, [5.0, 5.0], [10.0, 10.0])]
    assert recorded.grad("w") == [30.0, 30.0]


def test_a_gradient_that_is_used_up_once_it_is_written(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
first = (w * w).sum()
def step(p):
    with torch.no_grad():
        p -= 0.5 * p.grad
    p.grad = None
handle = w.register_post_accumulate_grad_hook(step)
w.register_hook(lambda g: g * 2)
first.backward()
(w * w).sum().backward()
handle.remove()
(w * 1).sum().backward()
""")
    # The slope 2w is doubled: w - 0.5·4w = -w, twice; then 1, doubled.
    accumulated = recorded.of(ev.Accumulate)
    assert [(plain_value(e.incoming), plain_value(e.new)) for e in accumulated] == [
        ([4.0, 8.0], [4.0, 8.0]), ([-4.0, -8.0], [-4.0, -8.0]), ([2.0, 2.0], [2.0, 2.0]),
    ]  # fmt: skip
    assert [(name, old, new) for name, _, _, old, new in hooks_of(recorded) if name == "step"] == [
        ("step", [4.0, 8.0], None), ("step", [-4.0, -8.0], None),
    ]  # fmt: skip
    first, second, third = recorded.steps_of("accumulate")
    update = recorded.op("p -= 0.5 * p.grad")
    assert first < update < second
    assert recorded.grad("p", first) == [4.0, 8.0]
    assert recorded.value("p", update) == [-1.0, -2.0]
    assert recorded.grad("w", second - 1) is None
    assert recorded.grad("w", third) == [2.0, 2.0]


def test_a_hook_that_raises_once_the_gradient_is_written(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([1.0], requires_grad=True)
def refuse(p):
    raise ValueError("no")
kept = w * 3
handle = w.register_post_accumulate_grad_hook(refuse)
try:
    kept.backward(retain_graph=True)
except ValueError:
    handle.remove()
kept.backward()
""")
    assert [plain_value(event.new) for event in recorded.of(ev.Accumulate)] == [[3.0], [6.0]]
    assert [(event.number, event.ok) for event in recorded.of(ev.BackwardEnd)] == [(1, False), (2, True)]


def test_the_parts_of_a_sum_that_a_hook_changed_are_not_claimed_as_the_sum(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([2.0], requires_grad=True)
(w * 2 + w * 3).backward()
w.register_hook(lambda g: g * 10)
(w * 2 + w * 3).backward()
""")
    first, second = [plain(recorded.timeline, step) for step in recorded.steps_of("accumulate")]
    assert first == "w.grad was None; 3 + 2 = 5 arrives; it is now 5."
    assert second == "w.grad was 5; 50 arrives; it is now 5 + 50 = 55."


def test_retained_though_the_node_did_not_run(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([2.0], requires_grad=True)
h = w * w
h.retain_grad()
y = h * 3
(gh,) = torch.autograd.grad(y, h, retain_graph=True)
y.backward()
try:
    h.backward()
except RuntimeError:
    pass
""")
    # autograd.grad stops at h and writes 3; the pass adds 3; the last one writes 1 before it finds h's node freed.
    values = [plain_value(event.value) for event in recorded.of(ev.Retained)]
    assert values == [[3.0], [6.0], [7.0]]
    assert recorded.grad("h") == [7.0]


def test_a_pass_in_a_hook(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([2.0], requires_grad=True)
v = torch.tensor([5.0], requires_grad=True)
def inner(grad):
    with torch.enable_grad():
        (v * v).backward()
    return grad * v.grad
h = w * 3
h.register_hook(inner)
(h * 2 + w).backward()
""")
    # v.grad = 10: the 2 that reaches h becomes 20, w gets 60 and 1.
    assert recorded.grad("w") == [61.0]
    outer, nested = recorded.steps_of("backward")
    ended = recorded.timeline.state(recorded.steps_of("backward_end")[1]).last_pass
    assert ended is not None
    assert (ended.number, len(ended.ran)) == (1, 4)
    step = recorded.steps_of("accumulate")[1]
    state = recorded.timeline.state(step)
    assert state.last_pass is not None
    assert state.last_pass.number == 1
    assert state.shown == recorded.timeline.state(outer).shown
    assert state.shown.isdisjoint(recorded.timeline.state(nested).shown)
    assert plain(recorded.timeline, step) == "w.grad was None; 1 + 60 = 61 arrives; it is now 61."
    assert names_of(state)["w"] == recorded.of(ev.Accumulate)[1].tensor


def test_hooks_with_a_default_device_set(record: Forker) -> None:
    recorded = record("""\
import torch
torch.set_default_device("cpu")
w = torch.tensor([2.0], requires_grad=True)
h = w * 3
h.register_hook(lambda g: g * 7)
h.backward()
""")
    assert ("mul", "g * 7") in recorded.ops()
    assert recorded.grad("w") == [21.0]


def test_past_the_budget_a_pass_that_fails_runs_once(record: Forker) -> None:
    recorded = record(
        """\
import torch
w = torch.tensor([2.0], requires_grad=True)
for _ in range(200):
    (w * 2).backward()
ran = 0
def refuse(grad):
    global ran
    ran += 1
    raise ValueError("no")
y = w * 2
y.register_hook(refuse)
try:
    y.backward()
except ValueError:
    print("refused", ran)
""",
        max_events=500,
    )
    assert recorded.stdout == "refused 1\n"
    assert len(recorded.timeline.notices) == 1  # that it was full


# ------------------------------------------------------------ the recorder of hooks by itself


class Hooks:
    """A recorder of hooks, and what registers a hook of a tensor as the function mode does."""

    def __init__(self, parts: Parts, writer: EventWriter) -> None:
        program = Program(parts, writer)
        operations = OperationRecorder(
            writer, SourceRecorder(writer), program.frames, parts.tensors, program.location, program.due
        )
        operations.off = True
        self.recorder = HookRecorder(operations, parts.tensors, parts.waiting.append)
        self.recorder.value = lambda gradient: gradient.tolist()
        self.recorder.on = lambda: True
        self.written: list[list[float]] = []
        self.recorder.written = lambda leaf: self.written.append(leaf.grad.tolist())  # type: ignore[union-attr]
        self.parts = parts

    def register(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        place, site = CallSite(sys._getframe(), True), OpSite((), 1, False)
        return self.recorder.register(func, args, kwargs, place, site, 1)

    def ran(self) -> list[ev.HookRan]:
        return self.parts.of(ev.HookRan)


@pytest.fixture
def hooks(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    mixin, autograd = torch_private._HookMixin, torch_private._autograd
    monkeypatch.setattr(mixin, "_register_hook", staticmethod(torch_private.register_hook))
    for name in ("_push_saved_tensors_default_hooks", "_pop_saved_tensors_default_hooks"):
        monkeypatch.setattr(autograd, name, getattr(autograd, name))
    with (tmp_path / "events").open("wb") as file:
        yield Hooks(parts, EventWriter(file.fileno(), 1_000_000, 1 << 30, lambda reason: False))


def triple(grad: Any) -> Any:
    return grad * 3


def in_place(grad: Any) -> None:
    grad.mul_(4)


@pytest.mark.parametrize(("hook", "after"), [(triple, 6.0), (in_place, 8.0), (lambda grad: None, 2.0)])
@pytest.mark.parametrize("by_name", [False, True])
def test_a_hook_of_a_tensor_is_sent_with_what_it_left(
    hooks: Hooks, hook: Callable[[Any], Any], after: float, by_name: bool
) -> None:
    w = torch.tensor([5.0], requires_grad=True)
    serial = hooks.parts.tensors.serial(w)
    if by_name:
        handle = hooks.register(torch.Tensor.register_hook, w, hook=hook)
    else:
        handle = hooks.register(torch.Tensor.register_hook, w, hook)
    hooks.parts.sent()
    (w * 2).backward()
    assert hooks.ran() == [ev.HookRan(serial, hook.__name__, [2.0], [after])]
    assert w.grad is not None
    assert w.grad.tolist() == [after]
    handle.remove()
    (w * 2).backward()
    assert hooks.ran() == []
    assert w.grad.tolist() == [after + 2.0]


def test_a_hook_after_the_gradient_is_written(hooks: Hooks) -> None:
    w = torch.tensor([5.0], requires_grad=True)
    serial = hooks.parts.tensors.serial(w)

    def use_up(leaf: Any) -> None:
        leaf.grad = None

    hooks.register(torch.Tensor.register_post_accumulate_grad_hook, w, use_up)
    hooks.parts.sent()
    (w * 2).backward()
    assert hooks.ran() == [ev.HookRan(serial, "use_up", [2.0], None)]
    assert hooks.written == [[2.0]]
    assert w.grad is None


def test_hooks_of_nodes_are_sent_when_the_node_is_known(hooks: Hooks) -> None:
    w = torch.tensor([5.0], requires_grad=True)
    y = w * 2
    node: Any = y.grad_fn
    node.register_prehook(lambda outputs: (outputs[0] * 10,))
    node.register_hook(lambda inputs, outputs: (inputs[0] + 1, None))
    y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [21.0]
    assert hooks.ran() == []
    hooks.recorder.record(7)
    assert hooks.ran() == [
        ev.HookRan(0, "<lambda>", [1.0], [10.0], 7),
        ev.HookRan(0, "<lambda>", [20.0], [21.0], 7, 0),
    ]
    hooks.recorder.record(8)
    assert hooks.ran() == []


class Own(RecorderHook):
    """A hook of the recorder, which notes what reaches it."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def __call__(self, inputs: Any, outputs: Any) -> None:
        self.seen.append(inputs[0].tolist())


def test_the_recorders_hook_stays_behind_those_of_the_program(hooks: Hooks) -> None:
    seen: list[Any] = []
    w = torch.tensor([5.0], requires_grad=True)
    y = w * 2
    node: Any = y.grad_fn
    node.register_hook(Own(seen))
    node.register_hook(lambda inputs, outputs: (inputs[0] * 100, None))
    y.backward()
    assert seen == [[200.0]]
    assert len(hooks.recorder.changes) == 1  # nothing is noted of the recorder's


def test_while_it_is_off_a_hook_runs_and_nothing_is_sent(hooks: Hooks) -> None:
    w = torch.tensor([5.0], requires_grad=True)
    hooks.register(torch.Tensor.register_hook, w, triple)
    hooks.parts.sent()
    hooks.recorder.on = lambda: False
    (w * 2).backward()
    assert w.grad is not None
    assert w.grad.tolist() == [6.0]
    assert hooks.ran() == []


def test_torch_names_the_programs_hook_in_its_errors(hooks: Hooks) -> None:
    w = torch.ones(2, requires_grad=True)

    def wrong(grad: Any) -> Any:
        return grad[:1]

    hooks.register(torch.Tensor.register_hook, w, wrong)
    with pytest.raises(RuntimeError, match="'wrong' has changed the size of value"):
        (w * 2).sum().backward()
