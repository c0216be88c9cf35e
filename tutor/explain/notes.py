"""What else is to be said at a step: what it did to tensors that nodes keep, what an optimizer did up to it, what a
second pass would find."""

from __future__ import annotations

from tutor.explain.called import lost_leaf
from tutor.explain.keeping import broken, says_broken, second_pass, touched
from tutor.explain.nonfinite import first_made
from tutor.explain.optimizing import cleared, says, steps_told
from tutor.explain.spreading import spread
from tutor.explain.transforms import named
from tutor.explain.unoptimized import at_accumulation, at_step
from tutor.explain.unseen import unseen, unseen_at
from tutor.explain.words import Part, close
from tutor.i18n import _
from tutor.trace import navigation
from tutor.trace.events import BackwardEnd, Gap
from tutor.trace.timeline import Timeline

_NO_CHANGE = ("cell", "node", "backward", "backward_end")


def notes(timeline: Timeline, step: int) -> list[Part]:
    """Sentences for a step, each with its role, after what its own line says."""
    runs = named(timeline, step)
    said: list[Part] = [] if runs is None else [(runs, "quiet")]
    if any(isinstance(aside.event, Gap) and aside.event.why == "elsewhere" for aside in timeline.asides_at(step)):
        said.append((_("other processes start here: what runs in them is not recorded"), "error"))
    return [(close(text), role) for text, role in said + _noted(timeline, step)]


def _noted(timeline: Timeline, step: int) -> list[Part]:
    kind = timeline.kind(step)
    if timeline.cut is not None and step >= timeline.cut:
        return []  # of what led there only the end is known
    if kind == "node":
        found = (unseen_at(timeline, step), first_made(timeline, step))
        return [(said, "error") for said in found if said is not None]
    if kind == "accumulate":
        lost, alone = lost_leaf(timeline, step), at_accumulation(timeline, step)
        said: list[Part] = [] if lost is None else [(lost, "error")]
        return said if alone is None else [*said, (alone, "quiet")]
    if kind == "backward_end":
        event = timeline.event(step)
        again = second_pass(timeline.state(step)) if isinstance(event, BackwardEnd) and event.ok else None
        return [] if again is None else [(again, "quiet")]
    zeroed = cleared(timeline, step)
    said = [] if zeroed is None else [(zeroed, "grad")]
    stepped = steps_told(timeline, step)
    said += [(says(timeline, told), "value") for told in stepped]
    quiet = (at_step(timeline, step) if stepped else None, spread(timeline, step) if kind == "op" else None)
    said += [(one, "quiet") for one in quiet if one is not None]
    return said if kind in _NO_CHANGE else said + _changes(timeline, step)


def _changes(timeline: Timeline, step: int) -> list[Part]:
    """What changed under a node that keeps it, since the step that one comes from when one walks over composites."""
    since = step - 1
    if not timeline.columns.depths[step - 1]:
        since = navigation.back(timeline, step, inside=0) or 0
    changed = touched(timeline, since, step)
    if not changed:
        return []
    said = says_broken(timeline, step, broken(timeline, since, step, changed))
    return said + unseen(timeline, since, step, changed)
