"""The details of an autograd node and of a tensor, at each step that one walks to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import prod

from tutor.explain import formatting, joined
from tutor.explain.elements import Matrix, default_element, index_text, is_worked, matrices_of, work_out
from tutor.explain.formatting import TensorNames, grad_of
from tutor.explain.node import node_phrases, rule_json, summarize_node
from tutor.explain.optimizers import explain_update
from tutor.explain.paths import paths_to
from tutor.explain.provenance import creation_step
from tutor.explain.saved_tensors import fails_later, saved_by, saved_name
from tutor.i18n import N_, _, ngettext
from tutor.study.model import Model
from tutor.trace import number_format, values
from tutor.trace.graph import gradient_parts, is_leaf
from tutor.trace.history import History, NodeRuns, Reader, Uses, track
from tutor.trace.names import placeholder_name
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value
from tutor.ui.details.measure import HistoryChart, Measurement
from tutor.ui.details.writer import SUM_ROWS, Page, add_links, has_few_numbers, step_summary
from tutor.ui.panes.graph.passes import LastPass
from tutor.ui.render.matrix import element_text
from tutor.ui.render.segments import EMPTY, clean

_STATES = (N_("live"), N_("new"), N_("freed"))
"""The states of a node, as texts of the interface."""


def state_with(timeline: Timeline, cursor: int, subject: str, number: int) -> State | None:
    """Return the state at the cursor, or the last of the pass that the graph still shows, if a node or tensor is only
    there; None where it is in neither."""
    now = timeline.state(cursor)
    for state in (now, LastPass(timeline).at(now)):
        if number in (state.tensors if subject == "tensor" else state.nodes):
            return state
    return None


def _write_gone(page: Page, step: int, cursor: int) -> None:
    """Say that what is shown is gone by now."""
    if step != cursor:
        page.say(
            _("It is gone by now. This is how it was at step {step}, in the pass that the graph shows.", step=step)
        )


class NodeDetails:
    """The details of a node at a step: what it saves, its gradients, and its rule with the numbers of this run."""

    def __init__(self, model: Model, node: int) -> None:
        self._model, self._number = model, node
        self.timeline = model.timeline
        self._runs = NodeRuns(node)
        self._reader = Reader(self.timeline, self._runs)
        self._read = False
        self.name = ""
        self.go()

    def go(self) -> bool:
        """Follow the cursor; return whether the node is there at its step."""
        self.tensor: TensorState | None = None
        """The leaf of an `AccumulateGrad`; None for other nodes."""
        self.measurement: Measurement | None = None
        self.matrices: Sequence[Matrix] = ()
        state = state_with(self.timeline, self._model.cursor, "node", self._number)
        if state is None:
            return False
        self.state, self.step, self.limit = state, state.step, self._model.limit
        node = state.nodes[self._number]
        self.node, self.name = node, clean(node.name)
        tensor = None if node.tensor is None else self.state.tensors.get(node.tensor)
        self._dtype = tensor.dtype if tensor is not None else "float32"
        if tensor is not None and is_leaf(node):
            self.tensor = tensor
            self.measurement = Measurement(self._model.session, self.timeline, self.step, tensor)
        value, shape = (node.value, node.shape) if self.tensor is None else (self.tensor.value, self.tensor.shape)
        self.matrices = [value_matrix(self.state, self.step, node.tensor, value, shape or (), self._dtype)]
        return True

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """Write all that is known."""
        node, name, glyphs = self.node, TensorNames(self.state), page.glyphs
        _write_gone(page, self.step, self._model.cursor)
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
        matrix = self.matrices[0]
        shape, chosen = matrix.shape, self._model.choice.element(matrix)
        page.add(EMPTY)
        page.matrix(matrix, ((_("value"), "heading"),), "plain", chosen)
        write_working(page, self.timeline, self.state, matrix, node.tensor, chosen)
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
                        of_value = chosen if grads is node.grad_outputs else None
                        page.value(grad, self._dtype, _shape(grad, shape), "grad", of_value)
        if self.tensor is not None:
            write_paths(page, self.timeline, self.state, self.tensor.tensor)
        if self.measurement is not None and self.tensor is not None:
            self.measurement.write(page, TensorNames(self.state)(self.tensor.tensor))
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
            facts += [_("freed")] if tensor.freed else []
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
            page.parts(joined([phrase for phrases in node_phrases(summary) for phrase in phrases]))
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

    def __init__(self, model: Model, tensor: int) -> None:
        self._model, self._number = model, tensor
        self.timeline = model.timeline
        state = state_with(self.timeline, model.cursor, "tensor", tensor) or self.timeline.state(model.cursor)
        tracked = track(self.timeline, state, tensor)
        self.name = clean(TensorNames(state)(tensor) or tracked.name)
        self._uses = Uses(self.timeline, tensor)
        self._course = History(tracked)
        self._reader = Reader(self.timeline, self._uses, self._course)
        self._charts = HistoryChart(self._course.values, "value"), HistoryChart(self._course.grads, "grad")
        self._read = False
        self.go()

    def go(self) -> bool:
        """Follow the cursor; return whether the tensor is there at its step."""
        self.measurement: Measurement | None = None
        self.matrices: Sequence[Matrix] = ()
        state = state_with(self.timeline, self._model.cursor, "tensor", self._number)
        if state is None:
            return False
        self.state, self.step, self.limit = state, state.step, self._model.limit
        self.tensor = tensor = state.tensors[self._number]
        self.measurement = Measurement(self._model.session, self.timeline, self.step, tensor)
        self.matrices = [
            value_matrix(self.state, self.step, tensor.tensor, tensor.value, tensor.shape, tensor.dtype, self.name)
        ]
        return True

    def read(self) -> bool:
        """Read on in the recording; return whether all of it has been read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """Write all that is known."""
        _write_gone(page, self.step, self._model.cursor)
        self._write_facts(page)
        self._write_steps(page)
        tensor, matrix = self.tensor, self.matrices[0]
        chosen = self._model.choice.element(matrix)
        page.add(EMPTY)
        page.matrix(matrix, ((_("value"), "heading"),), "plain", chosen)
        grad = grad_of(self.state, tensor)
        page.heading("grad")
        if grad is None:
            page.say("None")
        else:
            page.value(grad.value, grad.dtype, grad.shape, "grad", chosen)
        if chosen is not None:
            self._write_element(page, grad, chosen)
        write_working(page, self.timeline, self.state, matrix, tensor.tensor, chosen)
        if not tensor.dtype.startswith("complex"):
            element = None if chosen is None else (chosen, index_text(chosen, tensor.shape))
            self._charts[0].write(page, self.name, self.step, self.limit, element)
            self._charts[1].write(page, f"{self.name}.grad", self.step, self.limit, element)
        write_paths(page, self.timeline, self.state, tensor.tensor)
        if self.measurement is not None:
            self.measurement.write(page, self.name)
        for title, shown, role in (
            (_("all numbers"), tensor, "plain"),
            (_("all of the gradient"), grad, "grad"),
        ):
            if shown is not None and not has_few_numbers(shown.value):
                page.heading(title)
                page.all_numbers(shown.value, shown.dtype, shown.shape, role, chosen)

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

    def _write_element(self, page: Page, grad: TensorState | None, chosen: int) -> None:
        """Write the value and gradient of the chosen element."""
        page.heading(_("element {index}", index=index_text(chosen, self.tensor.shape)))
        for label, tensor, role in ((_("value"), self.tensor, "plain"), ("grad", grad, "grad")):
            text = None if tensor is None else element_text(tensor.value, tensor.dtype, chosen)
            if text is not None:
                page.fact(label, text, role)
            else:
                page.fact(label, "None" if tensor is None else _("not in the recording: too many"), "quiet")


def value_matrix(
    state: State, step: int, tensor: int | None, value: Value, shape: Sequence[int], dtype: str, name: str = ""
) -> Matrix:
    """Return the value of a tensor, for an element of it to be chosen."""
    key = formatting.label(state, tensor) or placeholder_name(tensor or 0)
    return Matrix(step, "value", 0, name, key, tuple(shape) or values.shape_of(value), value, dtype)


def write_working(
    page: Page, timeline: Timeline, state: State, matrix: Matrix, tensor: int | None, chosen: int | None
) -> None:
    """Write how an element of a tensor was computed: by the last optimizer step, else by the operation that made it."""
    if tensor is None:
        return
    made = creation_step(timeline, state, tensor)
    results = [] if made is None else matrices_of(timeline, made)
    origin = next((result for result in results if result.value == matrix.value), None)
    lines = explain_update(timeline, matrix.step, tensor, chosen)
    if not lines and origin is not None and origin.kind == "result":
        element = default_element(timeline, origin) if chosen is None else chosen
        lines = work_out(timeline, origin, element, max(page.cells * SUM_ROWS - 30, 40))
    if any(is_worked(parts) for parts in lines):
        page.heading(_("one element worked out"))
        page.working(matrix, lines)


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
