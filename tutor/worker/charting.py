"""Past the budget: the losses that backward passes begin at, under the names that the recording gave them before.

No event tells what names mean then, so they are looked up where they are: in the frames that run. A loss whose function
is over is known by the name that was first bound to it, which its node keeps. See `trace/losses.py` for what is told.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.trace.events import Point
from tutor.trace.index import Named, behind, is_charted
from tutor.trace.names import best_of, is_indexed
from tutor.worker.calls import Call
from tutor.worker.code import OpSite
from tutor.worker.groups import Groups
from tutor.worker.torch_private import DisableTorchFunction

_POINT = Point.__struct_config__.tag
_KEY = "gradtutor name"
_Tensor = torch.Tensor


class Charting:
    """Tells points of curves, from live tensors."""

    def __init__(self, append: Callable[[Any], None], groups: Groups, own: dict[int, Any]) -> None:
        self._append = append
        self._groups = groups
        self._own = own

    def note(self, name: str, value: Any) -> None:
        """A name was stored to; its tensor may be a loss, or a part of one."""
        if type(value) is not _Tensor:
            return
        with DisableTorchFunction():
            node: Any = value.grad_fn
            if node is not None and value.numel() == 1 and _KEY not in node.metadata:
                node.metadata[_KEY] = name, value.detach()

    def tell(self, call: Call, site: OpSite, number: int) -> None:
        """A pass begins, called at a site of this number. Function modes are off."""
        depth: int = site.event[7]
        if not is_charted(call.name, call.create_graph, depth):
            return
        scalars = [(place, root) for place, root in enumerate(call.roots) if root.numel() == 1]
        scope = _Scope(self._frames(), self._groups) if scalars else None
        for place, root in scalars:
            assert scope is not None
            name, parts = scope.name(root), list[Named]()
            if (name is None or is_indexed(name)) and root.grad_fn is not None:
                parts = behind(root.grad_fn, _kind, _inputs, scope.part)
            self._append((_POINT, name or "", _value(root), number, place, len(call.roots), parts))

    def _frames(self) -> Iterator[dict[str, Any]]:
        """The names of the learner's frames, as `trace.scope.scopes` orders them."""
        frame: types.FrameType | None = sys._getframe(1)
        found = []
        while frame is not None:
            if id(frame.f_code) in self._own:
                found.append(frame.f_locals)
            frame = frame.f_back
        main = sys.modules["__main__"].__dict__
        yield from found[:1]
        if not found or found[0] is not main:
            yield main
        yield from (names for names in found[1:] if names is not main)


class _Scope:
    """What the scalars are called that names in the learner's frames mean."""

    def __init__(self, frames: Iterator[dict[str, Any]], groups: Groups) -> None:
        self._names: dict[int, str] = {}
        """By `id`: they are held here meanwhile."""
        self._made: dict[Any, torch.Tensor] = {}
        """By the node that made them."""
        for names in frames:
            several: dict[int, tuple[torch.Tensor, list[str]]] = {}
            for name, thing in list(names.items()):
                if name.startswith((".", "__")):
                    continue
                for suffix, tensor in groups.inside(thing):
                    if id(tensor) not in self._names and tensor.numel() == 1:
                        several.setdefault(id(tensor), (tensor, []))[1].append(name + suffix)
            for number, (tensor, called) in several.items():
                self._names[number] = best_of(called, type(tensor).__name__)
                if tensor.grad_fn is not None:
                    self._made.setdefault(tensor.grad_fn, tensor)

    def name(self, root: torch.Tensor) -> str | None:
        name = self._names.get(id(root))
        node: Any = root.grad_fn
        return name if name is not None or node is None else node.metadata.get(_KEY, (None, None))[0]

    def part(self, node: Any) -> Named | None:
        tensor = self._made.get(node)
        if tensor is not None:
            return self._names[id(tensor)], _value(tensor)
        name, held = node.metadata.get(_KEY, (None, None))
        return None if held is None else (name, _value(held))


def _value(tensor: torch.Tensor) -> float:
    return float(tensor.detach().item())


def _kind(node: Any) -> str:
    return type(node).__name__


def _inputs(node: Any) -> list[Any]:
    return [source for source, _ in node.next_functions]
