"""The learner's own hooks: what each of them changed; and that the recorder's run after them.

A hook of a tensor is wrapped when it is registered. Hooks of nodes (`grad_fn.register_hook`, `register_prehook`) are no
torch functions: what registers them ends in a Python function of torch's, whose place is taken here; so is that of the
one which hands hooks for saved tensors to autograd, since `checkpoint` runs its forward again in such a hook.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.recorder.autograd_graph import RecorderHook
from tutor.recorder.call_sites import CallSite, OpSite
from tutor.recorder.operations import OperationRecorder, quiet
from tutor.recorder.originals import name_of, torch_function
from tutor.recorder.tensors import TensorRecorder
from tutor.recorder.torch_private import (
    mode_at,
    mode_count,
    pop_mode,
    push_mode,
    register_hook,
    replace_register_hook,
    wrap_saved_hooks,
)
from tutor.trace.events import HookRan

_HOOK_RAN = HookRan.__struct_config__.tag
_Change = tuple[str, Any, Any, int | None]
"""A hook's name, a gradient before and after it, and, of a hook after a node, to which input of the node it goes."""


class HookRecorder:
    """Wraps the learner's hooks in ones that tell what they did."""

    def __init__(self, operations: OperationRecorder, tensors: TensorRecorder, append: Callable[[Any], None]) -> None:
        self._operations = operations
        self._tensors = tensors
        self._append = append
        self.changes: list[_Change] = []
        """What hooks of a node did that has not yet told which it is."""
        self.value: Callable[[torch.Tensor], Any] = lambda gradient: None  # set by the passes, as are the next three
        self.on: Callable[[], bool] = lambda: False
        self.is_other_thread: Callable[[], bool] = lambda: False
        self.written: Callable[[torch.Tensor], None] = lambda leaf: None
        replace_register_hook(self._register_node_hook)
        wrap_saved_hooks(self._wrap_saved_hook)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Records the operations of the learner's code that the engine calls."""
        if self.is_other_thread() or any(mode_at(place) is self._operations for place in range(mode_count())):
            yield
            return
        push_mode(self._operations)
        try:
            yield
        finally:
            pop_mode()

    # ------------------------------------------------------------ of tensors

    def register(self, func: Any, args: Any, kwargs: dict[str, Any], place: CallSite, site: OpSite, frame: int) -> Any:
        """Registers a hook of a tensor's inside one that tells what it did."""
        if "hook" in kwargs:
            args, kwargs = (*args, kwargs["hook"]), {k: v for k, v in kwargs.items() if k != "hook"}
        if len(args) == 2 and callable(args[1]):
            with quiet():
                serial = self._tensors.serial(args[0])
                if func is torch_function(torch.Tensor, "register_hook"):
                    args = (args[0], self._wrap_tensor_hook(args[1], serial))
                elif args[0].is_leaf and args[0].requires_grad:
                    self._tensors.graph.hook_leaf(args[0])
                    args = (args[0], self._wrap_post_accumulate_hook(args[1], serial))
        return place.call(func, args, kwargs)

    def _wrap_tensor_hook(self, hook: Callable[[Any], Any], tensor: int) -> Callable[[Any], Any]:
        name = _name(hook)

        @_wraps(hook)
        def gradtutor_hook(grad: Any) -> Any:
            with quiet():
                before = self.value(grad) if self.on() else None
            with self.recording():
                result = hook(grad)
            if self.on():
                with quiet():  # one that returns nothing may still have written to what it was given
                    after = self.value(result if isinstance(result, torch.Tensor) else grad)
                self._append((_HOOK_RAN, tensor, name, before, after))
            return result

        return gradtutor_hook

    def _wrap_post_accumulate_hook(self, hook: Callable[[Any], Any], tensor: int) -> Callable[[Any], Any]:
        """Of a hook that runs once the gradient of a leaf has been written."""
        name = _name(hook)

        @_wraps(hook)
        def gradtutor_hook(leaf: Any) -> Any:
            with quiet():
                before = None
                if self.on():
                    self.written(leaf)
                    before = None if leaf.grad is None else self.value(leaf.grad)
            with self.recording():
                result = hook(leaf)
            if self.on():
                with quiet():
                    after = None if leaf.grad is None else self.value(leaf.grad)
                self._append((_HOOK_RAN, tensor, name, before, after))
            return result

        return gradtutor_hook

    # ------------------------------------------------------------ of nodes

    def _register_node_hook(self, hooks: Any, hook: Any) -> Any:
        """Stands in the place of torch's own function, which adds a hook to those of a node."""
        if isinstance(hook, RecorderHook):
            return register_hook(hooks, hook)
        ours = next((item for item in hooks.items() if isinstance(item[1], RecorderHook)), None) if hooks else None
        try:
            module = str(getattr(hook, "__module__", None) or "")
        except Exception:  # the program's own
            module = ""
        added = register_hook(hooks, hook if module.partition(".")[0] == "torch" else self._wrap_node_hook(hook))
        if ours is not None:  # to the end: torch takes them in the order in which they came
            del hooks[ours[0]]
            hooks[ours[0]] = ours[1]
        return added

    def _wrap_node_hook(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        name = _name(hook)

        @_wraps(hook)
        def gradtutor_hook(*gradients: Any) -> Any:
            given = gradients[0]  # what it may change: what the node sends, or before it ran what has reached it
            with quiet():
                before = [self._value(one) for one in given] if self.on() else []
            with self.recording():
                result = hook(*gradients)
            if self.on():
                with quiet():
                    after = [self._value(one) for one in (given if result is None else result)]
                self._add_changes(name, before, after, sent=len(gradients) == 2)
            return result

        return gradtutor_hook

    def _value(self, gradient: Any) -> Any:
        return self.value(gradient) if isinstance(gradient, torch.Tensor) else None

    def _add_changes(self, name: str, before: list[Any], after: list[Any], *, sent: bool) -> None:
        pairs = [(place, *pair) for place, pair in enumerate(zip(before, after, strict=False))]
        changed = [pair for pair in pairs if repr(pair[1]) != repr(pair[2])]
        looked = [pair for pair in pairs if pair[1] is not None][:1]
        for place, old, new in changed or looked:
            self.changes.append((name, old, new, place if sent else None))

    def _wrap_saved_hook(self, hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @_wraps(hook)
        def gradtutor_hook(saved: Any) -> Any:
            with self.recording():
                return hook(saved)

        return gradtutor_hook

    def record(self, node: int) -> None:
        """Of the hooks of this node that have run: only what runs after them knows which node it is."""
        changes, self.changes = self.changes, []
        for name, before, after, place in changes:
            self._append((_HOOK_RAN, 0, name, before, after, node, place))


def _name(hook: Any) -> str:
    try:
        name = getattr(hook, "__name__", None)
    except Exception:  # the program's own
        name = None
    return name if type(name) is str else name_of(type(hook))


def _wraps(hook: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a stand-in have the hook's name: torch says it where a hook answers what it must not."""

    def named(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        stand_in.__name__ = _name(hook)
        return stand_in

    return named
