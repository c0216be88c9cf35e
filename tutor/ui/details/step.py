"""The details of a step: what happened, and everything that it changed."""

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
from tutor.trace.values import Value, short
from tutor.ui.details import measure
from tutor.ui.details.writer import Page, step_summary
from tutor.ui.panes.output import ROLES, output_between, stream_prefix
from tutor.ui.render.segments import EMPTY, clean

_MAX_ROWS = 40
"""How many changes of one kind are listed."""

_KINDS = {
    "cell": N_("the beginning of a cell"), "cell_end": N_("the end of a cell"), "line": N_("a statement"),
    "op": N_("an operation"), "backward": N_("the beginning of a backward pass"),
    "backward_end": N_("the end of a backward pass"), "node": N_("a node runs"),
    "accumulate": N_("a gradient is accumulated"), "captured": N_("a gradient is captured"),
    "retained": N_("a gradient is retained"), "hook": N_("a hook runs"), "failed": N_("a failure"),
    "cut": N_("the recording is full"),
}  # fmt: skip
"""The kinds of steps, as texts of the interface."""


class StepDetails:
    """The details of a step: its operands and results, and what differs after it."""

    def __init__(self, timeline: Timeline, step: int) -> None:
        self.timeline, self.step = timeline, step
        self.tensor: TensorState | None = None
        self.choice = measure.ElementChoice(())

    @property
    def name(self) -> str:
        """The title of the sheet."""
        return _("step {number}", number=self.step)

    def read(self) -> bool:
        """Return True: nothing has to be searched in the recording."""
        return True

    def write(self, page: Page) -> None:
        """Write all that is known."""
        timeline, step = self.timeline, self.step
        view = timeline.view(step)
        pieces = [(clean(page.glyphs.text(text)), role) for text, role in explain.line(timeline, step)]
        page.add(*wrapped(pieces, page.cells), EMPTY)
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
            page.link(_("decided at"), cause, step_summary(timeline, cause))
        self._write_operands(page)
        self._write_changes(page)
        self._write_optimizers(page)

    def _write_operands(self, page: Page) -> None:
        """Write the inputs and outputs of an operation."""
        timeline, step = self.timeline, self.step
        if timeline.kind(step) != "op":
            return
        event, before, after = timeline.event(step), timeline.state(step - 1), timeline.state(step)
        names = op_inputs(timeline, step)
        inputs = getattr(event, "inputs", [])
        if len(inputs) != len(names):
            inputs = [number for number in inputs if number is not None]
        for index, (name, number) in enumerate(zip(names, inputs, strict=False)):
            tensor = None if number is None else before.tensors.get(number)
            page.fact(
                "" if index else _("took"),
                name if tensor is None else f"{name} = {_short(page, tensor.value, tensor.dtype)}",
            )
        for index, number in enumerate(getattr(event, "outputs", [])[:_MAX_ROWS]):
            tensor = after.tensors.get(number)
            name = (op_output(timeline, step) if not index else name_of(after, number)) or _("a tensor without a name")
            if tensor is not None:
                description = f"{name} = {_short(page, tensor.value, tensor.dtype)}"
                text = _("{what}, shape {shape}", what=description, shape=list(tensor.shape))
                page.fact("" if index else _("gave"), text, "value")

    def _write_changes(self, page: Page) -> None:
        """Write the names, values, gradients and nodes that differ from before."""
        timeline, step = self.timeline, self.step
        changes = timeline.changed(step)
        before, after = timeline.state(step - 1), timeline.state(step)
        rows: list[tuple[str, str, str]] = []
        for number in sorted(changes.tensors):
            new, old = after.tensors.get(number), before.tensors.get(number)
            name = None if new is None else name_of(after, number)
            if new is None or name is None or name.endswith(".grad"):
                continue
            if old is None or old.value != new.value:
                rows.append((name, _change_text(page, old, new), "value"))
            elif (old.version, old.grad_fn) != (new.version, new.grad_fn):
                text = N_("version {old} {arrow} {new}, the same numbers")
                rows.append((name, _(text, old=old.version, arrow=page.glyphs.arrow, new=new.version), "value"))
        for number in sorted(changes.grads):
            owner = after.tensors.get(number)
            if owner is not None:
                old, new = _grad_of(before, before.tensors.get(number)), _grad_of(after, owner)
                name = readable_name(self.timeline, self.step, number)
                rows.append((f"{name}.grad", _change_text(page, old, new, "None"), "grad"))
        rows += self._changed_variables(page, before, after)
        for number in sorted(changes.nodes):
            node = after.nodes.get(number)
            if node is not None:
                previous = before.nodes.get(number)
                action = _("made") if previous is None else _("ran")
                if previous is not None and node.order:
                    action = _("ran as number {number} of the pass", number=node.order)
                of = "" if node.tensor is None else name_of(after, node.tensor) or ""
                rows.append((node.name, _("{did}, of {name}", did=action, name=of) if of else action, "node"))
        printed = self._write_output(page)
        if rows or not printed:
            page.heading(_("what it changed"))
        if not rows and not printed:
            page.say(_("nothing that is shown here"))
        for name, text, role in rows[:_MAX_ROWS]:
            page.fact(name, text, role)
        if len(rows) > _MAX_ROWS:
            page.fact("", _("and {count:,} more", count=len(rows) - _MAX_ROWS), "quiet")

    def _write_output(self, page: Page) -> bool:
        """Write what the program printed and what Python warned of; return whether there is any."""
        parts, _more = output_between(self.timeline, self.step - 1, self.step)
        lines = [(stream, line) for stream, text in parts for line in text.split("\n")]
        if lines:
            page.heading(_("what it printed"))
        for stream, line in lines[:_MAX_ROWS]:
            page.say(stream_prefix(stream) + line, ROLES.get(stream, "plain"))
        if len(lines) > _MAX_ROWS:
            page.say(_("and {count:,} more", count=len(lines) - _MAX_ROWS))
        return bool(lines)

    def _changed_variables(self, page: Page, before: State, after: State) -> list[tuple[str, str, str]]:
        """Return the names that refer to another number or text than before, as rows of the changes."""
        old = {(frame.frame, name): variable for frame in before.frames for name, variable in frame.names.items()}
        rows = []
        for frame in after.frames:
            for name, variable in frame.names.items():
                previous = old.get((frame.frame, name))
                if variable.what == "value" and (previous is None or previous.value != variable.value):
                    old_text = (
                        f"{previous.value!r} {page.glyphs.arrow} "
                        if previous is not None and previous.what == "value"
                        else ""
                    )
                    rows.append((name, f"{old_text}{variable.value!r}", "plain"))
        return rows

    def _write_optimizers(self, page: Page) -> None:
        """Write each parameter's update, for the optimizer steps that ended here."""
        for report in finished_steps(self.timeline, self.step):
            short_formula = formula(report.event)
            page.heading(f"{clean(report.event.optimizer)}.step", (f"  {short_formula or ''}", "value"))
            for update in report.event.updates[:_MAX_ROWS]:
                first, *rest = report_lines(self.timeline, report, update)
                page.say(first, "plain")
                for line in rest:
                    page.say(f"  {line}", "grad")
            omitted = len(report.event.updates[_MAX_ROWS:]) + report.event.left_out
            if omitted:
                page.say(_("and {count:,} more", count=omitted))


def _short(page: Page, value: Value, dtype: str) -> str:
    return short(value, dtype, max(page.room - 20, 12))


def _change_text(page: Page, old: TensorState | None, new: TensorState | None, none: str = "") -> str:
    """Return `1. → 0.5`."""
    width = max((page.room - 3) // 2, 8)
    old_text = none if old is None else short(old.value, old.dtype, width)
    new_text = "None" if new is None else short(new.value, new.dtype, width)
    return f"{old_text} {page.glyphs.arrow} {new_text}" if old_text else new_text


def _grad_of(state: State, tensor: TensorState | None) -> TensorState | None:
    return None if tensor is None or tensor.grad is None else state.tensors.get(tensor.grad)
