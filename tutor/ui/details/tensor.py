"""Everything about a tensor."""

from __future__ import annotations

from bisect import bisect_right
from math import prod

from tutor.explain.paths import paths_to
from tutor.i18n import N_, _, ngettext
from tutor.trace import values
from tutor.trace.history import Course, Reader, Uses, followed
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.ui.details import measure
from tutor.ui.details.measure import Chart, Measuring
from tutor.ui.details.writer import Page, few, leads, place
from tutor.ui.panes.tensor_text import TensorNames, grad_of
from tutor.ui.render.segments import clean


class AboutTensor:
    """A tensor as it is at a step, where it comes from, who takes it, and its course."""

    def __init__(self, timeline: Timeline, step: int, limit: int, tensor: TensorState, measuring: Measuring) -> None:
        self.timeline, self.step, self.limit, self.state = timeline, step, limit, timeline.state(step)
        self.tensor, self._measuring = tensor, measuring
        what = followed(timeline, self.state, tensor.tensor)
        self.name = clean(TensorNames(self.state)(tensor.tensor) or what.name)
        self.choice = measure.Choice(tensor.shape)
        self._uses = Uses(timeline, tensor.tensor)
        self._course = Course(what)
        self._reader = Reader(timeline, self._uses, self._course)
        self._charts = Chart(self._course.values, "value"), Chart(self._course.grads, "grad")
        self._read = False

    def read(self) -> bool:
        """Read on in the recording; whether all of it was read."""
        self._read = self._reader.read()
        return self._read

    def write(self, page: Page) -> None:
        """All that is known."""
        self._facts(page)
        self._places(page)
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
            self._element(page, grad)
        if not tensor.dtype.startswith("complex"):
            element = None if chosen is None else (chosen, self.choice.text)
            self._charts[0].write(page, self.name, self.step, self.limit, element)
            self._charts[1].write(page, f"{self.name}.grad", self.step, self.limit, element)
        paths(page, self.timeline, self.state, tensor.tensor)
        self._measuring.write(page, self.name)
        for title, held, role in (
            (_("all numbers"), tensor, "plain"),
            (_("all of the gradient"), grad, "grad"),
        ):
            if held is not None and not few(held.value):
                page.heading(title)
                page.numbers(held.value, held.dtype, role)

    def _facts(self, page: Page) -> None:
        tensor, glyphs = self.tensor, page.glyphs
        by = tensor.grad_fn or _("an operation without gradient")
        kind = _("a leaf") if tensor.is_leaf else _("computed by {operation}", operation=by)
        if tensor.is_leaf is None:
            kind = _("a view; torch does not tell of its node, as its base was changed since")
        page.fact(_("kind"), f"{tensor.class_name}{_(', ')}{kind}")
        count = prod(tensor.shape)
        shape = ngettext("{shape}, {count:,} number", "{shape}, {count:,} numbers", count, shape=list(tensor.shape))
        page.fact(_("shape"), shape)
        where = _("{dtype} on {device}", dtype=tensor.dtype, device=tensor.device)
        page.fact("dtype", f"{where}{_(', ')}{tensor.layout}")
        keeps = _(", ") + _("keeps it") if tensor.retains_grad else ""
        page.fact(_("requires grad"), f"{tensor.requires_grad}{keeps}")
        page.fact(_("strides"), str(list(tensor.strides)) if tensor.strides is not None else glyphs.none)
        page.fact(_("storage"), f"{tensor.storage}{self._shared()}")
        page.fact(_("version"), _("{number}: how often it was changed in place", number=tensor.version))

    def _shared(self) -> str:
        """Which other tensors with a name see the same memory."""
        name, own = TensorNames(self.state), self.tensor
        named = {
            name(other.tensor)
            for other in self.state.tensors.values()
            if other.storage is not None and other.storage == own.storage and other.tensor != own.tensor
        }
        said = ", ".join(sorted(other for other in named if other))
        return _(", shared with {names}", names=said) if said else ""

    def _places(self, page: Page) -> None:
        """Where it was made, by what it was changed, and who takes it."""
        uses, timeline = self._uses, self.timeline
        if uses.seen is not None:
            page.lead(_("made"), uses.seen, place(timeline, uses.seen))
        leads(page, timeline, _("changed by"), self._allowed(uses.changed))
        used = self._allowed(uses.used)
        leads(page, timeline, _("used by"), used)
        if not self._read:
            text = N_("reading the recording: so far to step {step:,} of {count:,}")
            page.fact("", _(text, step=self._reader.step, count=timeline.steps), "note")
        elif not used:
            page.fact(_("used by"), _("nothing") if self.limit >= timeline.steps else _("nothing so far"), "quiet")
        if self._course.objects > 1:
            text = N_("{count:,} tensors in turn were called {name}")
            page.fact(_("name"), _(text, count=self._course.objects, name=self.name), "quiet")

    def _allowed(self, steps: list[int]) -> list[int]:
        return steps[: bisect_right(steps, self.limit)]

    def _element(self, page: Page, grad: TensorState | None) -> None:
        """The element that was chosen."""
        chosen = self.choice.element
        page.heading(_("element {index}", index=self.choice.text))
        for label, held, role in ((_("value"), self.tensor, "plain"), ("grad", grad, "grad")):
            flat = None if held is None else values.elements(held.value)
            if flat is not None and chosen is not None and chosen < len(flat):
                page.fact(label, values.number(flat[chosen]), role)
            else:
                page.fact(label, "None" if held is None else _("not in the recording: too many"), "quiet")


def paths(page: Page, timeline: Timeline, state: State, tensor: int) -> None:
    """The ways over which the pass on show brought a gradient to a leaf, each the product of its factors."""
    found = paths_to(timeline, state, tensor)
    if found is None:
        return
    page.heading(_("the gradient of this pass, path by path"))
    number, times = values.number, page.glyphs.text("×")
    for path in found.paths:
        factors = f" {times} ".join(number(factor) for factor in (found.start, *path.factors))
        through = f" {page.glyphs.arrow} ".join(path.through)
        page.fact(_("path"), f"{through}:  {factors} = {number(path.product)}", "grad")
    if found.left_out:
        page.fact("", ngettext("and {count:,} path more", "and {count:,} paths more", found.left_out), "quiet")
    elif len(found.paths) > 1:
        total = " + ".join(number(path.product) for path in found.paths)
        page.fact(_("their sum"), f"{total} = {number(found.total)}", "grad")
