"""Answers the questions that one asks of a training script, with torch alone: `python plain_answers.py SCRIPT`.

It runs the script, watched from outside, and prints JSON: what autograd saved on which line, each backward pass with
the gradients of all parameters, each step of the optimizer with its state, and the line that made the first nan.
Nothing of gradtutor's is in it: it is the second way to the figures that the screen shows.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook


def listed(tensor: torch.Tensor) -> Any:
    return tensor.detach().clone().tolist()


def typed(path: str) -> str:
    """What one types for a path in `model`: `model.blocks[0].mlp[2].weight`."""
    return "model" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".") if part)


class Watcher:
    """What was seen of a script.

    Attributes:
        line: The line of the script's module that runs.
        inside: The modules whose `forward` runs, as one types them, outermost first.
        answers: What is printed at the end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.names: dict[str, Any] = {"__name__": "__main__", "__file__": path}
        self.line = 0
        self.inside: list[str] = []
        self.layers: dict[str, dict[str, Any]] = {}
        self.before: dict[str, Any] = {}
        self.kept: list[torch.Tensor] = []
        self.answers: dict[str, Any] = {"passes": [], "steps": [], "saved": [], "numbers": [], "nan": None}

    def run(self) -> None:
        """Run the script."""
        backward: Any = torch.Tensor.backward

        def watched(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> None:
            backward(tensor, *args, **kwargs)
            self.answers["passes"].append(
                {"line": self.line, "root": tensor.item(), "parameters": self.gradients(), "layers": self.layers}
            )
            self.layers = {}

        torch.Tensor.backward = watched  # type: ignore[method-assign, assignment]
        register_module_forward_pre_hook(self.before_forward)
        register_module_forward_hook(self.after_forward)
        register_optimizer_step_pre_hook(self.before_step)
        register_optimizer_step_post_hook(self.after_step)
        code = compile(Path(self.path).read_text(encoding="utf-8"), self.path, "exec")
        sys.settrace(self.trace)
        try:
            with torch.autograd.graph.saved_tensors_hooks(self.pack, lambda packed: packed):
                exec(code, self.names)
        finally:
            sys.settrace(None)

    # ------------------------------------------------------------ lines

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self.path or frame.f_code.co_name != "<module>":
            return None
        if event == "line":
            self.look_for_nan()
            self.count_numbers()
            self.line = frame.f_lineno
        return self.trace

    def look_for_nan(self) -> None:
        """Note the line that has just run, if a tensor that a name means has its first nan."""
        if self.answers["nan"] is not None:
            return
        for name, value in self.names.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and bool(value.isnan().any()):
                where = value.detach().flatten().isnan()
                element = int(where.nonzero()[0])
                self.answers["nan"] = {
                    "line": self.line, "name": name, "count": int(where.sum()), "of": value.numel(),
                    "element": element,
                    "values": {
                        other: tensor.flatten()[element].item()
                        for other, tensor in self.names.items()
                        if isinstance(tensor, torch.Tensor) and tensor.numel() == value.numel()
                    },
                    "iteration": self.names.get("epoch", self.names.get("step")),
                }  # fmt: skip
                return

    # ------------------------------------------------------------ what autograd keeps

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note what a node saves: the storage that it keeps alive, and the line that the script is at."""
        storage = tensor.untyped_storage()
        self.kept.append(tensor.detach())  # so that no other storage gets its address
        self.answers["saved"].append({
            "line": self.line, "pass": len(self.answers["passes"]), "storage": storage.data_ptr(),
            "storage_bytes": storage.nbytes(), "bytes": tensor.numel() * tensor.element_size(),
            "modules": list(self.inside),
            "is_leaf": tensor.is_leaf and tensor.requires_grad, "shape": list(tensor.shape),
        })  # fmt: skip
        return tensor

    def count_numbers(self) -> None:
        """Note how many of Python's numbers the graphs of the script's tensors keep: torch shows them to no hook.

        They are tensors of 8 bytes. Nothing else in these scripts is of float64.
        """
        waiting = [value.grad_fn for value in self.names.values() if isinstance(value, torch.Tensor)]
        seen: set[Any] = set()
        count = 0
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            waiting += [source for source, _ in node.next_functions]
            for name in ("_saved_self", "_saved_other"):
                with contextlib.suppress(AttributeError, RuntimeError):  # no such tensor; it is freed
                    count += getattr(node, name).dtype == torch.float64
        self.answers["numbers"].append({"line": self.line, "pass": len(self.answers["passes"]), "count": count})

    # ------------------------------------------------------------ gradients

    def named(self) -> list[tuple[str, nn.Parameter]]:
        return [(typed(path), parameter) for path, parameter in self.names["model"].named_parameters()]

    def gradients(self) -> dict[str, Any]:
        found = {}
        for name, parameter in self.named():
            grad = parameter.grad
            found[name] = {
                "shape": list(parameter.shape), "requires_grad": parameter.requires_grad,
                "grad": None if grad is None else listed(grad),
                "norm": None if grad is None else grad.double().norm().item(),
                "largest": None if grad is None else grad.abs().max().item(),
            }  # fmt: skip
        return found

    def before_forward(self, module: nn.Module, args: Any) -> None:
        model = self.names.get("model")
        paths = [path for path, other in (model.named_modules() if model is not None else ()) if other is module]
        self.inside.append(typed(paths[0]) if paths else "")

    def after_forward(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note what a linear layer gets, and the gradient that reaches its output."""
        self.inside.pop()
        if not isinstance(module, nn.Linear) or not torch.is_grad_enabled():
            return
        (path,) = [path for path, other in self.names["model"].named_modules() if other is module]
        layer = self.layers[typed(path)] = {"input": listed(args[0]), "gradient": None}

        def note(gradient: torch.Tensor) -> None:
            layer["gradient"] = listed(gradient)

        if output.requires_grad:
            output.register_hook(note)

    # ------------------------------------------------------------ the optimizer

    def before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self.before = {name: (listed(p), None if p.grad is None else listed(p.grad)) for name, p in self.named()}

    def after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        step = {}
        for name, parameter in self.named():
            old, grad = self.before[name]
            state = optimizer.state.get(parameter, {})
            step[name] = {
                "old": old, "grad": grad, "new": listed(parameter),
                **{key: listed(value) for key, value in state.items() if isinstance(value, torch.Tensor)},
            }  # fmt: skip
        self.answers["steps"].append({"line": self.line, "parameters": step})


if __name__ == "__main__":
    watcher = Watcher(sys.argv[1])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        watcher.run()
    watcher.answers["printed"] = printed.getvalue()
    json.dump(watcher.answers, sys.stdout)
