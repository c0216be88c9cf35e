"""What else is to be said at a step: what it did to tensors that nodes keep, what an optimizer did up to it, what a
second pass would find.

One line in words and numbers for each kind of step, from the recording alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tutor.explain import formatting, mistakes
from tutor.explain.formatting import Part, close, label, lost_leaf
from tutor.explain.mistakes.silent import broadcast_warning, unoptimized_at_accumulation, unoptimized_at_step
from tutor.explain.node import node_line, node_plain, parts_told, summarize_node
from tutor.explain.nonfinite import first_made
from tutor.explain.operation import op_line, op_plain
from tutor.explain.optimizers import cleared, says, steps_told
from tutor.explain.outcomes import ended, full_before, full_line, full_plain, message
from tutor.explain.provenance import readable
from tutor.explain.saved_tensors import broken, saved_nothing, says_broken, second_pass, touched, unseen, unseen_at
from tutor.explain.transforms import named
from tutor.explain.verify import adds_up
from tutor.i18n import N_, _, ngettext
from tutor.trace import events as ev
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
        lost, alone = lost_leaf(timeline, step), unoptimized_at_accumulation(timeline, step)
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
    quiet = (
        unoptimized_at_step(timeline, step) if stepped else None,
        broadcast_warning(timeline, step) if kind == "op" else None,
    )
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


def line(timeline: Timeline, step: int) -> list[Part]:
    """The line that explains a step, in pieces with their roles (`words.ROLES`); empty before the first step."""
    if not 1 <= step <= timeline.steps:
        return []
    said = _LINES[timeline.kind(step)](timeline, step)
    return said + [part for text, role in notes(timeline, step) for part in ((" · ", "quiet"), (text, role))]


def plain(timeline: Timeline, step: int) -> str:
    """The same as one text to be read aloud: the `text` of a step in JSON."""
    if not 1 <= step <= timeline.steps:
        return ""
    kind = timeline.kind(step)
    said = _PLAIN.get(kind)
    if said is not None:
        text = said(timeline, step)
    else:
        text = "".join(part for part, _ in _LINES[kind](timeline, step)).replace(" · ", _(", "))
    more = formatting.listed([note for note, _ in notes(timeline, step)])
    if more and kind == "line":  # after code, which may end in anything
        return _("{said} ({more})", said=text, more=more)
    return formatting.listed([text.removesuffix(".").removesuffix("。"), more]) if more else text


# ---------------------------------------------------------------- the learner's code


def _cell(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.CellStart)
    parts: list[Part] = [(_("cell {number} begins", number=event.cell), "plain")]
    if event.knobs:
        parts += formatting.laid(_(", with {settings}"), "quiet", settings=(_settings(event.knobs), "value"))
    return parts


def _settings(knobs: dict[str, object]) -> str:
    return formatting.joined([f"{name} = {formatting.number(held)}" for name, held in knobs.items()])


_OUTCOMES = {
    "ok": N_("cell {number} is done"),
    "failed": N_("cell {number} has failed"),
    "exited": N_("cell {number} has ended the program"),
    "stopped": N_("cell {number} was stopped"),
    "died": N_("cell {number} has died"),
}


def _cell_end(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.CellEnd)
    said = _(_OUTCOMES.get(event.outcome, N_("cell {number} {outcome}")), number=event.cell, outcome=event.outcome)
    how = formatting.code(ended(event), 200)
    parts = [(f"{said}: {how}" if how else said, "error" if event.outcome in ("failed", "died") else "plain")]
    full = full_before(timeline, step)
    return [*parts, (" · ", "quiet"), (full, "error")] if full else parts


def _line(timeline: Timeline, step: int) -> list[Part]:
    view = timeline.view(step)
    parts: list[Part] = [(_("line {number}", number=view.line), "quiet"), (" · ", "quiet")]
    parts.append((formatting.first_line(view.code), "code"))
    return parts + _place(timeline, step)


def _place(timeline: Timeline, step: int) -> list[Part]:
    """In which function and turn of a loop, where there is something to say."""
    where = _where(timeline, step)
    return [(f" · {where}", "quiet")] if where else []


def _where(timeline: Timeline, step: int) -> str:
    view = timeline.view(step)
    inside = view.function and view.function != "<module>"
    said = [_("in {function}", function=view.function)] if inside else []
    said += [_("turn {number}", number=view.iteration)] if view.iteration else []
    return _(", ").join(said)


def _line_plain(timeline: Timeline, step: int) -> str:
    view = timeline.view(step)
    where, code = _where(timeline, step), formatting.first_line(view.code)
    if where:
        return _("Line {number}, {where}: {code}", number=view.line, where=where, code=code)
    return _("Line {number}: {code}", number=view.line, code=code)


# ---------------------------------------------------------------- the backward pass


def _backward(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Backward)
    roots = _roots(timeline, step, event)
    given = formatting.joined([formatting.value(item) for item in event.gradient if item is not None])
    parts = formatting.laid(
        _("{backward} begins at {roots} with gradient {gradient}"), "quiet",
        backward=(_("backward pass {number}", number=event.number), "node"), roots=(roots, "value"),
        gradient=(given or "1.0", "grad"),
    )  # fmt: skip
    said = [_("keeps its graph")] if event.retain_graph else []
    said += [_("makes a graph of its own")] if event.create_graph else []
    return parts + ([(" · " + _(", ").join(said), "quiet")] if said else [])


def _roots(timeline: Timeline, step: int, event: ev.Backward) -> str:
    state, code, said = timeline.moment(step), timeline.view(step).code or "", []
    for root in event.roots:
        tensor, name = state.tensors.get(root), label(state, root) or ""
        if name.startswith("%") and len(event.roots) == 1 and code.partition(".backward(")[1]:
            name = formatting.code(code.rpartition(".backward(")[0])
        elif name.startswith("%"):
            name = readable(timeline, step, root)
        said.append(name if tensor is None else f"{name} = {formatting.value(tensor.value, tensor.dtype)}")
    return formatting.joined(said) or _("nothing")


def _backward_end(timeline: Timeline, step: int) -> list[Part]:
    event, last = timeline.event(step), timeline.state(step).last_pass
    assert isinstance(event, ev.BackwardEnd)
    if not event.ok:
        return [(_("backward pass {number} was broken off", number=event.number), "error")]
    count = len(last.ran) if last is not None else 0
    ran = ngettext("{count} node ran", "{count} nodes ran", count)
    kept = last is not None and last.retain_graph
    after = _("its graph is kept") if kept else _("what its nodes had saved is let go")
    if not kept and saved_nothing(timeline.state(step)):
        after = _("its nodes had saved nothing")
    over: Part = (_("backward pass {number} is over", number=event.number), "node")
    return [over, (" · ", "quiet"), (ran, "quiet"), (" · ", "quiet"), (after, "quiet")]


@dataclass(frozen=True)
class _Accumulated:
    """A leaf's gradient was written, in words."""

    name: str
    old: str
    shares: list[str]
    """The parts of what came, where they are several, can be written out and add up to it."""
    came: str
    now: str
    sums: bool
    """Whether what was there and what came add up to what is there now."""


def _accumulate(timeline: Timeline, step: int) -> list[Part]:
    told = _accumulated(timeline, step)
    parts: list[Part] = [("AccumulateGrad", "node"), (" · ", "quiet"), (f"{told.name}.grad", "leaf"), (" = ", "quiet")]
    if not told.sums:
        was = _("it was {old}, and {gradient} arrived", old=told.old, gradient=told.came)
        parts += [(told.now, "grad"), (f" · {was}", "quiet")]
    else:
        parts.append((f"{told.old} + {formatting.term(told.came)} = {told.now}", "grad"))
    return parts + (
        [(" · ", "quiet"), (_("{gradient} arrived", gradient=_arrived(told)), "grad")] if told.shares else []
    )


def _accumulated(timeline: Timeline, step: int) -> _Accumulated:
    event = timeline.event(step)
    assert isinstance(event, ev.Accumulate)
    before, after = timeline.state(step - 1), timeline.moment(step)
    tensor = before.tensors.get(event.tensor)
    held = before.tensors.get(tensor.grad) if tensor is not None and tensor.grad is not None else None
    old = "None" if held is None else formatting.value(held.value, held.dtype)
    dtype = tensor.dtype if tensor is not None else "float32"
    shares = parts_told(after, event.node, [event.incoming], dtype)
    summed = [event.incoming] if held is None else [held.value, event.incoming]
    return _Accumulated(
        readable(timeline, step, event.tensor), old, shares, formatting.value(event.incoming, dtype),
        formatting.value(event.new, dtype), adds_up(summed, event.new, dtype) is not False,
    )  # fmt: skip


def _accumulate_plain(timeline: Timeline, step: int) -> str:
    told = _accumulated(timeline, step)
    summed = told.old != "None" and told.sums
    now = f"{told.old} + {formatting.term(told.came)} = {told.now}" if summed else told.now
    return _(
        "{name}.grad was {old}; {gradient} arrives; it is now {new}.",
        name=told.name, old=told.old, gradient=_arrived(told), new=now.removesuffix("."),
    )  # fmt: skip


def _arrived(told: _Accumulated) -> str:
    return f"{formatting.added(told.shares)} = {told.came}" if told.shares else told.came


def _captured(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Captured)
    name = readable(timeline, step, event.tensor)
    gradient = formatting.value(event.value, _dtype(timeline, step, event.tensor))
    said = formatting.laid(
        _("{function} returns {gradient}"), "quiet", function=("autograd.grad", "node"), gradient=(gradient, "grad")
    )
    return [*said, (_(" for {tensor}", tensor=name), "plain")]


def _retained(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Retained)
    name = readable(timeline, step, event.tensor)
    said: list[Part] = [("retain_grad", "node"), (" · ", "quiet"), (f"{name}.grad", "leaf"), (" = ", "quiet")]
    return [*said, (formatting.value(event.value, _dtype(timeline, step, event.tensor)), "grad")]


def _hook(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.HookRan)
    state = timeline.state(step)
    node = None if event.node is None else state.nodes.get(event.node)
    what, tensor = _("the gradient"), event.tensor
    where = readable(timeline, step, tensor) if event.node is None else ""
    if event.node is not None:
        where = _("a node") if node is None else node.name
        source = node.inputs[event.input] if node is not None and event.input is not None else None
        fed = state.nodes.get(source[0]) if source is not None else None
        made = None if fed is None or fed.tensor is None else readable(timeline, step, fed.tensor)
        name = None if fed is None else made or fed.name
        what = _("what it sends to {target}", target=name) if name else _("what it sends")
        what = _("what reaches it") if event.input is None else what
        tensor = fed.tensor if fed is not None and fed.tensor is not None else 0
    dtype = _dtype(timeline, step, tensor)
    before, after = formatting.value(event.before, dtype), formatting.value(event.after, dtype)
    hook = (_("hook {name}", name=event.hook), "node")
    said = formatting.laid(_("{hook} on {tensor}"), "plain", hook=hook, tensor=(where, "plain"))
    told = _("{hook} leaves {what} as it is: {value}") if before == after else _("{hook} changes {what}: {value}")
    value = before if before == after else f"{before} → {after}"
    return formatting.laid(told, "quiet", hook=said, what=(what, "quiet"), value=(value, "grad"))


def _dtype(timeline: Timeline, step: int, tensor: int) -> str:
    held = timeline.state(step).tensors.get(tensor)
    return "float32" if held is None else held.dtype


# ---------------------------------------------------------------- all else


def _node(timeline: Timeline, step: int) -> list[Part]:
    told = summarize_node(timeline, step)
    return [(_("a node that is not in the recording ran"), "quiet")] if told is None else node_line(told)


def _node_plain(timeline: Timeline, step: int) -> str:
    told = summarize_node(timeline, step)
    return _("A node that is not in the recording ran.") if told is None else node_plain(told)


def _failed(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Failed)
    said = formatting.code(message(event), 200)
    parts: list[Part] = [(event.error, "error"), (f": {said}" if said else "", "error")]
    return [*parts, (" · " + _("caught by the code around it"), "quiet")] if event.caught else parts


def _failed_plain(timeline: Timeline, step: int) -> str:
    event = timeline.event(step)
    assert isinstance(event, ev.Failed)
    said = formatting.code(message(event), 400)
    said = f"{event.error}: {said}" if said else event.error
    why = mistakes.explanation(timeline, step)
    return f"{said} {why}" if why else said


_LINES: dict[str, Callable[[Timeline, int], list[Part]]] = {
    "cell": _cell, "cell_end": _cell_end, "line": _line, "op": op_line, "backward": _backward,
    "backward_end": _backward_end, "node": _node, "accumulate": _accumulate, "captured": _captured,
    "retained": _retained, "hook": _hook, "failed": _failed, "cut": full_line,
}  # fmt: skip
_PLAIN: dict[str, Callable[[Timeline, int], str]] = {
    "line": _line_plain, "op": op_plain, "node": _node_plain, "accumulate": _accumulate_plain, "failed": _failed_plain,
    "cut": full_plain,
}  # fmt: skip
