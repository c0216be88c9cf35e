"""Programs in which every optimizer of torch takes three steps, with each option that chooses other code of torch's."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

_SWITCHES = (
    "foreach", "fused", "capturable", "differentiable", "amsgrad", "nesterov", "maximize", "centered",
    "decoupled_weight_decay",
)  # fmt: skip
_VALUES = {
    "momentum": "0.9", "weight_decay": "0.01", "dampening": "0.1", "initial_accumulator_value": "0.1",
    "line_search_fn": "'strong_wolfe'", "lr_decay": "0.1", "adjust_lr_fn": "'match_rms_adamw'",
}  # fmt: skip
_NEEDS = {"nesterov": {"momentum": "0.9"}, "dampening": {"momentum": "0.9"}}
STEPPED = "# the gradients are there"
"""Marks the statement after a backward pass."""


@dataclass(frozen=True)
class Program:
    """An optimizer with options; `how` is plain, closure, groups, double, sparse, tensor_lr or carried."""

    optimizer: str
    options: tuple[tuple[str, str], ...]
    how: str = "plain"

    def __str__(self) -> str:
        return f"{self.optimizer}({', '.join(f'{name}={text}' for name, text in self.options)}), {self.how}"

    def body(self) -> list[str]:
        """The statements of a function; where `done` is stored all three steps have been taken."""
        dtype = "torch.float64" if self.how == "double" else "torch.float32"
        named = dict(self.options)
        options = "".join(f", {name}={text}" for name, text in self.options)
        lr = "torch.tensor(0.1)" if self.how == "tensor_lr" else "0.1"
        setup = [
            f"w = torch.tensor([[0.5, -1.0], [2.0, 0.25]], dtype={dtype}, requires_grad=True)",
            f"v = torch.tensor([[1.5, -0.5, 0.75]], dtype={dtype}, requires_grad=True)",
            f"idle = torch.tensor([[3.0]], dtype={dtype}, requires_grad=True)",
            "kept = w.detach()",
            "row = w.data[1]",
        ]
        given = "[w, v, idle]"
        if self.how == "groups":
            given = "[{'params': [w, idle]}, {'params': [v], 'lr': 0.05}]"
        if self.how == "sparse":
            setup += ["table = nn.Embedding(3, 2, sparse=True)", "w, v = table.weight, None", "kept = w.detach()"]
            given = "[w]"
        if self.how == "named":
            given = "[('w', w), ('v', v), ('idle', idle)]"
        if named.get("differentiable") == "True":
            setup += ["w0, v0 = w, v", "w, v = w0.clone(), v0.clone()", "w.retain_grad()", "v.retain_grad()"]
            given = "[w, v]"
        setup.append(f"opt = torch.optim.{self.optimizer}({given}, lr={lr}{options})")
        loss = "loss = (w * w).sum() + (v * v * v).sum()"
        if self.how == "sparse":
            loss = "loss = (table(torch.tensor([0, 2, 0])) ** 2).sum()"
        pass_ = ["opt.zero_grad()", loss, "loss.backward()"]
        if named.get("differentiable") == "True":
            pass_ = ["w.grad, v.grad = torch.ones_like(w), torch.full_like(v, 0.5)"]
        if self.how == "closure":
            step = ["def closure():", *(f"    {line}" for line in pass_), f"    return loss  {STEPPED}"]
            step += ["last = opt.step(closure)"]
        elif self.how == "scaled":
            setup.append("scaler = torch.amp.GradScaler('cpu', init_scale=4.0)")
            step = ["opt.zero_grad()", loss, "scaler.scale(loss).backward()", f"scaler.unscale_(opt)  {STEPPED}"]
            step += ["torch.nn.utils.clip_grad_norm_([w, v], 0.5)", "scaler.step(opt)", "scaler.update()"]
        else:
            step = [*pass_, f"opt.step()  {STEPPED}"]
        loop = [*step, "state = dict(opt.state[w])", "other = dict(opt.state[v])" if self.how != "sparse" else "pass"]
        return [*setup, "for number in range(3):", *(f"    {line}" for line in loop), "done = True"]


def programs() -> list[Program]:
    """Of every optimizer: plain, each option alone and with `foreach` and `fused`, and each way of calling it."""
    import torch

    found: dict[Program, None] = {}
    for name in dir(torch.optim):
        kind = getattr(torch.optim, name)
        if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or kind is torch.optim.Optimizer:
            continue
        parameters = inspect.signature(kind.__init__).parameters
        variants: list[dict[str, str]] = [{}]
        for option in [*_SWITCHES, *_VALUES]:
            if option in parameters:
                variants.append({option: _VALUES.get(option, "True"), **_NEEDS.get(option, {})})
        alone = list(variants)
        for kernel in ("foreach", "fused"):
            if kernel in parameters:
                variants += [
                    {kernel: "True", **variant} for variant in alone if not {"foreach", "fused"} & set(variant)
                ]
        every = {option: _VALUES[option] for option in _VALUES if option in parameters}
        variants.append(every)
        hows = _hows(name, parameters)
        for variant in variants:
            plain = "closure" if "closure" in hows[:1] else "sparse" if "sparse" in hows[:1] else "plain"
            found[Program(name, tuple(variant.items()), plain)] = None
        kernels: list[dict[str, str]] = [
            {},
            *({kernel: "True"} for kernel in ("foreach", "fused") if kernel in parameters),
        ]
        for how in hows:
            for variant in kernels:
                found[Program(name, tuple(variant.items()), how)] = None
    return list(found)


def _hows(name: str, parameters: Any) -> list[str]:
    if name == "LBFGS":
        return ["closure"]
    if name == "SparseAdam":
        return ["sparse"]
    hows = ["plain", "closure", "groups", "double", "named", "scaled"]
    return [*hows, "tensor_lr"] if name != "Muon" else hows


def script_of(chosen: list[Program]) -> str:
    """A script that runs all of them, one after the other; what fails is let be."""
    text = HEAD
    for number, program in enumerate(chosen):
        body = "\n".join(f"    {line}" for line in program.body())
        text += f"def case_{number}():  # {program}\n{body}\nattempt(case_{number})\n"
    return text


HEAD = """\
import torch
from torch import nn
import warnings
warnings.simplefilter("ignore")
def attempt(case):
    torch.manual_seed(0)
    try:
        case()
    except Exception as error:
        print(case.__name__, type(error).__name__, str(error).splitlines()[0][:100])
"""
