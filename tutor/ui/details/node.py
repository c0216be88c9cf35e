"""Everything about an autograd node."""

from __future__ import annotations

from tutor.explain.node import node_line, rule_json, summarize_node
from tutor.explain.saved_tensors import fails_later, saved_by, saved_name
from tutor.i18n import N_, _
from tutor.text_width import wrapped
from tutor.trace import values
from tutor.trace.graph import is_leaf, parts_of
from tutor.trace.history import Reader, Runs
from tutor.trace.state import NodeState
from tutor.trace.timeline import Timeline
from tutor.ui.details import measure
from tutor.ui.details.measure import Measuring
from tutor.ui.details.tensor import paths
from tutor.ui.details.writer import Page, leads, place
from tutor.ui.panes.readings import Namer
from tutor.ui.render.segments import clean

_STATES = (N_("live"), N_("new"), N_("freed"))
"""What may be said of a node."""


class AboutNode:
    """A node as it is at a step: what it keeps, what went through it, its rule with this run's numbers."""

    def __init__(self, timeline: Timeline, step: int, limit: int, node: NodeState, measuring: Measuring | None) -> None:
        self.timeline, self.step, self.limit, self.state = timeline, step, limit, timeline.state(step)
        self.node, self._measuring = node, measuring
        self.name = clean(node.name)
        tensor = None if node.tensor is None else self.state.tensors.get(node.tensor)
        self.tensor = tensor if is_leaf(node) else None
        """The leaf of an `AccumulateGrad`."""
        self._dtype = tensor.dtype if tensor is not None else "float32"
        self.choice = measure.Choice(self.tensor.shape if self.tensor is not None else ())
        self._runs = Runs(node.node)
        self._reader = Reader(timeline, self._runs)
        self._read = False

    def read(self) -> bool:
        """Read on in the recording; whether all of it was read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """All that is known."""
        node, name, glyphs = self.node, Namer(self.state), page.glyphs
        page.fact(_("of") if is_leaf(node) else _("made"), name(node.tensor) or glyphs.none)
        inputs = [self.state.nodes.get(source[0]) if source is not None else None for source in node.inputs]
        named = [glyphs.none if source is None else f"{source.name} {name(source.tensor)}".strip() for source in inputs]
        page.fact(_("sends to"), ", ".join(named) or glyphs.none)
        self._saves(page)
        ran_as = _(", ran as number {number} of the pass", number=node.order) if node.order else ""
        page.fact(_("state"), (_(node.state) if node.state in _STATES else node.state) + ran_as)
        if self._runs.made is not None and self._runs.made <= self.limit:
            page.lead(_("there since"), self._runs.made, place(self.timeline, self._runs.made))
        ran = [step for step in self._runs.ran if step <= self.limit]
        leads(page, self.timeline, _("ran"), ran)
        if not self._read:
            page.fact("", _("reading the recording: so far to step {step:,}", step=self._reader.step), "note")
        self._rule(page, [step for step in ran if step <= self.step])
        held = self.tensor.value if self.tensor is not None else node.value
        shape = (self.tensor.shape if self.tensor is not None else node.shape) or values.shape_of(held)
        page.heading(_("value"))
        page.value(held, self._dtype, shape, "plain", self.choice.element)
        for title, grads in (
            (_("gradient that reached it"), node.grad_outputs),
            (_("gradients that it sends on"), node.grad_inputs),
        ):
            if grads:
                page.heading(title)
                for at, grad in enumerate(grads):
                    if grads is node.grad_inputs and len(grads) > 1 and at < len(named):
                        page.say(_("to {name}", name=named[at]))
                    if grad is None:
                        page.say("None")
                    else:
                        chosen = self.choice.element if grads is node.grad_outputs else None
                        page.value(grad, self._dtype, _shape(grad, shape), "grad", chosen)
        if self.tensor is not None:
            paths(page, self.timeline, self.state, self.tensor.tensor)
        if self._measuring is not None and self.tensor is not None:
            self._measuring.write(page, Namer(self.state)(self.tensor.tensor))
        parts = parts_of(self.state, node.node)
        if len(parts) > 1:
            page.heading(_("the parts that it is the sum of"))
            for source, part in parts:
                page.fact(source, page.short(part, self._dtype), "grad")

    def _saves(self, page: Page) -> None:
        """What the node keeps for its backward, where that is known; else only under which names it may."""
        kept = saved_by(self.state, self.node)
        if not kept:
            page.fact(_("may save"), ", ".join(self.node.saved) or _("nothing"))
        for at, one in enumerate(kept):
            told = [_("{what} as {name}", what=saved_name(self.state, one), name=one.name)]
            told.append(_("{count:,} bytes", count=one.bytes))
            told += [] if one.version is None else [_("version {number}", number=one.version)]
            if not one.fits:
                told.append(
                    _("now at version {number}: backward will fail", number=one.now)
                    if fails_later(self.timeline, self.step, one)
                    else _("now at version {number}: backward would fail", number=one.now)
                )
            told += [_("let go")] if one.freed else []
            page.fact("" if at else _("saves"), _(", ").join(told), "plain" if one.fits else "error")

    def _rule(self, page: Page, ran: list[int]) -> None:
        """The rule with the numbers of the last time that it ran."""
        if not ran or is_leaf(self.node):
            return
        rule, told = rule_json(self.timeline, ran[-1]), summarize_node(self.timeline, ran[-1])
        if told is None:
            return
        page.heading(_("its rule, with this run's numbers"), ("  " + _("at step {step}", step=ran[-1]), "quiet"))
        if rule is None:
            page.add(*wrapped([(clean(page.glyphs.text(text)), role) for text, role in node_line(told)], page.cells))
            return
        text = page.glyphs.text
        page.fact(_("it made"), text(str(rule["formula"])), "value")
        for one in rule["inputs"]:
            page.fact(_("to {name}", name=one["of"]), text(str(one["text"])), "value")
            page.fact("", text(f"grad({one['of']}) = {one['working']}"), "grad")
            if one["element"] is not None and len(values.elements(one["grad"]) or ()) > 1:
                at = ", ".join(map(str, one["element"]["index"]))
                page.fact("", text(_("of which [{place}] = {value}", place=at, value=one["element"]["text"])), "grad")


def _shape(value: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    return values.shape_of(value) or shape
