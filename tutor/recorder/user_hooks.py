"""Record what each of the learner's hooks changes, and keep the recorder's hooks behind them.

A tensor's hook is wrapped when it is registered. Hooks of nodes (`grad_fn.register_hook`, `register_prehook`) are not
registered by torch functions, but end in a Python function of torch, which is replaced here. So is the one that sets
saved-tensor hooks, since `checkpoint` runs its forward again in such a hook.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.recorder.autograd_graph import LeafHook, RecorderHook
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
_FIRST = -1
"""The number of the recorder's hook where it is a node's first: torch counts from 0."""
_Change = tuple[str, Any, Any, int | None]
"""A hook's name, a gradient before and after it, and, for a post hook, the input of the node that it goes to."""


class HookRecorder:
    """Wraps the learner's hooks in ones that record what they did.

    Attributes:
        changes: Changes by hooks of a node whose number is not known yet.
        value: Returns the recorded form of a gradient.
        on: Returns whether hooks are recorded.
        is_other_thread: Returns whether another thread than the main one runs.
        written: Called before a post-accumulate-grad hook runs.
    """

    def __init__(self, operations: OperationRecorder, tensors: TensorRecorder, append: Callable[[Any], None]) -> None:
        self._operations = operations
        self._tensors = tensors
        self._append = append
        self.changes: list[_Change] = []
        self.value: Callable[[torch.Tensor], Any] = lambda gradient: None
        self.on: Callable[[], bool] = lambda: False
        self.is_other_thread: Callable[[], bool] = lambda: False
        self.written: Callable[[torch.Tensor], None] = lambda leaf: None
        replace_register_hook(self._register_node_hook)
        wrap_saved_hooks(self._wrap_saved_hook)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record the operations inside: learner's code that the engine calls."""
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
        """Register a tensor's hook inside one that records what it did."""
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
                with quiet():  # a hook without a result may have written to its argument
                    after = self.value(result if isinstance(result, torch.Tensor) else grad)
                self._append((_HOOK_RAN, tensor, name, before, after))
            return result

        return gradtutor_hook

    def _wrap_post_accumulate_hook(self, hook: Callable[[Any], Any], tensor: int) -> Callable[[Any], Any]:
        """Wrap a hook that runs once the gradient of a leaf is written."""
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
        """Replacement for torch's function that adds a hook to a node."""
        if isinstance(hook, RecorderHook):
            # The first one needs no handle, nor a number that differs from those of later hooks in other nodes.
            added = (OrderedDict(((_FIRST, hook),)), None) if hooks is None else register_hook(hooks, hook)
            if isinstance(hook, LeafHook):
                hook.hooks = weakref.ref(added[0])
            return added
        own_item = next((item for item in hooks.items() if isinstance(item[1], RecorderHook)), None) if hooks else None
        try:
            module = str(getattr(hook, "__module__", None) or "")
        except Exception:  # the program's own
            module = ""
        handle = register_hook(hooks, hook if module.partition(".")[0] == "torch" else self._wrap_node_hook(hook))
        if own_item is not None:  # to the end: they run in the order of the dict
            del hooks[own_item[0]]
            hooks[own_item[0]] = own_item[1]
        return handle

    def _wrap_node_hook(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        name = _name(hook)

        @_wraps(hook)
        def gradtutor_hook(*gradients: Any) -> Any:
            incoming = gradients[0]  # grad_inputs of a post hook, grad_outputs of a pre-hook
            with quiet():
                before = [self._value(gradient) for gradient in incoming] if self.on() else []
            with self.recording():
                result = hook(*gradients)
            if self.on():
                with quiet():
                    after = [self._value(gradient) for gradient in (incoming if result is None else result)]
                self._add_changes(name, before, after, sent=len(gradients) == 2)
            return result

        return gradtutor_hook

    def _value(self, gradient: Any) -> Any:
        return self.value(gradient) if isinstance(gradient, torch.Tensor) else None

    def _add_changes(self, name: str, before: list[Any], after: list[Any], *, sent: bool) -> None:
        pairs = [(place, *pair) for place, pair in enumerate(zip(before, after, strict=False))]
        changed = [pair for pair in pairs if repr(pair[1]) != repr(pair[2])]
        unchanged = [pair for pair in pairs if pair[1] is not None][:1]
        for place, old, new in changed or unchanged:
            self.changes.append((name, old, new, place if sent else None))

    def _wrap_saved_hook(self, hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @_wraps(hook)
        def gradtutor_hook(saved: Any) -> Any:
            with self.recording():
                return hook(saved)

        return gradtutor_hook

    def record(self, node: int) -> None:
        """Send what the hooks of this node changed: only what runs after them knows the node."""
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
    """Give a stand-in the hook's name, which torch's errors about wrong results mention."""

    def named(stand_in: Callable[..., Any]) -> Callable[..., Any]:
        stand_in.__name__ = _name(hook)
        return stand_in

    return named
