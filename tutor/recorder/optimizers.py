"""Record what an optimizer's step does to each parameter: old value, gradient, state, new value."""

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
"""Parameters of a step that are recorded with their values."""
_PLAIN = (int, float, bool, str, type(None))


class OptimizerRecorder:
    """Record the steps of all optimizers, by torch's own hooks around `step`.

    Attributes:
        on: Returns whether steps are recorded.
        on_unrecorded_step: Called with the parameters of a step in another thread or in compiled code.
        location: Returns the site of the running statement, and the number of its frame.
        on_error: Called with an error of the recorder.
    """

    def __init__(self, send: Callable[[Event], None], serial: Callable[[torch.Tensor], int]) -> None:
        self._send = send
        self._serial = serial
        self._before: dict[int, list[Any]] = {}
        self._unlisted: dict[int, list[int]] = {}
        self.on: Callable[[], bool] = lambda: False
        self.on_unrecorded_step: Callable[[list[torch.Tensor]], None] = lambda parameters: None
        self.location: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.on_error: Callable[[Exception], None] = lambda error: None

    def watch(self) -> None:
        """Record steps from now on."""
        register_optimizer_step_pre_hook(self._begins)
        register_optimizer_step_post_hook(self._ends)

    def _begins(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.on():
            try:
                with quiet():
                    self._before[id(optimizer)] = self._read_parameters(optimizer, _has_closure(args, kwargs))
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
        """Return group, parameter, value, gradient and state of each parameter that has a gradient.

        With a closure, which computes the gradients again, the gradients are None.
        """
        parameters: list[Any] = []
        unlisted = self._unlisted[id(optimizer)] = []
        for group, options in enumerate(optimizer.param_groups):
            for parameter in options["params"]:
                if not closure and parameter.grad is None:
                    continue
                if len(parameters) >= MAX_PARAMETERS:
                    unlisted.append(self._serial(parameter))
                else:
                    state = _state(optimizer.state.get(parameter, {}))
                    grad = None if closure else value_of(parameter.grad)
                    parameters.append((group, parameter, value_of(parameter), grad, state))
        return parameters

    def _record_step(self, optimizer: Any, before: list[Any], unlisted: list[int]) -> None:
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
        parameter_count = sum(len(group["params"]) for group in optimizer.param_groups)
        site, frame = self.location()
        name, left_out = name_of(type(optimizer)), parameter_count - len(updates)
        listed = {update.tensor for update in updates}
        unlisted += [number for _, parameter, *_ in before if (number := self._serial(parameter)) not in listed]
        self._send(OptimizerStep(name, site, frame, options, updates, left_out, unlisted))


def _has_closure(args: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether a step was given a function that computes the loss and its gradients again."""
    return any(argument is not None for argument in (*args[1:2], kwargs.get("closure")))


def _grad(parameter: torch.Tensor) -> Any:
    return None if parameter.grad is None else value_of(parameter.grad)


def _state(state: Any) -> dict[str, Any]:
    """Return what the optimizer stores for a parameter: momentum buffer, moments, the number of steps, lists of
    these."""
    state_values = {}
    for name, value in state.items():
        state_value = value_of(value) if isinstance(value, torch.Tensor) else _numbers(value)
        if state_value is not None:
            state_values[str(name)] = state_value
    return state_values


def _numbers(value: Any) -> Any:
    """Return a number, or lists of numbers and of the elements of tensors; None for anything else."""
    if isinstance(value, torch.Tensor):
        shown = value_of(value)
        if not isinstance(shown, dict):
            return shown
        return value.tolist() if "data" in shown else None
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    return value if isinstance(value, int | float | bool) else None


def _plain(value: Any) -> Any:
    """As `_numbers`, for an option, which may be text."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return _numbers(value)
    return value if isinstance(value, _PLAIN) else str(value)
