"""What is said of a problem, and of the end of a run that went well: the cause first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tutor.explain import describe_end, explanation, formatting, message
from tutor.explain.formatting import TensorNames, close_wide
from tutor.i18n import N_, _, ngettext
from tutor.trace.events import Failed
from tutor.trace.names import PARAMETER
from tutor.trace.number_format import number

if TYPE_CHECKING:
    from tutor.study.model import Model
    from tutor.study.problems import Problem
    from tutor.trace.timeline import Timeline

_NAMED = 3
"""Most parameters that are named; the others are counted."""
_LONGEST = 500
"""Most characters of a message."""


@dataclass(frozen=True)
class Card:
    """What is shown beside a step."""

    kind: Literal["failed", "nonfinite", "silent", "end"]
    title: str
    """In one line: torch's message, or what was found."""
    texts: tuple[tuple[str, str], ...]
    """Sentences with their roles, the most important first."""
    leads: bool = False
    """Whether the key of problems leads from here to the step that made it inevitable."""


def card_at(model: Model) -> Card | None:
    """Return the card of the cursor's step; None if it has none."""
    problem = model.problem
    if problem is not None and problem.kind == "failed":
        return _failure_card(model, problem)
    if problem is not None and problem.origin is not None:
        return _nonfinite_card(model, problem)
    if problem is not None:
        return _silent_card(model, problem)
    is_over = model.timeline.run_end is not None and model.timeline.run_end.outcome == "ok"
    if is_over and model.cursor == model.timeline.steps and not model.gate.has_prose:
        return _end_card(model)
    return None


def _failure_card(model: Model, problem: Problem) -> Card:
    timeline, step = model.timeline, problem.step
    event = timeline.event(step)
    assert isinstance(event, Failed)
    end = timeline.run_end
    texts = []
    why = explanation(timeline, step)
    if why is not None:
        texts.append((why, "strong"))
    made_inevitable = model.problems.cause(problem)
    if made_inevitable is not None:
        texts.append((_inevitable_since(timeline, made_inevitable), "plain"))
    elif why is None and end is not None and end.outcome == "died":
        texts.append((describe_end(end), "plain"))
    elif why is None:
        texts.append((_("It happened at {place}.", place=_place(timeline, step)), "plain"))
    if event.caught:
        texts.append((_("The program caught this error and went on."), "quiet"))
    return Card(
        "failed",
        formatting.code(f"{event.error}: {message(event)}", _LONGEST),
        tuple(texts),
        made_inevitable is not None,
    )


def _inevitable_since(timeline: Timeline, step: int) -> str:
    return _("Inevitable since {place}.", place=_place(timeline, step))


def _place(timeline: Timeline, step: int) -> str:
    """Return `step 7, line 5: y = x * 2`."""
    view = timeline.view(step)
    if view.line is None:
        return _("step {step}", step=step)
    return _("step {step}, line {line}: {code}", step=step, line=view.line, code=formatting.code(view.code))


def _nonfinite_card(model: Model, problem: Problem) -> Card:
    assert problem.origin is not None
    report = model.problems.report(problem.origin)
    is_first = all(other.origin is None or other.step >= problem.step for other in model.problems.all(problem.step))
    title = N_("the first {kind}") if is_first else N_("another {kind}")
    texts = [(_("{sentence}.", sentence=report.sentence), "strong")]
    if report.chain:
        texts.append((_("From here: {chain}", chain=report.chain), "plain"))
    if report.fix:
        texts.append((_("Perhaps: {fix}.", fix=report.fix), "plain"))
    return Card("nonfinite", _(title, kind=problem.origin.name), tuple(texts))


def _silent_card(model: Model, problem: Problem) -> Card:
    made_inevitable = model.problems.cause(problem)
    texts = []
    for diagnosis in model.problems.mistakes(problem.step):
        texts.append((close_wide(_("{sentence}.", sentence=diagnosis.sentence)), "strong"))
        if diagnosis.step is not None and diagnosis.step == made_inevitable:
            texts.append((_inevitable_since(model.timeline, diagnosis.step), "plain"))
        if diagnosis.fix:
            texts.append((close_wide(_("{sentence}.", sentence=diagnosis.fix)), "plain"))
    return Card("silent", _("a mistake that raises no error here"), tuple(texts), made_inevitable is not None)


# ---------------------------------------------------------------- the end of a run


def _end_card(model: Model) -> Card:
    timeline = model.timeline
    facts = [ngettext("{count:,} step", "{count:,} steps", timeline.steps)]
    if timeline.passes:
        facts.append(ngettext("{count:,} backward pass", "{count:,} backward passes", len(timeline.passes)))
    texts = [(formatting.joined(facts) + _loss(timeline), "strong")]
    without = _without_gradient(model)
    if without:
        texts.append((without, "plain"))
    problems = model.problems.all()
    if problems:
        hint = ngettext(
            "{count} place is marked: ! goes there.", "{count} places are marked: ! goes there.", len(problems)
        )
        texts.append((hint, "plain"))
    elif timeline.passes:
        texts.append((_("B goes to the last backward pass."), "quiet"))
    return Card("end", _("the end of the run"), tuple(texts))


def _loss(timeline: Timeline) -> str:
    """Return ` · loss 15.8 → 13.5` of the first curve; empty without one."""
    for name, points in timeline.series.items():
        if len(points) > 1 and math.isfinite(points[0].value) and math.isfinite(points[-1].value):
            first, last = number(points[0].value), number(points[-1].value)
            return _(" · {name} {first} → {last}", name=name, first=first, last=last)
    return ""


def _without_gradient(model: Model) -> str:
    """Return which parameters took part in no backward pass, as the last pass saw them; empty if all did."""
    timeline = model.timeline
    if not timeline.passes:
        return ""
    state = timeline.state(timeline.passes[-1].start_step)
    names = TensorNames(state)
    trained = [
        tensor
        for tensor in state.tensors.values()
        if tensor.requires_grad and tensor.is_leaf and tensor.class_name == PARAMETER
    ]
    without = [tensor for tensor in trained if tensor.tensor not in model.problems.nonfinite.with_gradient]
    if not without:
        return ""
    listed = [names(tensor.tensor) or _("one without a name") for tensor in without[:_NAMED]]
    text = formatting.joined(listed) if len(without) <= _NAMED else f"{', '.join(listed)} …"
    template = N_("Never got a gradient: {names} ({count} of {all} parameters).")
    return _(template, names=text, count=len(without), all=len(trained))
