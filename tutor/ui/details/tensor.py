"""The details of a tensor."""

from __future__ import annotations

from bisect import bisect_right
from math import prod

from tutor.explain.paths import paths_to
from tutor.i18n import N_, _, ngettext
from tutor.trace import values
from tutor.trace.history import History, Reader, Uses, track
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.ui.details import measure
from tutor.ui.details.measure import HistoryChart, Measurement
from tutor.ui.details.writer import Page, add_links, has_few_numbers, step_summary
from tutor.ui.panes.tensor_text import TensorNames, grad_of
from tutor.ui.render.segments import clean


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
        shape = ngettext("{shape}, {count:,} number", "{shape}, {count:,} numbers", count, shape=list(tensor.shape))
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
            if flat is not None and chosen is not None and chosen < len(flat):
                page.fact(label, values.number(flat[chosen]), role)
            else:
                page.fact(label, "None" if tensor is None else _("not in the recording: too many"), "quiet")


def write_paths(page: Page, timeline: Timeline, state: State, tensor: int) -> None:
    """Write the paths by which this pass brought a gradient to a leaf, each as the product of its factors."""
    path_sum = paths_to(timeline, state, tensor)
    if path_sum is None:
        return
    page.heading(_("the gradient of this pass, path by path"))
    number, times = values.number, page.glyphs.text("×")
    for path in path_sum.paths:
        factors = f" {times} ".join(number(factor) for factor in (path_sum.start, *path.factors))
        through = f" {page.glyphs.arrow} ".join(path.through)
        page.fact(_("path"), f"{through}:  {factors} = {number(path.product)}", "grad")
    if path_sum.left_out:
        page.fact("", ngettext("and {count:,} path more", "and {count:,} paths more", path_sum.left_out), "quiet")
    elif len(path_sum.paths) > 1:
        total = " + ".join(number(path.product) for path in path_sum.paths)
        page.fact(_("their sum"), f"{total} = {number(path_sum.total)}", "grad")
