"""What the screen must say of a network, worked out from the answers of a plain run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Element:
    """An element of the weight of a linear layer, and the terms of its gradient: one for each row of the input.

    Attributes:
        terms: The gradient of the output, the input, and their product.
        gradient: Their sum, by torch.
    """

    parameter: str
    row: int
    column: int
    terms: list[tuple[float, float, float]]
    gradient: float


def rows_of(value: Any) -> list[list[float]]:
    """The rows of a nested list of any depth."""
    return [value] if not isinstance(value[0], list) else [row for part in value for row in rows_of(part)]


def element(answers: dict[str, Any], layer: str, row: int, column: int, number: int = 1) -> Element:
    """The gradient of `layer.weight[row, column]` in a pass: the sum of what reaches the output times the input."""
    found = answers["passes"][number - 1]
    inputs, gradients = (rows_of(found["layers"][layer][name]) for name in ("input", "gradient"))
    terms = [
        (gradient[row], values[column], gradient[row] * values[column])
        for values, gradient in zip(inputs, gradients, strict=True)
    ]
    parameter = found["parameters"][f"{layer}.weight"]
    return Element(f"{layer}.weight", row, column, terms, parameter["grad"][row][column])


def norms(answers: dict[str, Any], number: int = 1) -> dict[str, float]:
    """The norm of each gradient after a pass, by parameter; those without one are left out."""
    parameters = answers["passes"][number - 1]["parameters"]
    return {name: found["norm"] for name, found in parameters.items() if found["norm"] is not None}


def module_norm(answers: dict[str, Any], module: str, number: int = 1) -> float:
    """The norm of the gradients of all parameters of a module together."""
    return math.hypot(*(norm for name, norm in norms(answers, number).items() if name.startswith(module)))


def without_gradient(answers: dict[str, Any], number: int = 1) -> dict[str, str]:
    """The parameters that have no gradient after a pass, and why: frozen, or unused."""
    parameters = answers["passes"][number - 1]["parameters"]
    return {
        name: "unused" if found["requires_grad"] else "frozen"
        for name, found in parameters.items() if found["norm"] is None
    }  # fmt: skip


def saved_bytes(answers: dict[str, Any], line: int, number: int = 1) -> int:
    """The bytes that autograd keeps when the lines up to this one of an iteration have run: each storage once."""
    saved, numbers = (
        [item for item in answers[name] if item["pass"] == number - 1 and item["line"] <= line]
        for name in ("saved", "numbers")
    )
    kept = {item["storage"]: item["storage_bytes"] for item in saved}
    storages: int = sum(kept.values())
    return storages + 8 * int(max((item["count"] for item in numbers), default=0))


def saved_by_module(answers: dict[str, Any], line: int, number: int = 1) -> dict[str, int]:
    """The bytes that the nodes of each module keep then; what several nodes keep is that of the first."""
    seen: set[int] = set()
    kept: dict[str, int] = {}
    for item in answers["saved"]:
        if item["pass"] != number - 1 or item["line"] > line:
            continue
        size = 0 if item["storage"] in seen else item["storage_bytes"]
        seen.add(item["storage"])
        for module in item["modules"]:
            kept[module] = kept.get(module, 0) + size
    return kept


@dataclass(frozen=True)
class Update:
    """What a step of an optimizer did to one element."""

    old: float
    gradient: float
    new: float
    state: dict[str, float]


def update(answers: dict[str, Any], parameter: str, index: tuple[int, ...], number: int = 1) -> Update:
    """What a step of the optimizer did to an element of a parameter."""
    found = answers["steps"][number - 1]["parameters"][parameter]

    def at(value: Any) -> float:
        for place in index if isinstance(value, list) else ():
            value = value[place]
        return float(value)

    state = {name: at(value) for name, value in found.items() if name not in ("old", "grad", "new")}
    return Update(at(found["old"]), at(found["grad"]), at(found["new"]), state)
