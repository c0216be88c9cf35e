"""Explain a step in lines: what just ran, its rule and the reason for it, the numbers, and what runs next.

A front end has the room to decide in: it lays out phrases, and number grids where they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tutor.explain.elements import Matrix, default_element, matrices_of, work_out
from tutor.explain.formatting import Part
from tutor.explain.node import NodeSummary, Phrase, node_phrases, shown_element, summarize_node
from tutor.explain.operation import op_phrases
from tutor.explain.optimizers import OptimizerReport, describe_report, explain_update, most_moved
from tutor.explain.products import Product, node_product, op_product
from tutor.explain.step import cleared, reports_at, runs_next, statement, warnings, what_runs
from tutor.i18n import _, ngettext
from tutor.trace import navigation
from tutor.trace.timeline import Timeline

Choose = Callable[[Sequence[Matrix]], tuple[Matrix, int] | None]
"""From the matrices of a step to the chosen one, and the flat index of its chosen element; None for no choice."""


@dataclass(frozen=True)
class Explained:
    """What just ran at a step, in phrases, and what runs next."""

    step: int
    """The step that ran: the one before, at a statement that is about to run."""
    rule: Sequence[Phrase]
    """What ran; of a node its rule, and the reason for it."""
    numbers: Sequence[Phrase] = ()
    """The numbers of this run, the most important ones first. Empty where they are in `rule`."""
    notes: Sequence[Phrase] = ()
    """What else happened: mistakes, and what an optimizer cleared."""
    product: Product | None = None
    """A product with its result, all of which can be shown as number grids."""
    element: Callable[[int], list[Phrase]] | None = field(default=None, compare=False)
    """Works out one element: from the most cells of its sum to lines."""
    next: Phrase = field(default_factory=list)
    """What runs next; empty at the end, and where that is not recorded."""

    def ran(self, cells: int = 10_000) -> list[Phrase]:
        """Return all phrases but what runs next.

        Args:
            cells: The most cells of the sum that an element is.
        """
        return [*self.rule, *self.worked(cells), *self.notes]

    def worked(self, cells: int = 10_000) -> list[Phrase]:
        """Return the numbers with the element that is worked out, in a sum of at most `cells` cells."""
        element = self.element(cells)[:1] if self.element is not None else []
        return [*self.numbers[:1], *element, *self.numbers[1:]]


def joined(phrases: Sequence[Phrase]) -> list[Part]:
    """Join phrases to one line: `MulBackward0 · y = a·b`."""
    return [part for phrase in phrases for part in ((" · ", "quiet"), *phrase)][1:]


def lines(timeline: Timeline, step: int, limit: int | None = None, choose: Choose | None = None) -> Explained:
    """Explain what just ran at a step, and what runs next.

    At a statement, which is about to run, that is what came before it: what it changed in the state of an optimizer,
    or else the step before.

    Args:
        timeline: The recording.
        step: A step; one that there is not has no phrases.
        limit: The last step that may be told of; by default the last one.
        choose: Chooses the element to work out; by default it is one that the numbers leave out.
    """
    if not 1 <= step <= timeline.steps:
        return Explained(step, [])
    reports = reports_at(timeline, step)
    notes = [[part] for part in (*cleared(timeline, step), *warnings(timeline, step))]
    is_statement = timeline.kind(step) == "line"
    if reports:
        explained = _optimizer(timeline, step, reports, choose)
    elif is_statement and notes:
        explained = Explained(step, [])
    elif is_statement:
        explained = _ran(timeline, step - 1, choose) if step > 1 else Explained(step, [])
    else:
        explained = _ran(timeline, step, choose)
    previous = navigation.previous_line(timeline, step) if is_statement and (reports or notes) else None
    if previous is not None and timeline.kind(previous) == "line":
        explained = replace(explained, rule=[*explained.rule, statement(timeline, previous)])
    return replace(explained, notes=notes, next=runs_next(timeline, step, timeline.steps if limit is None else limit))


def _ran(timeline: Timeline, step: int, choose: Choose | None) -> Explained:
    """Explain what a step ran."""
    if timeline.kind(step) == "node":
        summary = summarize_node(timeline, step)
        if summary is None:
            return Explained(step, [[(_("a node that is not in the recording ran"), "quiet")]])
        return _node(timeline, step, summary, choose)
    matrices = matrices_of(timeline, step) if choose is not None or timeline.kind(step) == "op" else []
    chosen = None if choose is None else choose(matrices)
    if timeline.kind(step) != "op":
        return _with_element(timeline, Explained(step, [what_runs(timeline, step)]), chosen)
    rule, numbers = op_phrases(timeline, step)
    product = op_product(timeline, step)
    explained = Explained(step, rule, numbers, product=product)
    if chosen is None and product is not None and matrices:
        chosen = matrices[0], default_element(timeline, matrices[0])
    return _with_element(timeline, explained, chosen)


def _node(timeline: Timeline, step: int, summary: NodeSummary, choose: Choose | None) -> Explained:
    """Explain a node: one gradient that it sent first, the chosen one, or else that of a leaf."""
    matrices = matrices_of(timeline, step)
    chosen = None if choose is None else choose(matrices)
    if chosen is None:
        matrix = _matrix_to_show(timeline, step, summary, matrices)
        chosen = None if matrix is None else (matrix, default_element(timeline, matrix))
    place = None if chosen is None else chosen[0].place
    rule, numbers = node_phrases(summary, place)
    return _with_element(timeline, Explained(step, rule, numbers, product=node_product(summary, place)), chosen)


def _matrix_to_show(timeline: Timeline, step: int, summary: NodeSummary, matrices: Sequence[Matrix]) -> Matrix | None:
    """Return the gradient, of those that a node sent, of which an element is to be worked out: that of the right factor
    of a matrix product, where weights are, else that of a leaf."""
    state = timeline.moment(step)
    candidates = {matrix.place: matrix for matrix in matrices if shown_element(summary, matrix.place)}
    targets = {claim.place: state.tensors.get(claim.share.target.tensor or 0) for claim in summary.claims}
    leaves = [place for place, tensor in targets.items() if tensor is not None and tensor.is_leaf]
    weights = [claim.place for claim in summary.claims if claim.share.factors and claim.share.factors[1].grid is None]
    return next((candidates[place] for place in [*weights, *leaves, *candidates] if place in candidates), None)


def _with_element(timeline: Timeline, explained: Explained, chosen: tuple[Matrix, int] | None) -> Explained:
    """Add the element that is worked out."""
    if chosen is None:
        return explained
    matrix, element = chosen
    product = explained.product
    if product is not None:
        product = replace(product, chosen=element)
    return replace(explained, product=product, element=partial(work_out, timeline, matrix, element))


def _optimizer(timeline: Timeline, step: int, reports: Sequence[OptimizerReport], choose: Choose | None) -> Explained:
    """Explain a step of an optimizer by one weight: the chosen one, or else the one that moved most."""
    last = reports[-1]
    chosen = None if choose is None else choose(matrices_of(timeline, step))
    weight = (chosen[0].place, chosen[1]) if chosen is not None and chosen[0].kind == "parameter" else None
    if not last.event.updates or len(reports) > 1:
        return Explained(step, [[(describe_report(timeline, report), "value")] for report in reports])
    weight = weight or most_moved(timeline, last)
    update = explain_update(timeline, step, *weight)
    if len(update) < 2:  # the formula is not known, or does not give these numbers
        return Explained(step, [[(describe_report(timeline, last), "value")]])
    name, computations, formula = update[0][2], update[1:], update[-1]
    at = next(place for place, (_text, role) in enumerate(formula) if role == "code")
    rule: list[Phrase] = [[(f"{last.event.optimizer}.step", "node")], [name, (" = ", "quiet"), formula[at]]]
    more = len(last.event.updates) - 1 + last.event.left_out
    rule += [[(ngettext("{count} more parameter", "{count} more parameters", more), "quiet")]] if more else []
    return Explained(step, rule, [[name, *formula[at + 1 :]], *computations[:-1]])
