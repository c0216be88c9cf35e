"""What nodes keep, who shares memory, and what optimizers did: for reading, and as JSON."""

from __future__ import annotations

from typing import Any

from tutor.explain.optimizers import (
    OptimizerReport,
    formula,
    last_step,
    place_text,
    report_lines,
    state_dtype,
    steps_told,
    working,
)
from tutor.explain.provenance import readable
from tutor.explain.saved_tensors import fails, kept_by, what, whose
from tutor.i18n import N_, _, ngettext
from tutor.text.values import gradient
from tutor.trace.events import Update
from tutor.trace.graph import graph_of
from tutor.trace.history import last_write, views
from tutor.trace.names import aliases_of, name_of, names_of
from tutor.trace.state import FrameState, NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import to_json

_ROWS_INSIDE = 20


def saved(state: State, node: NodeState) -> list[dict[str, Any]]:
    """What a node keeps for its backward."""
    return [
        {
            "name": kept.name,
            "tensor": name_of(state, kept.tensor) if kept.tensor else None,
            "bytes": kept.bytes,
            "version": kept.version,
            "fits": kept.fits,
            "freed": kept.freed,
        }
        for kept in kept_by(state, node)
    ]


def last_optimizer(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The last step of an optimizer up to a point."""
    told = last_step(timeline, step)
    return None if told is None else _optimizer(timeline, told)


def optimizer_at(timeline: Timeline, step: int) -> dict[str, Any] | None:
    """The step of an optimizer that was over with this very step; of several the last."""
    told = last_step(timeline, step)
    return None if told is None or told.step != step else _optimizer(timeline, told)


def _optimizer(timeline: Timeline, told: OptimizerReport) -> dict[str, Any]:
    event = told.event
    return {
        "step": told.step,
        "optimizer": event.optimizer,
        "options": [{name: to_json(held, "float32") for name, held in options.items()} for options in event.options],
        "formula": formula(event),
        "updates": [_update(timeline, told, update) for update in event.updates],
        "left_out": event.left_out,
    }


def _update(timeline: Timeline, told: OptimizerReport, update: Update) -> dict[str, Any]:
    name, dtype = readable(timeline, told.step, update.tensor), state_dtype(timeline.state(told.step), update)
    found = working(told.event, update, dtype)
    return {
        "parameter": name,
        "group": update.group,
        "before": gradient(update.before, dtype),
        "grad": gradient(update.grad, dtype),
        "after": gradient(update.after, dtype),
        "state_before": {name: gradient(value, dtype) for name, value in update.state_before.items()},
        "state_after": {name: gradient(value, dtype) for name, value in update.state_after.items()},
        "agrees": found is not None,
        "working": None if found is None else f"{name}{place_text(found.index, update)} = {found.update}",
    }


# ---------------------------------------------------------------- for reading


def saved_lines(timeline: Timeline, step: int) -> list[str]:
    """`MulBackward0 of y keeps a as self, 4 bytes, version 0`, a line for each tensor kept."""
    said, state = [], timeline.state(step)
    for node in graph_of(state)[0]:
        for kept in kept_by(state, node):
            own = "" if kept.tensor else _(" of its own")
            text = N_("{node} kept {what}{own}") if kept.freed else N_("{node} keeps {what}{own}")
            named = what(state, kept)
            if named != kept.name:
                named = _("{what} as {name}", what=named, name=kept.name)
            parts = [
                _(text, node=whose(state, node), what=named, own=own),
                ngettext("{count} byte", "{count} bytes", kept.bytes),
            ]
            parts += [_("version {number}", number=kept.version)] if kept.version is not None else []
            parts += [_("freed")] if kept.freed else []
            if not kept.freed and not kept.fits:
                end = (
                    N_("which is at version {number} now: backward will fail")
                    if fails(timeline, step, kept)
                    else N_("which is at version {number} now: backward would fail")
                )
                parts.append(_(end, number=kept.now))
            said.append("  " + _(", ").join(parts))
    more = ["  " + _("and {count:,} more", count=len(said) - _ROWS_INSIDE)] if len(said) > _ROWS_INSIDE else []
    return ["", _("saved for backward"), *said[:_ROWS_INSIDE], *more] if said else []


def shared_lines(timeline: Timeline, step: int, frame: FrameState) -> list[str]:
    """`a shares its storage with v; version 2 since step 12`."""
    state = timeline.state(step)
    said: list[str] = []
    named, rows = names_of(state, frame), aliases_of(state, frame)
    for name, together in views(state, frame).items():
        others = [other for other in together if other in rows]
        if name not in rows or not others or len(said) > _ROWS_INSIDE:
            continue
        tensor = named[name]
        wrote = last_write(timeline, step, tensor)
        text = N_("{name} shares its storage with {others}")
        if wrote is not None:
            text = N_("{name} shares its storage with {others}; version {version} since step {step}")
        version = state.tensors[tensor].version
        said.append("  " + _(text, name=name, others=", ".join(others), version=version, step=wrote))
    more = ["  " + _("and more")] if len(said) > _ROWS_INSIDE else []
    return ["", _("shared storage"), *said[:_ROWS_INSIDE], *more] if said else []


def optimizer_lines(timeline: Timeline, step: int) -> list[str]:
    """The optimizer's step that was over here, each parameter in full."""
    said = []
    for told in steps_told(timeline, step):
        short = formula(told.event)
        said += ["", f"{told.event.optimizer}.step" + (f": {short}" if short else "")]
        for update in told.event.updates[:_ROWS_INSIDE]:
            first, *rest = report_lines(timeline, told, update)
            said += [f"  {first}", *(f"    {text}" for text in rest)]
        left = len(told.event.updates[_ROWS_INSIDE:]) + told.event.left_out
        said += ["  " + _("and {count:,} more", count=left)] if left else []
    return said
