"""The pages of details: of a step, of an autograd node, of a tensor."""

from __future__ import annotations

from bisect import bisect_right
from math import prod

from tutor import explain
from tutor.explain.formatting import TensorNames, grad_of
from tutor.explain.node import node_phrases, rule_json, summarize_node
from tutor.explain.optimizers import finished_steps, formula, report_lines
from tutor.explain.paths import paths_to
from tutor.explain.provenance import readable_name
from tutor.explain.saved_tensors import fails_later, saved_by, saved_name
from tutor.i18n import N_, _, ngettext
from tutor.text_width import wrapped
from tutor.trace import number_format, values
from tutor.trace.graph import gradient_parts, is_leaf
from tutor.trace.history import History, NodeRuns, Reader, Uses, track
from tutor.trace.names import name_of
from tutor.trace.operands import op_inputs, op_output
from tutor.trace.state import NodeState, State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value
from tutor.ui.details import measure
from tutor.ui.details.measure import HistoryChart, Measurement
from tutor.ui.details.writer import Page, add_links, has_few_numbers, step_summary
from tutor.ui.panes.output import ROLES, output_between, stream_prefix
from tutor.ui.render.explained import marked_rows
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
        page.add(*marked_rows(explain.lines(timeline, step), page.cells, page.glyphs), EMPTY)
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
                name if tensor is None else number_format.equation(name, _short(page, tensor.value, tensor.dtype)),
            )
        for index, number in enumerate(getattr(event, "outputs", [])[:_MAX_ROWS]):
            tensor = after.tensors.get(number)
            name = (op_output(timeline, step) if not index else name_of(after, number)) or _("a tensor without a name")
            if tensor is not None:
                description = number_format.equation(name, _short(page, tensor.value, tensor.dtype))
                text = _(
                    "{what}, shape {shape}", what=description, shape=page.glyphs.text(number_format.shape(tensor.shape))
                )
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
    return number_format.inline(value, dtype, max(page.room - 20, 12))


def _change_text(page: Page, old: TensorState | None, new: TensorState | None, none: str = "") -> str:
    """Return `1. → 0.5`."""
    width = max((page.room - 3) // 2, 8)
    old_text = none if old is None else number_format.inline(old.value, old.dtype, width)
    new_text = "None" if new is None else number_format.inline(new.value, new.dtype, width)
    return f"{old_text} {page.glyphs.arrow} {new_text}" if old_text else new_text


def _grad_of(state: State, tensor: TensorState | None) -> TensorState | None:
    return None if tensor is None or tensor.grad is None else state.tensors.get(tensor.grad)


_STATES = (N_("live"), N_("new"), N_("freed"))
"""The states of a node, as texts of the interface."""


class NodeDetails:
    """The details of a node at a step: what it saves, its gradients, and its rule with the numbers of this run."""

    def __init__(
        self, timeline: Timeline, step: int, limit: int, node: NodeState, measurement: Measurement | None
    ) -> None:
        self.timeline, self.step, self.limit, self.state = timeline, step, limit, timeline.state(step)
        self.node, self._measurement = node, measurement
        self.name = clean(node.name)
        tensor = None if node.tensor is None else self.state.tensors.get(node.tensor)
        self.tensor = tensor if is_leaf(node) else None
        """The leaf of an `AccumulateGrad`; None for other nodes."""
        self._dtype = tensor.dtype if tensor is not None else "float32"
        self.choice = measure.ElementChoice(self.tensor.shape if self.tensor is not None else ())
        self._runs = NodeRuns(node.node)
        self._reader = Reader(timeline, self._runs)
        self._read = False

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """Write all that is known."""
        node, name, glyphs = self.node, TensorNames(self.state), page.glyphs
        page.fact(_("of") if is_leaf(node) else _("made"), name(node.tensor) or glyphs.none)
        inputs = [self.state.nodes.get(source[0]) if source is not None else None for source in node.inputs]
        input_names = [
            glyphs.none if source is None else f"{source.name} {name(source.tensor)}".strip() for source in inputs
        ]
        page.fact(_("sends to"), ", ".join(input_names) or glyphs.none)
        self._write_saved(page)
        order = _(", ran as number {number} of the pass", number=node.order) if node.order else ""
        page.fact(_("state"), (_(node.state) if node.state in _STATES else node.state) + order)
        if self._runs.made is not None and self._runs.made <= self.limit:
            page.link(_("there since"), self._runs.made, step_summary(self.timeline, self._runs.made))
        ran = [step for step in self._runs.ran if step <= self.limit]
        add_links(page, self.timeline, _("ran"), ran)
        if not self._read:
            page.fact("", _("reading the recording: so far to step {step:,}", step=self._reader.step), "note")
        self._write_rule(page, [step for step in ran if step <= self.step])
        value = self.tensor.value if self.tensor is not None else node.value
        shape = (self.tensor.shape if self.tensor is not None else node.shape) or values.shape_of(value)
        page.heading(_("value"))
        page.value(value, self._dtype, shape, "plain", self.choice.element)
        for title, grads in (
            (_("gradient that reached it"), node.grad_outputs),
            (_("gradients that it sends on"), node.grad_inputs),
        ):
            if grads:
                page.heading(title)
                for index, grad in enumerate(grads):
                    if grads is node.grad_inputs and len(grads) > 1 and index < len(input_names):
                        page.say(_("to {name}", name=input_names[index]))
                    if grad is None:
                        page.say("None")
                    else:
                        chosen = self.choice.element if grads is node.grad_outputs else None
                        page.value(grad, self._dtype, _shape(grad, shape), "grad", chosen)
        if self.tensor is not None:
            write_paths(page, self.timeline, self.state, self.tensor.tensor)
        if self._measurement is not None and self.tensor is not None:
            self._measurement.write(page, TensorNames(self.state)(self.tensor.tensor))
        parts = gradient_parts(self.state, node.node)
        if len(parts) > 1:
            page.heading(_("the parts that it is the sum of"))
            for source, part in parts:
                page.fact(source, page.short(part, self._dtype), "grad")

    def _write_saved(self, page: Page) -> None:
        """Write what the node saves for backward; where that is unknown, the names under which it may."""
        saved = saved_by(self.state, self.node)
        if not saved:
            page.fact(_("may save"), ", ".join(self.node.saved) or _("nothing"))
        for index, tensor in enumerate(saved):
            facts = [_("{what} as {name}", what=saved_name(self.state, tensor), name=tensor.name)]
            facts.append(_("{count:,} bytes", count=tensor.bytes))
            facts += [] if tensor.version is None else [_("version {number}", number=tensor.version)]
            if not tensor.fits:
                facts.append(
                    _("now at version {number}: backward will fail", number=tensor.now)
                    if fails_later(self.timeline, self.step, tensor)
                    else _("now at version {number}: backward would fail", number=tensor.now)
                )
            facts += [_("let go")] if tensor.freed else []
            page.fact("" if index else _("saves"), _(", ").join(facts), "plain" if tensor.fits else "error")

    def _write_rule(self, page: Page, ran: list[int]) -> None:
        """Write the rule with the numbers of the node's last run."""
        if not ran or is_leaf(self.node):
            return
        rule, summary = rule_json(self.timeline, ran[-1]), summarize_node(self.timeline, ran[-1])
        if summary is None:
            return
        page.heading(_("its rule, with this run's numbers"), ("  " + _("at step {step}", step=ran[-1]), "quiet"))
        if rule is None:
            pieces = explain.joined([phrase for phrases in node_phrases(summary) for phrase in phrases])
            page.add(*wrapped([(clean(page.glyphs.text(text)), role) for text, role in pieces], page.cells))
            return
        text = page.glyphs.text
        page.fact(_("it made"), text(str(rule["formula"])), "value")
        for grad_input in rule["inputs"]:
            page.fact(_("to {name}", name=grad_input["of"]), text(str(grad_input["text"])), "value")
            page.fact("", text(f"grad({grad_input['of']}) = {grad_input['working']}"), "grad")
            if grad_input["element"] is not None and len(values.elements(grad_input["grad"]) or ()) > 1:
                index = ", ".join(map(str, grad_input["element"]["index"]))
                page.fact(
                    "",
                    text(_("of which [{place}] = {value}", place=index, value=grad_input["element"]["text"])),
                    "grad",
                )


def _shape(value: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    return values.shape_of(value) or shape


class TensorDetails:
    """The details of a tensor at a step: its value and gradient, where it comes from and is used, its history."""

    def __init__(
        self, timeline: Timeline, step: int, limit: int, tensor: TensorState, measurement: Measurement
    ) -> None:
        self.timeline, self.step, self.limit, self.state = timeline, step, limit, timeline.state(step)
        self.tensor, self._measurement = tensor, measurement
        tracked = track(timeline, self.state, tensor.tensor)
        self.name = clean(TensorNames(self.state)(tensor.tensor) or tracked.name)
        self.choice = measure.ElementChoice(tensor.shape)
        self._uses = Uses(timeline, tensor.tensor)
        self._course = History(tracked)
        self._reader = Reader(timeline, self._uses, self._course)
        self._charts = HistoryChart(self._course.values, "value"), HistoryChart(self._course.grads, "grad")
        self._read = False

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """Write all that is known."""
        self._write_facts(page)
        self._write_steps(page)
        tensor, chosen = self.tensor, self.choice.element
        page.heading(_("value"))
        page.value(tensor.value, tensor.dtype, tensor.shape, "plain", chosen)
        grad = grad_of(self.state, tensor)
        page.heading("grad")
        if grad is None:
            page.say("None")
        else:
            page.value(grad.value, grad.dtype, grad.shape, "grad", chosen)
        if chosen is not None:
            self._write_element(page, grad)
        if not tensor.dtype.startswith("complex"):
            element = None if chosen is None else (chosen, self.choice.text)
            self._charts[0].write(page, self.name, self.step, self.limit, element)
            self._charts[1].write(page, f"{self.name}.grad", self.step, self.limit, element)
        write_paths(page, self.timeline, self.state, tensor.tensor)
        self._measurement.write(page, self.name)
        for title, shown, role in (
            (_("all numbers"), tensor, "plain"),
            (_("all of the gradient"), grad, "grad"),
        ):
            if shown is not None and not has_few_numbers(shown.value):
                page.heading(title)
                page.numbers(shown.value, shown.dtype, role)

    def _write_facts(self, page: Page) -> None:
        """Write kind, shape, dtype, and where the numbers are stored."""
        tensor, glyphs = self.tensor, page.glyphs
        operation = tensor.grad_fn or _("an operation without gradient")
        kind = _("a leaf") if tensor.is_leaf else _("computed by {operation}", operation=operation)
        if tensor.is_leaf is None:
            kind = _("a view; torch does not tell of its node, as its base was changed since")
        page.fact(_("kind"), f"{tensor.class_name}{_(', ')}{kind}")
        count = prod(tensor.shape)
        shape = ngettext(
            "{shape}, {count:,} number",
            "{shape}, {count:,} numbers",
            count,
            shape=page.glyphs.text(number_format.shape(tensor.shape)),
        )
        page.fact(_("shape"), shape)
        where = _("{dtype} on {device}", dtype=tensor.dtype, device=tensor.device)
        page.fact("dtype", f"{where}{_(', ')}{tensor.layout}")
        retains = _(", ") + _("keeps it") if tensor.retains_grad else ""
        page.fact(_("requires grad"), f"{tensor.requires_grad}{retains}")
        page.fact(_("strides"), str(list(tensor.strides)) if tensor.strides is not None else glyphs.none)
        page.fact(_("storage"), f"{tensor.storage}{self._shared_names()}")
        page.fact(_("version"), _("{number}: how often it was changed in place", number=tensor.version))

    def _shared_names(self) -> str:
        """Return the names of other tensors that share its storage, as a part of a sentence."""
        name, own = TensorNames(self.state), self.tensor
        names = {
            name(other.tensor)
            for other in self.state.tensors.values()
            if other.storage is not None and other.storage == own.storage and other.tensor != own.tensor
        }
        text = ", ".join(sorted(other for other in names if other))
        return _(", shared with {names}", names=text) if text else ""

    def _write_steps(self, page: Page) -> None:
        """Write where the tensor was made, changed and used."""
        uses, timeline = self._uses, self.timeline
        if uses.seen is not None:
            page.link(_("made"), uses.seen, step_summary(timeline, uses.seen))
        add_links(page, timeline, _("changed by"), self._up_to_limit(uses.changed))
        used = self._up_to_limit(uses.used)
        add_links(page, timeline, _("used by"), used)
        if not self._read:
            text = N_("reading the recording: so far to step {step:,} of {count:,}")
            page.fact("", _(text, step=self._reader.step, count=timeline.steps), "note")
        elif not used:
            page.fact(_("used by"), _("nothing") if self.limit >= timeline.steps else _("nothing so far"), "quiet")
        if self._course.objects > 1:
            text = N_("{count:,} tensors in turn were called {name}")
            page.fact(_("name"), _(text, count=self._course.objects, name=self.name), "quiet")

    def _up_to_limit(self, steps: list[int]) -> list[int]:
        return steps[: bisect_right(steps, self.limit)]

    def _write_element(self, page: Page, grad: TensorState | None) -> None:
        """Write the value and gradient of the chosen element."""
        chosen = self.choice.element
        page.heading(_("element {index}", index=self.choice.text))
        for label, tensor, role in ((_("value"), self.tensor, "plain"), ("grad", grad, "grad")):
            flat = None if tensor is None else values.elements(tensor.value)
            if tensor is not None and flat is not None and chosen is not None and chosen < len(flat):
                page.fact(label, number_format.number(flat[chosen], tensor.dtype), role)
            else:
                page.fact(label, "None" if tensor is None else _("not in the recording: too many"), "quiet")


def write_paths(page: Page, timeline: Timeline, state: State, tensor: int) -> None:
    """Write the paths by which this pass brought a gradient to a leaf, each as the product of its factors."""
    path_sum = paths_to(timeline, state, tensor)
    if path_sum is None:
        return
    page.heading(_("the gradient of this pass, path by path"))
    number, times = number_format.number, page.glyphs.text("×")
    for path in path_sum.paths:
        factors = f" {times} ".join(number(factor) for factor in (path_sum.start, *path.factors))
        through = f" {page.glyphs.arrow} ".join(path.through)
        page.fact(_("path"), f"{through}:  {number_format.equation(factors, number(path.product))}", "grad")
    if path_sum.left_out:
        page.fact("", ngettext("and {count:,} path more", "and {count:,} paths more", path_sum.left_out), "quiet")
    elif len(path_sum.paths) > 1:
        total = " + ".join(number(path.product) for path in path_sum.paths)
        page.fact(_("their sum"), number_format.equation(total, number(path_sum.total)), "grad")
