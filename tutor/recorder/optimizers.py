"""Tells what an optimizer's step does to each parameter: old value, gradient, state, new value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from tutor.recorder.operations import quiet
from tutor.recorder.originals import name_of
from tutor.recorder.values import value_of
from tutor.trace.events import Event, OptimizerStep, Update

MAX_PARAMETERS = 64
"""So many parameters of a step are told one by one."""
_PLAIN = (int, float, bool, str, type(None))


class OptimizerRecorder:
    """Watches all optimizers through torch's own hooks around `step`."""

    def __init__(self, send: Callable[[Event], None], serial: Callable[[torch.Tensor], int]) -> None:
        self._send = send
        self._serial = serial
        self._before: dict[int, list[Any]] = {}
        self._unlisted: dict[int, list[int]] = {}
        self.on: Callable[[], bool] = lambda: False
        self.on_unrecorded_step: Callable[[list[torch.Tensor]], None] = lambda parameters: None
        """Called with the parameters of a step that is not recorded: in another thread, in compiled code."""
        self.location: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.on_error: Callable[[Exception], None] = lambda error: None

    def watch(self) -> None:
        """From now on steps are told of."""
        register_optimizer_step_pre_hook(self._begins)
        register_optimizer_step_post_hook(self._ends)

    def _begins(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.on():
            try:
                with quiet():
                    self._before[id(optimizer)] = self._read_parameters(optimizer, _closure(args, kwargs))
            except Exception as error:
                self.on_error(error)

    def _ends(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self.on():
            self.on_unrecorded_step([parameter for group in optimizer.param_groups for parameter in group["params"]])
            return
        before, others = self._before.pop(id(optimizer), None), self._unlisted.pop(id(optimizer), [])
        if before is None:
            return
        try:
            with quiet():
                self._record_step(optimizer, before, others)
        except Exception as error:
            self.on_error(error)

    def _read_parameters(self, optimizer: Any, closure: bool) -> list[Any]:
        """Of each parameter that has a gradient: its group, itself, its gradient, and what is kept for it. With a
        closure, which works the gradients out anew, they are those at the end."""
        found: list[Any] = []
        others = self._unlisted[id(optimizer)] = []
        for group, options in enumerate(optimizer.param_groups):
            for parameter in options["params"]:
                if not closure and parameter.grad is None:
                    continue
                if len(found) >= MAX_PARAMETERS:
                    others.append(self._serial(parameter))
                else:
                    state = _state(optimizer.state.get(parameter, {}))
                    grad = None if closure else value_of(parameter.grad)
                    found.append((group, parameter, value_of(parameter), grad, state))
        return found

    def _record_step(self, optimizer: Any, before: list[Any], others: list[int]) -> None:
        updates = [
            Update(
                self._serial(parameter), group, value, _grad(parameter) if grad is None else grad,
                value_of(parameter), state,
                _state(optimizer.state.get(parameter, {})),
            )
            for group, parameter, value, grad, state in before
            if value is not None
        ]  # fmt: skip
        options = [
            {key: _plain(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups
        ]
        everything = sum(len(group["params"]) for group in optimizer.param_groups)
        site, frame = self.location()
        name, left_out = name_of(type(optimizer)), everything - len(updates)
        told = {update.tensor for update in updates}
        others += [number for _, parameter, *_ in before if (number := self._serial(parameter)) not in told]
        self._send(OptimizerStep(name, site, frame, options, updates, left_out, others))


def _closure(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a step was given a function that works the loss and its gradients out."""
    return any(argument is not None for argument in (*args[1:2], kwargs.get("closure")))


def _grad(parameter: torch.Tensor) -> Any:
    return None if parameter.grad is None else value_of(parameter.grad)


def _state(state: Any) -> dict[str, Any]:
    """What the optimizer keeps for a parameter: momentum buffer, moments, the number of steps, lists of these."""
    kept = {}
    for name, value in state.items():
        shown = value_of(value) if isinstance(value, torch.Tensor) else _numbers(value)
        if shown is not None:
            kept[str(name)] = shown
    return kept


def _numbers(value: Any) -> Any:
    """A number, or lists of numbers and of the elements of tensors; None for anything else."""
    if isinstance(value, torch.Tensor):
        shown = value_of(value)
        if not isinstance(shown, dict):
            return shown
        return value.tolist() if "data" in shown else None
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    return value if isinstance(value, int | float | bool) else None


def _plain(value: Any) -> Any:
    """The same of an option, which may be text."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return _numbers(value)
    return value if isinstance(value, _PLAIN) else str(value)
