"""Everything about a step: what happened, and all that it changed."""

from __future__ import annotations

from tutor import explain
from tutor.explain.optimizers import finished_steps, formula, report_lines
from tutor.explain.provenance import readable_name
from tutor.i18n import N_, _
from tutor.text_width import wrapped
from tutor.trace.names import name_of
from tutor.trace.operands import op_inputs, op_output
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import short
from tutor.trace.wire_types import Value
from tutor.ui.details import measure
from tutor.ui.details.writer import Page, place
from tutor.ui.panes.output import ROLES, lead_of
from tutor.ui.panes.output import told as told_of
from tutor.ui.render.segments import EMPTY, clean

_MOST = 40
"""So many changes of one kind are listed."""

_KINDS = {
    "cell": N_("the beginning of a cell"), "cell_end": N_("the end of a cell"), "line": N_("a statement"),
    "op": N_("an operation"), "backward": N_("the beginning of a backward pass"),
    "backward_end": N_("the end of a backward pass"), "node": N_("a node runs"),
    "accumulate": N_("a gradient is accumulated"), "captured": N_("a gradient is captured"),
    "retained": N_("a gradient is retained"), "hook": N_("a hook runs"), "failed": N_("a failure"),
    "cut": N_("the recording is full"),
}  # fmt: skip
"""What a step may be, in words."""


class AboutStep:
    """A step, what it was applied to, and what is otherwise after it."""

    def __init__(self, timeline: Timeline, step: int) -> None:
        self.timeline, self.step = timeline, step
        self.tensor: TensorState | None = None
        self.choice = measure.Choice(())

    @property
    def name(self) -> str:
        """What the frame calls it."""
        return _("step {number}", number=self.step)

    def read(self) -> bool:
        """There is nothing to look for."""
        return True

    def write(self, page: Page) -> None:
        """All that is known."""
        timeline, step = self.timeline, self.step
        view = timeline.view(step)
        said = [(clean(page.glyphs.text(text)), role) for text, role in explain.line(timeline, step)]
        page.add(*wrapped(said, page.cells), EMPTY)
        page.fact(_("kind"), _(_KINDS.get(view.kind, view.kind)))
        if view.file is not None:
            page.fact(_("place"), f"{view.file}:{view.line}")
        if view.function is not None:
            page.fact(_("function"), view.function)
        if view.code is not None:
            page.code(_("code"), view.code)
        numbers = ((N_("iteration"), view.iteration), (N_("pass"), view.pass_), (N_("cell"), view.cell))
        for label, number in numbers:
            if number is not None:
                page.fact(_(label), str(number))
        why = explain.explanation(timeline, step) if view.kind == "failed" else None
        if why:
            page.heading(_("why"))
            page.say(why, "plain")
        cause = explain.cause(timeline, step)
        if cause is not None:
            page.lead(_("decided at"), cause, place(timeline, cause))
        self._operands(page)
        self._changes(page)
        self._optimizers(page)

    def _operands(self, page: Page) -> None:
        """What an operation took and gave."""
        timeline, step = self.timeline, self.step
        if timeline.kind(step) != "op":
            return
        event, before, after = timeline.event(step), timeline.state(step - 1), timeline.state(step)
        names = op_inputs(timeline, step)
        inputs = getattr(event, "inputs", [])
        if len(inputs) != len(names):
            inputs = [number for number in inputs if number is not None]
        for at, (name, number) in enumerate(zip(names, inputs, strict=False)):
            held = None if number is None else before.tensors.get(number)
            page.fact(
                "" if at else _("took"), name if held is None else f"{name} = {_short(page, held.value, held.dtype)}"
            )
        for at, number in enumerate(getattr(event, "outputs", [])[:_MOST]):
            held = after.tensors.get(number)
            name = (op_output(timeline, step) if not at else name_of(after, number)) or _("a tensor without a name")
            if held is not None:
                what = f"{name} = {_short(page, held.value, held.dtype)}"
                text = _("{what}, shape {shape}", what=what, shape=list(held.shape))
                page.fact("" if at else _("gave"), text, "value")

    def _changes(self, page: Page) -> None:
        """Names, values, gradients and nodes that are other than before."""
        timeline, step = self.timeline, self.step
        changes = timeline.changed(step)
        before, after = timeline.state(step - 1), timeline.state(step)
        told: list[tuple[str, str, str]] = []
        for number in sorted(changes.tensors):
            new, old = after.tensors.get(number), before.tensors.get(number)
            name = None if new is None else name_of(after, number)
            if new is None or name is None or name.endswith(".grad"):
                continue
            if old is None or old.value != new.value:
                told.append((name, _became(page, old, new), "value"))
            elif (old.version, old.grad_fn) != (new.version, new.grad_fn):
                text = N_("version {old} {arrow} {new}, the same numbers")
                told.append((name, _(text, old=old.version, arrow=page.glyphs.arrow, new=new.version), "value"))
        for number in sorted(changes.grads):
            owner = after.tensors.get(number)
            if owner is not None:
                old, new = _grad(before, before.tensors.get(number)), _grad(after, owner)
                name = readable_name(self.timeline, self.step, number)
                told.append((f"{name}.grad", _became(page, old, new, "None"), "grad"))
        told += self._bound(page, before, after)
        for number in sorted(changes.nodes):
            node = after.nodes.get(number)
            if node is not None:
                known = before.nodes.get(number)
                did = _("made") if known is None else _("ran")
                if known is not None and node.order:
                    did = _("ran as number {number} of the pass", number=node.order)
                of = "" if node.tensor is None else name_of(after, node.tensor) or ""
                told.append((node.name, _("{did}, of {name}", did=did, name=of) if of else did, "node"))
        printed = self._printed(page)
        if told or not printed:
            page.heading(_("what it changed"))
        if not told and not printed:
            page.say(_("nothing that is shown here"))
        for name, text, role in told[:_MOST]:
            page.fact(name, text, role)
        if len(told) > _MOST:
            page.fact("", _("and {count:,} more", count=len(told) - _MOST), "quiet")

    def _printed(self, page: Page) -> bool:
        """What the program printed here, and what Python warned of; whether there is any."""
        parts, _more = told_of(self.timeline, self.step - 1, self.step)
        lines = [(stream, line) for stream, text in parts for line in text.split("\n")]
        if lines:
            page.heading(_("what it printed"))
        for stream, line in lines[:_MOST]:
            page.say(lead_of(stream) + line, ROLES.get(stream, "plain"))
        if len(lines) > _MOST:
            page.say(_("and {count:,} more", count=len(lines) - _MOST))
        return bool(lines)

    def _bound(self, page: Page, before: State, after: State) -> list[tuple[str, str, str]]:
        """Names that now mean another number or text."""
        old = {(frame.frame, name): held for frame in before.frames for name, held in frame.names.items()}
        told = []
        for frame in after.frames:
            for name, held in frame.names.items():
                known = old.get((frame.frame, name))
                if held.what == "value" and (known is None or known.value != held.value):
                    was = f"{known.value!r} {page.glyphs.arrow} " if known is not None and known.what == "value" else ""
                    told.append((name, f"{was}{held.value!r}", "plain"))
        return told

    def _optimizers(self, page: Page) -> None:
        """The steps of optimizers that were over here, each parameter in full."""
        for told in finished_steps(self.timeline, self.step):
            short_formula = formula(told.event)
            page.heading(f"{clean(told.event.optimizer)}.step", (f"  {short_formula or ''}", "value"))
            for update in told.event.updates[:_MOST]:
                first, *rest = report_lines(self.timeline, told, update)
                page.say(first, "plain")
                for line in rest:
                    page.say(f"  {line}", "grad")
            left = len(told.event.updates[_MOST:]) + told.event.left_out
            if left:
                page.say(_("and {count:,} more", count=left))


def _short(page: Page, value: Value, dtype: str) -> str:
    return short(value, dtype, max(page.room - 20, 12))


def _became(page: Page, old: TensorState | None, new: TensorState | None, none: str = "") -> str:
    """`1. → 0.5`"""
    width = max((page.room - 3) // 2, 8)
    was = none if old is None else short(old.value, old.dtype, width)
    now = "None" if new is None else short(new.value, new.dtype, width)
    return f"{was} {page.glyphs.arrow} {now}" if was else now


def _grad(state: State, tensor: TensorState | None) -> TensorState | None:
    return None if tensor is None or tensor.grad is None else state.tensors.get(tensor.grad)
