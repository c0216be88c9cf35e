"""What a backward call was asked to do, read from its arguments."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tutor.worker.replaced import own

_BACKWARD_ARGUMENTS = ("gradient", "retain_graph", "create_graph", "inputs")


class Call:
    """What a backward call was asked to do, whichever of the three it is."""

    def __init__(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.inputs: list[Any] = []
        """Of `autograd.grad`: what it gives the gradients of."""
        self.accumulated: list[Any] = []
        """What `backward(inputs=…)` writes gradients to."""
        self.edges: list[Any] = []
        if func is own(torch.Tensor, "backward"):
            self.name = "backward"
            given = kwargs
            if len(args) > 1:
                given = {**dict(zip(_BACKWARD_ARGUMENTS, args[1:], strict=False)), **kwargs}
            self.roots = [args[0]]
            gradient = given.get("gradient")
            self.gradient = [] if gradient is None else [gradient]
        else:
            given = inspect.signature(func).bind(*args, **kwargs).arguments
            is_grad = func is own(torch.autograd, "grad")
            self.name = "grad" if is_grad else "backward"
            asked = _listed(given["outputs" if is_grad else "tensors"])
            self.roots = [root for root in asked if isinstance(root, torch.Tensor)]
            self.edges = [root.node for root in asked if isinstance(root, GradientEdge)]
            gradients = given.get("grad_outputs" if is_grad else "grad_tensors")
            self.gradient = [] if gradients is None else _listed(gradients)
            if is_grad:
                self.inputs = _listed(given["inputs"])
        if self.name == "backward" and given.get("inputs") is not None:
            self.accumulated = _listed(given["inputs"])
        self.create_graph = bool(given.get("create_graph"))
        retain = given.get("retain_graph")
        self.retain_graph = self.create_graph if retain is None else bool(retain)


def _listed(thing: Any) -> list[Any]:
    return list(thing) if isinstance(thing, tuple | list) and not isinstance(thing, GradientEdge) else [thing]
