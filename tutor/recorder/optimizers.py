"""Record what an optimizer holds, and what its step does to each parameter: old value, gradient, state, new value."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from tutor.recorder.containers import attributes_of
from tutor.recorder.operations import quiet
from tutor.recorder.originals import name_of
from tutor.recorder.values import value_of
from tutor.trace.events import Event, OptimizerState, OptimizerStep, Update

MAX_PARAMETERS = 64
"""Parameters of a step that are recorded with their values."""
_PLAIN = (int, float, bool, str, type(None))


class _Record:
    """What was last recorded of an optimizer.

    Attributes:
        ref: The optimizer.
        number: Its number.
        name: The learner's name of it.
        depth: How many calls deep that name is bound.
        groups: The numbers of its parameters, by group.
        tensors: By parameter: the numbers of its state's tensors, by name.
        state: The `id` of the optimizer's `state`, which `load_state_dict` replaces.
    """

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        self.ref = weakref.ref(optimizer)
        self.number = number
        self.name = ""
        self.depth = sys.maxsize
        self.groups: list[list[int]] = []
        self.tensors: dict[int, dict[str, int]] = {}
        self.state = 0


class OptimizerRecorder:
    """Record what all optimizers hold, and their steps, by torch's own hooks around `step`.

    Attributes:
        on: Returns whether steps are recorded.
        on_begin: Called before a recorded step.
        on_end: Called after each step.
        on_step: Called after a recorded step.
        on_unrecorded_step: Called with the parameters of a step in another thread or in compiled code.
        location: Returns the site of the running statement, and the number of its frame.
        on_error: Called with an error of the recorder.
    """

    def __init__(
        self,
        send: Callable[[Event], None],
        serial: Callable[[torch.Tensor], int],
        value: Callable[[torch.Tensor], Any],
    ) -> None:
        self._send = send
        self._serial = serial
        self._value = value
        self._records: dict[int, _Record] = {}
        self._numbers = 0
        self._before: dict[int, list[Any]] = {}
        self._unlisted: dict[int, list[int]] = {}
        self.on: Callable[[], bool] = lambda: False
        self.on_begin: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None
        self.on_step: Callable[[], None] = lambda: None
        self.on_unrecorded_step: Callable[[list[torch.Tensor]], None] = lambda parameters: None
        self.location: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.on_error: Callable[[Exception], None] = lambda error: None

    def watch(self) -> None:
        """Record steps from now on."""
        register_optimizer_step_pre_hook(self._begins)
        register_optimizer_step_post_hook(self._ends)

    def named(self, optimizer: Optimizer, name: str, depth: int) -> None:
        """Note that the learner's code has bound an optimizer to a name, in a frame at `depth` of the call stack."""
        try:
            record = self._record_of(optimizer)
            if depth < record.depth and name != "self":
                record.name, record.depth = name, depth
                with quiet():
                    self._record_state(optimizer, record, is_new=True)
        except Exception as error:
            self.on_error(error)

    def _record_of(self, optimizer: Optimizer) -> _Record:
        """Return the record of an optimizer, which may be new; forget those that are gone."""
        for key, record in list(self._records.items()):
            if record.ref() is None:
                del self._records[key]
                self._send(OptimizerState(record.number, "", record.name, [], [], []))
        if id(optimizer) not in self._records:
            self._numbers += 1
            self._records[id(optimizer)] = _Record(optimizer, self._numbers)
        return self._records[id(optimizer)]

    def _record_state(self, optimizer: Any, record: _Record, is_new: bool = False) -> None:
        """Send the parameters of an optimizer and the tensors of its state, where they are new."""
        groups = [[self._serial(parameter) for parameter in group["params"]] for group in optimizer.param_groups]
        changed: list[tuple[int, dict[str, int]]] = []
        states = optimizer.state
        for group, numbers in zip(optimizer.param_groups, groups, strict=True):
            for parameter, number in zip(group["params"], numbers, strict=True):
                tensors = {
                    str(name): self._serial(value)
                    for name, value in (states.get(parameter) or {}).items()
                    if isinstance(value, torch.Tensor)
                }
                if tensors != record.tensors.get(number, {}):
                    record.tensors[number] = tensors
                    changed.append((number, tensors))
        record.state = id(states)
        if is_new or changed or groups != record.groups:
            record.groups = groups
            kind = name_of(type(optimizer))
            self._send(OptimizerState(record.number, kind, record.name, groups, _options(optimizer), changed))

    def _begins(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.on():
            self.on_begin()
            try:
                with quiet():
                    record = self._record_of(optimizer)
                    if record.state != id(optimizer.state):
                        record.name = record.name or _name_in_callers(optimizer)
                        self._record_state(optimizer, record)
                    self._before[id(optimizer)] = self._read_parameters(optimizer, _has_closure(args, kwargs))
            except Exception as error:
                self.on_error(error)

    def _ends(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.on_end()
        if not self.on():
            self.on_unrecorded_step([parameter for group in optimizer.param_groups for parameter in group["params"]])
            return
        self.on_step()
        before, others = self._before.pop(id(optimizer), None), self._unlisted.pop(id(optimizer), [])
        if before is None:
            return
        try:
            with quiet():
                record = self._record_of(optimizer)
                self._record_state(optimizer, record)
                self._record_step(optimizer, record.number, before, others)
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
                    state = self._state(optimizer.state.get(parameter, {}))
                    grad = None if closure else self._value(parameter.grad)
                    parameters.append((group, parameter, self._value(parameter), grad, state))
        return parameters

    def _record_step(self, optimizer: Any, number: int, before: list[Any], unlisted: list[int]) -> None:
        updates = [
            Update(
                self._serial(parameter), group, value, self._grad(parameter) if grad is None else grad,
                self._value(parameter), state, self._state(optimizer.state.get(parameter, {})),
            )
            for group, parameter, value, grad, state in before
            if value is not None
        ]  # fmt: skip
        parameter_count = sum(len(group["params"]) for group in optimizer.param_groups)
        site, frame = self.location()
        name, left_out = name_of(type(optimizer)), parameter_count - len(updates)
        listed = {update.tensor for update in updates}
        unlisted += [serial for _, parameter, *_ in before if (serial := self._serial(parameter)) not in listed]
        options = _options(optimizer)
        self._send(OptimizerStep(name, site, frame, options, updates, left_out, unlisted, number))

    def _grad(self, parameter: torch.Tensor) -> Any:
        return None if parameter.grad is None else self._value(parameter.grad)

    def _state(self, state: Any) -> dict[str, Any]:
        """Return what the optimizer stores for a parameter: momentum buffer, moments, the number of steps, lists of
        these."""
        state_values = {}
        for name, value in state.items():
            state_value = self._value(value) if isinstance(value, torch.Tensor) else _numbers(value)
            if state_value is not None:
                state_values[str(name)] = state_value
        return state_values


def _name_in_callers(optimizer: Any) -> str:
    """Return the name of an optimizer in the functions that called its `step`: a variable's, or as an attribute of one,
    `self.opt`; "" where it has none."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        for name, value in list(frame.f_locals.items()):
            if frame.f_globals.get("__name__", "").partition(".")[0] in ("torch", "tutor"):
                break
            if value is optimizer:
                return name
            for attribute, held in attributes_of(value):
                if held is optimizer:
                    return f"{name}.{attribute}"
    return ""


def _has_closure(args: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether a step was given a function that computes the loss and its gradients again."""
    return any(argument is not None for argument in (*args[1:2], kwargs.get("closure")))


def _options(optimizer: Any) -> list[dict[str, Any]]:
    """Return the options of each parameter group."""
    return [{key: _plain(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups]


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
