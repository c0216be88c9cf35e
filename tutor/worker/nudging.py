"""Adds a little to one element of a tensor on the way, where the front end measures a derivative."""

from __future__ import annotations

import torch

from tutor.trace.command import Nudge
from tutor.worker.bindings import Frame
from tutor.worker.recorder import Recorder
from tutor.worker.torch_private import DisableTorchFunction


def nudge_when_due(recorder: Recorder, nudge: Nudge) -> None:
    """Has the recorder nudge the tensor just before its statement."""
    frames = recorder.frames
    arrive, lines = frames.arrive, 0

    def arriving(site: int, frame: Frame | None) -> None:
        nonlocal lines
        arrive(site, frame)
        lines += frame is not None and frame.serial > 0
        if lines == nudge.line:
            frames.arrive = arrive  # type: ignore[method-assign]
            for known in list(recorder.tensors.by_id.values()):
                tensor = known.ref()
                if known.serial == nudge.tensor and tensor is not None:
                    _move(tensor, nudge)

    frames.arrive = arriving  # type: ignore[method-assign]


def _move(tensor: torch.Tensor, nudge: Nudge) -> None:
    """By way of `.data`, so that neither a graph nor a version tells of it."""
    with DisableTorchFunction():
        data = tensor.data
        place = torch.unravel_index(torch.tensor(nudge.element), data.shape)
        data[place] += nudge.amount
