"""The details of a step, of all kinds: what it took and brought, and what differs after it."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from tutor import explain
from tutor.explain.elements import Matrix, default_element, is_worked, matrices_of, work_out
from tutor.explain.node import derivative_text, summarize_node
from tutor.explain.optimizers import explain_update, finished_steps, formula
from tutor.explain.provenance import as_grid, readable_name
from tutor.i18n import N_, _, ngettext
from tutor.study.model import Model
from tutor.trace import number_format, values
from tutor.trace.events import Node
from tutor.trace.graph import gradient_parts
from tutor.trace.names import name_of
from tutor.trace.operands import op_inputs
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value
from tutor.ui.details.measure import Measurement
from tutor.ui.details.writer import SUM_ROWS, Page, step_summary
from tutor.ui.panes.output import ROLES, output_between, stream_prefix
from tutor.ui.render.explained import marked_rows
from tutor.ui.render.segments import EMPTY, Row, clean
from tutor.ui.render.traceback import folded

_MAX_ROWS = 40
"""How many changes of one kind are listed."""

_KINDS = {
    "cell": N_("the beginning of a cell"), "cell_end": N_("the end of a cell"), "line": N_("a statement"),
    "op": N_("an operation"), "backward": N_("the beginning of a backward pass"),
    "backward_end": N_("the end of a backward pass"), "node": N_("a node runs"),
    "accumulate": N_("a gradient is accumulated"), "captured": N_("a gradient is captured"),
    "retained": N_("a gradient is retained"), "hook": N_("a hook runs"), "failed": N_("a failure"),
    "cut": N_("the recording is full"), "skipped": N_("iterations or calls that are not recorded"),
    "mark": N_("a mark of the program's"), "asked": N_("the program reads a line that is typed"),
}  # fmt: skip
"""The kinds of steps, as texts of the interface."""


class StepDetails:
    """The details of a step: its operands and results, the gradients that it sent, and what differs after it."""

    tensor: TensorState | None = None
    measurement: Measurement | None = None

    def __init__(self, model: Model) -> None:
        self._model, self.timeline = model, model.timeline
        self.go()

    @property
    def name(self) -> str:
        """The title of the page."""
        return _("step {number}", number=self.step)

    def go(self) -> bool:
        """Follow the cursor; return whether there is a step."""
        self.step = self._model.cursor
        self.matrices: Sequence[Matrix] = ()
        with suppress(Exception):  # a recording may be malformed
            self.matrices = matrices_of(self.timeline, self.step)
        return self.step > 0

    def read(self) -> bool:
        """Return True: nothing has to be searched in the recording."""
        return True

    def write(self, page: Page) -> None:
        """Write all that is known."""
        timeline, step = self.timeline, self.step
        view = timeline.view(step)
        if page.is_sheet:
            page.add(*marked_rows(explain.lines(timeline, step), page.cells, page.glyphs))
        why = explain.explanation(timeline, step) if view.kind == "failed" else None
        if why:
            page.heading(_("why"))
            page.say(why, "plain")
        cause = explain.cause(timeline, step)
        if cause is not None:
            page.link(_("decided at"), cause, step_summary(timeline, cause))
        self._write_operands(page)
        self._write_sent(page)
        self._write_matrices(page, "result", "accumulated")
        self._write_optimizers(page)
        self._write_changes(page)
        page.add(EMPTY)
        page.fact(_("kind"), _(_KINDS.get(view.kind, view.kind)))
        if view.file is not None:
            page.fact(_("place"), f"{_beside_program(timeline, view.file)}:{view.line}")
        if view.function is not None:
            page.fact(_("function"), view.function)
        if view.code is not None:
            page.code(_("code"), view.code)
        numbers = ((N_("iteration"), view.iteration), (N_("pass"), view.pass_), (N_("cell"), view.cell))
        for label, number in numbers:
            if number is not None:
                page.fact(_(label), str(number))

    def _write_sent(self, page: Page) -> None:
        """Write each gradient that a node sent: by which formula, and what its input had of this pass, before and
        after."""
        timeline, step = self.timeline, self.step
        event, summary = timeline.event(step), summarize_node(timeline, step)
        if not isinstance(event, Node) or summary is None:
            return
        before, after = timeline.state(step - 1), timeline.state(step)
        node = after.nodes.get(event.node)
        claims = {claim.place: claim for claim in summary.claims}
        sent = [matrix for matrix in self.matrices if matrix.kind == "gradient"]
        if sent:
            page.heading(_("gradients that it sent"))
        for matrix in sent:
            claim = claims.get(matrix.place)
            source = node.inputs[matrix.place] if node is not None and matrix.place < len(node.inputs) else None
            rule = "" if claim is None else derivative_text("∂", summary, claim)
            title: Row = ((clean(matrix.name), "leaf"), (f"  {clean(page.glyphs.text(rule))}", "value"))
            self._write_matrix(page, matrix, title)
            if source is not None:
                old, new = (_collected(state, source[0], matrix) for state in (before, after))
                texts = [number_format.inline(part, matrix.dtype, page.room, gradient=True) for part in (old, new)]
                if old is None and matrix.count > 1:
                    texts[1] = _("this")
                page.fact(_("in this pass"), f"{texts[0]} {page.glyphs.arrow} {texts[1]}", "grad")
        if summary.incoming:
            page.heading(_("gradient that reached it"))
            for value in summary.incoming:
                if value is not None:
                    page.value(value, summary.dtype, values.shape_of(value), "grad")

    def _write_matrices(self, page: Page, *kinds: str) -> None:
        """Write the matrices of these kinds that the step brought, if an element can be chosen or worked out."""
        for matrix in self.matrices:
            if matrix.kind in kinds and matrix.count == 1:
                page.working(matrix, list(filter(is_worked, work_out(self.timeline, matrix, 0, _width(page)))))
            elif matrix.kind in kinds:
                page.add(EMPTY)
                shape = page.glyphs.text(number_format.shape(matrix.shape))
                name = clean(matrix.name) or _("a tensor without a name")
                self._write_matrix(page, matrix, ((name, "heading"), (f"  {shape}", "quiet")))

    def _write_matrix(self, page: Page, matrix: Matrix, title: Row) -> None:
        """Write a matrix, and one element of it worked out: the chosen one, else one that says something."""
        choice = self._model.choice
        chosen = choice.element(matrix)
        role = "plain" if matrix.kind in ("result", "parameter") else "grad"
        page.matrix(matrix, title, role, chosen)
        element = default_element(self.timeline, matrix) if chosen is None else chosen
        lines = work_out(self.timeline, matrix, element, _width(page))
        if chosen is not None or len(lines) > 1 or any(is_worked(parts) for parts in lines):
            page.working(matrix, lines)

    def _write_operands(self, page: Page) -> None:
        """Write the inputs of an operation, and those of its results that are one number."""
        timeline, step = self.timeline, self.step
        if timeline.kind(step) != "op":
            return
        event, before = timeline.event(step), timeline.state(step - 1)
        names = op_inputs(timeline, step)
        page.add(*[EMPTY] * bool(names))
        inputs = getattr(event, "inputs", [])
        if len(inputs) != len(names):
            inputs = [number for number in inputs if number is not None]
        for index, (name, number) in enumerate(zip(names, inputs, strict=False)):
            tensor = None if number is None else before.tensors.get(number)
            page.fact(
                "" if index else _("took"),
                _literal(name)
                if tensor is None
                else number_format.equation(name, _short(page, tensor.value, tensor.dtype)),
            )

        for matrix in self.matrices:
            if matrix.kind == "result" and matrix.count == 1:
                name = clean(matrix.name) or _("a tensor without a name")
                description = number_format.equation(name, _short(page, matrix.value, matrix.dtype))
                shape = page.glyphs.text(number_format.shape(matrix.shape))
                page.fact(_("gave"), _("{what}, shape {shape}", what=description, shape=shape), "value")

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
        own = {source.path for source in self.timeline.sources.values()}
        lines = [(stream, line) for stream, text in parts for line in folded(text.split("\n"), own)]
        if lines:
            page.heading(_("what it printed"))
        for stream, line in lines[:_MAX_ROWS]:
            if isinstance(line, tuple):
                package, count = line
                frames = ngettext("{count} frame in {package}", "{count} frames in {package}", count, package=package)
                page.say(f"{stream_prefix(stream)}  {page.glyphs.more} {frames}", "note")
            else:
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
                        f"{_plain_text(previous.value)} {page.glyphs.arrow} "
                        if previous is not None and previous.what == "value"
                        else ""
                    )
                    rows.append((name, f"{old_text}{_plain_text(variable.value)}", "plain"))
        return rows

    def _write_optimizers(self, page: Page) -> None:
        """Write the optimizer steps that ended here: the chosen weight in the optimizer's own formula, and of the other
        parameters what they were and are."""
        parameters = [matrix for matrix in self.matrices if matrix.kind == "parameter"]
        worked = self._model.choice.matrix(parameters)
        for report in finished_steps(self.timeline, self.step):
            short_formula = formula(report.event)
            page.heading(f"{clean(report.event.optimizer)}.step", (f"  {short_formula or ''}", "value"))
            for update in report.event.updates[:_MAX_ROWS]:
                matrix = next((matrix for matrix in parameters if matrix.place == update.tensor), None)
                if matrix is None:
                    continue
                old = number_format.inline(update.before, matrix.dtype, max(page.cells // 3, 8))
                new = number_format.inline(update.after, matrix.dtype, max(page.cells // 3, 8))
                title = ((clean(matrix.name), "leaf"), (f"  {old} {page.glyphs.arrow} {new}", "value"))
                if matrix is worked:
                    self._write_matrix(page, matrix, title)
                    continue
                if matrix.count > 1:
                    page.matrices[len(page.rows)] = matrix
                page.add(title)
                if page.is_sheet:
                    page.working(matrix, explain_update(self.timeline, self.step, update.tensor))
            omitted = len(report.event.updates[_MAX_ROWS:]) + report.event.left_out
            if omitted:
                page.say(_("and {count:,} more", count=omitted))


def _literal(text: str) -> str:
    """Return a number of the code, or a list of numbers, as it is spelled everywhere; any other text as it is."""
    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    numbers = value if isinstance(value, list) else [value]
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in numbers):
        return text
    return number_format.inline(value, "") if isinstance(value, list) else number_format.number(value)


def _plain_text(value: object) -> str:
    """Return a value that is no tensor as text, with a float spelled as elsewhere on the screen."""
    return number_format.number(value, "float64") if isinstance(value, float) else repr(value)


def _width(page: Page) -> int:
    """Return the cells that the terms of an element may take."""
    return max(page.cells * SUM_ROWS - 30, 40)


def _collected(state: State, node: int, matrix: Matrix) -> Value:
    """Return the gradient that a node has got so far in this pass; None where it has none, or it is not known."""
    grids = [as_grid(part, matrix.shape, matrix.dtype) for _source, part in gradient_parts(state, node)]
    if not grids or any(grid is None for grid in grids):
        return None
    sums: list[Any] = [sum(column) for column in zip(*(grid.flat for grid in grids if grid is not None), strict=True)]
    for size in reversed(matrix.shape):
        sums = [sums[start : start + size] for start in range(0, len(sums), size)]
    return sums[0]


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


def _beside_program(timeline: Timeline, path: str) -> str:
    """Return the path of a file from the folder of the program, if it is in there."""
    first = next(iter(timeline.sources.values()), None)
    folder = PurePath(path if first is None else first.path).parent
    return str(PurePath(path).relative_to(folder)) if PurePath(path).is_relative_to(folder) else path
