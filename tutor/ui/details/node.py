"""The details of an autograd node."""

from __future__ import annotations

from tutor.explain.node import node_line, rule_json, summarize_node
from tutor.explain.saved_tensors import fails_later, saved_by, saved_name
from tutor.i18n import N_, _
from tutor.text_width import wrapped
from tutor.trace import values
from tutor.trace.graph import gradient_parts, is_leaf
from tutor.trace.history import NodeRuns, Reader
from tutor.trace.state import NodeState
from tutor.trace.timeline import Timeline
from tutor.ui.details import measure
from tutor.ui.details.measure import Measurement
from tutor.ui.details.tensor import write_paths
from tutor.ui.details.writer import Page, add_links, step_summary
from tutor.ui.panes.tensor_text import TensorNames
from tutor.ui.render.segments import clean

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
            page.add(*wrapped([(clean(page.glyphs.text(text)), role) for text, role in node_line(summary)], page.cells))
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
