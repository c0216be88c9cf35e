"""Operands that lie on different devices."""

from __future__ import annotations

import re

from tutor.explain import words
from tutor.explain.mistakes.given import Given, Operands, enclosed, origin
from tutor.explain.mistakes.scene import FailureContext, mistake
from tutor.i18n import _

_NAMED = 3
"""So many tensors are named."""


@mistake("RuntimeError", r"^Tensor on device \S+ is not on the expected device (?P<wanted>[\w:]+)")
@mistake("RuntimeError", r"^Expected all tensors to be on the same device")
@mistake("RuntimeError", r"^Input type \([\w.]+\) and (?:weight|bias) type \([\w.]+\) should be the same")
@mistake("RuntimeError", r"^indices should be either on \S+ or on the same device as the indexed tensor")
@mistake("RuntimeError", r"^(?:Input and \w+|Input, \w+ and \w+) tensors are not (?:on|at) the same device")
@mistake("RuntimeError", r"^Placeholder storage has not been allocated on MPS device")
def two_devices(scene: FailureContext, _match: re.Match[str]) -> str | None:
    operands = Operands(scene)
    weights = list(operands.parameters())
    held = [one for one in operands.all() if not any(one.tensor is weight.tensor for weight in weights)]
    by_device: dict[str, Given] = {}
    for one in (*weights, *held):
        by_device.setdefault(one.tensor.device, one)
    if len(by_device) < 2:
        return None
    said = words.clauses([_on(scene, one) for one in list(by_device.values())[:_NAMED]])
    # a batch goes to where the model is, rather than the model to the batch
    kept = weights[0] if weights else _first_away(held)
    moved = [one for one in held if one.tensor.device != kept.tensor.device]
    if not moved:
        return None
    sources = [one for one in moved if not any(one is not other and one.source in other.source for other in moved)]
    fixes = words.joined([_moved(one, kept) for one in (sources or moved)[:_NAMED]])
    return _(
        "The tensors of `{code}` lie on different devices: {said}. Bring all to one, as in {fix}.",
        code=scene.code, said=said, fix=fixes,
    )  # fmt: skip


def _on(scene: FailureContext, given: Given) -> str:
    """`x is on cpu, made by `torch.ones(3)` on line 4`."""
    made = origin(scene, given.tensor, "device")
    if made is None:
        return _("{name} is on {device}", name=given.source, device=given.tensor.device)
    return _("{name} is on {device}, made by {place}", name=given.source, device=given.tensor.device, place=made.place)


def _first_away(held: list[Given]) -> Given:
    """The first tensor that is not on the CPU."""
    return next((one for one in held if one.tensor.device != "cpu"), held[0])


def _moved(given: Given, kept: Given) -> str:
    """`x.to(w.device)`"""
    return f"{enclosed(given.source)}.to({enclosed(kept.source)}.device)"


@mistake("NotImplementedError", r"^Cannot copy out of meta tensor; no data!")
@mistake("RuntimeError", r"^Tensor\.item\(\) cannot be called on meta tensors")
def without_data(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "A tensor on the device meta has a shape and a dtype, but no numbers, so `{code}` finds none. Make it on a "
        "real device; a module gets memory there by .to_empty(device=…), and its numbers by load_state_dict or by "
        "being initialised anew.", code=scene.code,
    )  # fmt: skip


@mistake("AssertionError", r"^Torch not compiled with CUDA enabled")
@mistake("RuntimeError", r"^Found no NVIDIA driver on your system")
def no_cuda(scene: FailureContext, _match: re.Match[str]) -> str:
    return _(
        "`{code}` asks for a GPU, and there is none that this PyTorch can use. Choose the device by what is there: "
        "device = \"cuda\" if torch.cuda.is_available() else \"cpu\", and .to(device).", code=scene.code,
    )  # fmt: skip
