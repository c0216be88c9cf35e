"""Scripts in which the operations of torch that write to their arguments run: by each of their public names, and under
each mode in which a write may go unseen."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MODES = ("default", "no_grad", "inference", "view", "data", "gradient", "graph", "grows")
"""As they stand; under `torch.no_grad()`; under `torch.inference_mode()`; what is written to is a part of a larger
tensor that has a name, is given as `x.data`, stands in the `.grad` of a leaf, or was computed from one; `out` is
empty, so that torch gives it a shape."""

_OPERATORS = {
    "add_": "+=", "sub_": "-=", "mul_": "*=", "div_": "/=", "pow_": "**=", "remainder_": "%=", "floor_divide_": "//=",
    "bitwise_and_": "&=", "bitwise_or_": "|=", "bitwise_xor_": "^=", "__ilshift__": "<<=", "__irshift__": ">>=",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A call, and the mode in which it is made."""

    name: str
    """The overload, or what stands in the table of those made by hand."""
    mode: str
    setup: tuple[str, ...]
    call: str

    def __str__(self) -> str:
        return f"{self.name} | {self.mode} | {self.call}"

    def body(self) -> list[str]:
        """The statements of a function that makes the call; where `done` is stored it has succeeded."""
        under = {"no_grad": "torch.no_grad()", "inference": "torch.inference_mode()"}.get(self.mode)
        call = ["torch.manual_seed(0)", *self.call.split("\n"), "done = True"]
        if under is None:
            return [*self.setup, *call]
        if self.mode == "inference":
            return [f"with {under}:", *(f"    {line}" for line in [*self.setup, *call])]
        return [*self.setup, f"with {under}:", *(f"    {line}" for line in call)]


def script_of(cases: Sequence[Case]) -> str:
    """A script that runs all of them, one after the other; what fails is let be."""
    text = HEAD
    for number, case in enumerate(cases):
        body = "\n".join(f"    {line}" for line in case.body())
        text += f"def case_{number}():  # {case.name}, {case.mode}\n{body}\nattempt(case_{number})\n"
    return text


HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
import numpy as np
import copy
import warnings
import torch.nn.utils.prune
warnings.simplefilter("ignore")
def attempt(case):
    try:
        case()
    except Exception:
        pass
"""


def cases_of(name: str, schema: Any, told: dict[str, Any]) -> list[Case]:
    """Every way to call an overload with these arguments, in every mode."""
    forms = calls_of(schema, told)
    cases = []
    for number, call in enumerate(forms):
        public = number == min(1, len(forms) - 1)
        for mode in MODES if public else MODES[:4]:
            made = in_mode(mode, told, call)
            if made is not None:
                cases.append(Case(name, mode, *made))
    return cases


# ---------------------------------------------------------------- how it is called


def calls_of(schema: Any, told: dict[str, Any]) -> list[str]:
    """The overload itself first, then each public name that there is for it."""
    import torch

    namespace, name = schema.name.split("::")
    positional, keywords, out = sorted_arguments(schema, told)
    by_name = [f"{key}={text}" for key, text in [*keywords, *out]]
    overload = f"torch.ops.{namespace}.{name}.{schema.overload_name or 'default'}"
    if keyword.iskeyword(schema.overload_name):
        overload = f"getattr(torch.ops.{namespace}.{name}, {schema.overload_name!r})"
    calls = [f"{overload}({', '.join([*positional, *by_name])})"]
    if namespace != "aten":
        return calls
    given = [*positional, *(f"{key}={text}" for key, text in keywords)]
    if out:
        texts = [text for _, text in out]
        given.append(f"out={texts[0] if len(texts) == 1 else '(' + ', '.join(texts) + ')'}")
    elif name.endswith("_") and positional and not positional[0].startswith("["):
        operator = _OPERATORS.get(name)
        if operator and len(given) == 2:
            calls.append(f"{given[0]} {operator} {given[1]}")
        if hasattr(torch.Tensor, name) and not name.startswith("__"):
            calls.append(f"{given[0]}.{name}({', '.join(given[1:])})")
    for place, prefix in (
        ("torch", ""), ("torch.special", "special_"), ("torch.linalg", "linalg_"), ("torch.fft", "fft_"),
        ("F", ""), ("torch._C._nn", ""),
    ):  # fmt: skip
        short = name.removeprefix(prefix)
        holder = {"F": torch.nn.functional}.get(place) or eval(place, {"torch": torch})
        if (not prefix or name.startswith(prefix)) and callable(getattr(holder, short, None)):
            if place == "torch._C._nn" and callable(getattr(torch.nn.functional, short, None)):
                continue
            calls.append(f"{place}.{short}({', '.join(given)})")
    return calls


def sorted_arguments(
    schema: Any, told: dict[str, Any]
) -> tuple[list[str], list[tuple[str, str]], list[tuple[str, str]]]:
    """Those by position, those by keyword, and those to write to."""
    names = [argument.name for argument in schema.arguments if not argument.kwarg_only]
    positional: list[str] = []
    keywords: list[tuple[str, str]] = []
    out: list[tuple[str, str]] = []
    for key, text, by_keyword in told["given"]:
        if key in told["out"]:
            out.append((key, text))
        elif not by_keyword and len(positional) < len(names) and names[len(positional)] == key and not keywords:
            positional.append(text)
        else:
            keywords.append((key, text))
    return positional, keywords, out


# ---------------------------------------------------------------- in which mode


def in_mode(mode: str, told: dict[str, Any], call: str) -> tuple[tuple[str, ...], str] | None:
    """The statements before the call, and the call; None where the mode does not apply to these arguments."""
    tensors, written = told["tensors"], told["written"]
    if mode in ("default", "no_grad", "inference"):
        return tuple(f"{name} = {text}" for name, text in tensors.items()), call
    setup: list[str] = []
    changed = False
    for name, text in tensors.items():
        plain = "sparse" not in text and "quantize" not in text
        floating = plain and re.search(r"dtype=torch\.(float|complex)", text) is not None
        if name not in written:
            setup.append(f"{name} = {text}")
        elif mode == "view" and plain:
            setup += [f"base_{name} = torch.stack([{text}, {text}])", f"{name} = base_{name}[1]"]
            changed = True
        elif mode == "data" and plain:
            setup.append(f"{name} = {text}")
            call = re.sub(rf"\b{name}\b(?!=)", f"{name}.data", call)
            changed = True
        elif mode == "gradient" and floating:
            leaf = f"leaf_{name}"
            setup += [f"{leaf} = torch.zeros_like({text}).requires_grad_()", f"{leaf}.grad = {text}"]
            call = re.sub(rf"\b{name}\b(?!=)", f"{leaf}.grad", call)
            changed = True
        elif mode == "graph" and floating and not told["out"]:
            setup += [f"leaf_{name} = {text}.requires_grad_()", f"{name} = leaf_{name} * 1"]
            changed = True
        elif mode == "grows" and name.startswith("out") and "torch.full" in text:
            setup.append(f"{name} = torch.empty(0, dtype={text.rpartition('dtype=')[2]}")
            changed = True
        else:
            setup.append(f"{name} = {text}")
    return (tuple(setup), call) if changed else None
