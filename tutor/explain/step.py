"""Explain each kind of step in one line of words and numbers, and what else happened there.

That is optimizer steps, mistakes that raise no exception, how a cell, a run or an exercise ended, and where a
recording became full.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

import msgspec

from tutor.explain import formatting, mistakes
from tutor.explain.formatting import Part, close_wide, label
from tutor.explain.mistakes.registry import diagnose_step
from tutor.explain.node import incoming_parts, node_plain, summarize_node
from tutor.explain.operation import op_plain
from tutor.explain.optimizers import OptimizerReport, describe_report, describe_zero_grad, finished_steps
from tutor.explain.provenance import readable_name
from tutor.explain.saved_tensors import saved_nothing
from tutor.explain.verify import adds_up
from tutor.i18n import N_, _, current_language, ngettext
from tutor.lesson.model import in_language
from tutor.text_width import last_written
from tutor.trace import events as ev
from tutor.trace.command import signal_name
from tutor.trace.events import Gap
from tutor.trace.number_format import equals, equation, inline, number
from tutor.trace.timeline import Timeline

_IN_A_PASS = ("node", "accumulate", "backward_end")


_SIGNALS = {
    "SIGSEGV": N_("it touched memory that is not its own (a segmentation fault)"),
    "SIGKILL": N_("something killed it (out of memory?)"),
    "SIGABRT": N_("C code gave up (abort)"),
}


def describe_end(end: ev.CellEnd | ev.RunEnd) -> str:
    """Return how a cell or a run ended, and at which statement; empty where its outcome says all."""
    if end.note:  # in the recording's own words: a file that was refused, or what an older gradtutor wrote
        return end.note
    if end.outcome == "died":
        name = signal_name(end.status - 128)
        if end.place:  # it stands before the reason, for a line may be cut at its end
            text = N_("the process died of {name} at {place}: {how}")
            return _(text, name=name, place=end.place, how=_signal_text(name))
        return _("the process died of {name}: {how}", name=name, how=_signal_text(name))
    reason = (
        _("the program ended itself with exit status {status}", status=end.status) if end.outcome == "exited" else ""
    )
    if reason and end.place:
        return _("{how}, at {place}", how=reason, place=end.place)
    return _("at {place}", place=end.place) if end.place else reason


def message(event: ev.Failed) -> str:
    """Return the text of an exception; for a signal that ended the process, its meaning."""
    if event.error == "TraceError":  # ours, where a part of a recording is damaged
        return _(event.message)
    return event.message or (_signal_text(event.error) if event.error.startswith(("SIG", "signal ")) else "")


def _signal_text(name: str) -> str:
    return _(_SIGNALS.get(name, N_("a signal ended it")))


_CHECK_FAILURES = {
    "stopped": (N_("Your code stopped with {error}."), N_("Your code stopped with {error}: {said}")),
    "name": (N_("There is no `{error}`: your code does not define it."),) * 2,
    "check": (N_("The check could not run: {error}."), N_("The check could not run: {error}: {said}")),
    "solution": (N_("the solution stopped with {error}"), N_("the solution stopped with {error}: {said}")),
}


def describe_check_failure(checked: ev.Checked) -> str:
    """Return why an exercise's check failed; empty where it passed, or gives no reason."""
    text = checked.message if isinstance(checked.message, str) else in_language(checked.message, current_language())
    texts = _CHECK_FAILURES.get(checked.how)
    return text if texts is None else _(texts[bool(text)], error=checked.error, said=formatting.code(text, 4000))


_SHORTER_RUN = N_("A shorter run is recorded whole: fewer iterations, or less data.")


def cut_line(timeline: Timeline, step: int) -> list[Part]:
    """Return the line of the step at which the recording was full, or had all that was asked for."""
    event = timeline.event(step)
    option = _option_of(event)
    if option:
        parts: list[Part] = [(_("the recording ends here, by {option}", option=option), "value")]
        return [*parts, (f" · {cut_location(timeline, step)}", "plain"), (f" · {_what_follows(timeline)}", "quiet")]
    parts = [(_("the recording is full here"), "error"), (f" · {cut_location(timeline, step)}", "plain")]
    parts.append((f" · {_what_follows(timeline)}", "plain"))
    return [*parts, (" · " + _("a shorter run is recorded whole: fewer iterations, or less data"), "quiet")]


def cut_text(timeline: Timeline, step: int) -> str:
    """Return the same as sentences."""
    event = timeline.event(step)
    assert isinstance(event, ev.Cut)
    location, follows = cut_location(timeline, step), _what_follows(timeline)
    option = _option_of(event)
    if option:
        template = N_("The recording ends here, by {option}, at {place}; {follows}.")
        return _(template, option=option, place=location, follows=follows)
    template = N_("The recording is full here, at {place}, after {count:,} events; {follows}. {help}")
    if event.reason == "bytes":
        template = N_(
            "The recording is full here, at {place}: it has the most bytes that it may have; {follows}. {help}"
        )
    return _(template, place=location, count=event.events, follows=follows, help=_(_SHORTER_RUN))


def _option_of(event: ev.Event) -> str:
    """Return the option by which a recording was cut; empty where it was full."""
    return f"--{event.reason}" if isinstance(event, ev.Cut) and event.reason in ev.ASKED else ""


def describe_earlier_cut(timeline: Timeline, step: int) -> str | None:
    """Return where the recording became full, at a later step; None where it is whole up to there."""
    cut = timeline.cut
    if cut is None or step <= cut:
        return None
    place, option = cut_location(timeline, cut), _option_of(timeline.event(cut))
    if option:
        text = N_("the recording ended at step {step}, at {place}, by {option}")
        return _(text, step=f"{cut:,}", place=place, option=option)
    return _("the recording was full at step {step}, at {place}", step=f"{cut:,}", place=place)


def cut_location(timeline: Timeline, step: int) -> str:
    """Return where a recording became full: `line 13, iteration 11,968 of the loop`."""
    view = timeline.view(step)
    event = view.event
    assert isinstance(event, ev.Cut)
    if view.line is None:
        return _("a place that is not in the recording")
    text = _("line {number}", number=view.line)
    if view.site is not None and view.site.file != 1 and view.file is not None:
        text = _("line {number} of {file}", number=view.line, file=PurePath(view.file).name)
    if len(event.iterations) == 1:
        return _("{line}, iteration {number:,} of the loop", line=text, number=event.iterations[0])
    if event.iterations:
        numbers = " › ".join(f"{number:,}" for number in event.iterations)
        return _("{line}, iteration {numbers} of the loops", line=text, numbers=numbers)
    return text


def _what_follows(timeline: Timeline) -> str:
    if timeline.has_end_state:
        return _("what follows is the end of the run")
    if timeline.run_end is None:
        return _("the run goes on, and is not recorded")
    return _("what ran after this is not recorded")


# ---------------------------------------------------------------- steps


def describe_side_effects(timeline: Timeline, step: int) -> list[Part]:
    """Return sentences on what else happened at a step, each with its role."""
    if _is_without_optimizer(timeline, step):
        return warnings(timeline, step)
    reports = [close_wide(describe_report(timeline, report)) for report in reports_at(timeline, step)]
    return [*cleared(timeline, step), *((text, "value") for text in reports), *warnings(timeline, step)]


def cleared(timeline: Timeline, step: int) -> list[Part]:
    """Return which gradients an optimizer cleared before this step."""
    text = None if _is_without_optimizer(timeline, step) else describe_zero_grad(timeline, step)
    return [] if text is None else [(close_wide(text), "grad")]


def reports_at(timeline: Timeline, step: int) -> list[OptimizerReport]:
    """Return the steps of optimizers that are over at this step."""
    return [] if _is_without_optimizer(timeline, step) else finished_steps(timeline, step)


def _is_without_optimizer(timeline: Timeline, step: int) -> bool:
    return timeline.kind(step) in _IN_A_PASS or (timeline.cut is not None and step >= timeline.cut)


def warnings(timeline: Timeline, step: int) -> list[Part]:
    """Return what is wrong at a step that raises nothing, and what is not recorded."""
    parts: list[Part] = []
    if any(
        isinstance(side_event.event, Gap) and side_event.event.why == "elsewhere"
        for side_event in timeline.side_events_at(step)
    ):
        parts.append((_("other processes start here: what runs in them is not recorded"), "error"))
    for diagnosis in diagnose_step(timeline, step):
        parts.append((formatting.listed([diagnosis.sentence, diagnosis.fix]), diagnosis.role))
    return [(close_wide(text), role) for text, role in parts]


def what_runs(timeline: Timeline, step: int) -> list[Part]:
    """Return what a step ran, on one line; not of a node. Of a statement, which is about to run, its code."""
    return _LINES[timeline.kind(step)](timeline, step)


def runs_next(timeline: Timeline, step: int, limit: int) -> list[Part]:
    """Return what runs next, without what comes of it: the statement that is about to run, or what follows the step.
    Empty at the end, and where that is not recorded."""
    if timeline.kind(step) == "line":
        return _line(timeline, step)
    following = step + 1
    if following > timeline.steps:
        return []
    if following > limit:
        return [(_("a question"), "plain")]
    kind, view = timeline.kind(following), timeline.view(following)
    if kind == "line":
        return _line(timeline, following)
    if kind == "op" and view.site is not None and view.site.op == ev.LOAD:
        return [(_("a batch is loaded"), "plain")]
    if kind == "op" and view.site is not None:
        name, inside = view.site.op or "", (view.site.parent or "torch") if view.site.depth else ""
        if inside:
            return [(name, "node"), (_(" in {composite}", composite=inside), "quiet")]
        return [(name, "node"), (" · ", "quiet"), (formatting.code(view.code), "code")]
    if kind == "node":
        node = timeline.state(following).nodes.get(getattr(view.event, "node", 0))
        return [] if node is None else [(node.name, "node")]
    if kind == "accumulate":
        tensor = getattr(view.event, "tensor", 0)
        return [("AccumulateGrad", "node"), (" · ", "quiet"), (readable_name(timeline, step, tensor), "leaf")]
    if kind == "cell_end":
        text = (
            _("the end of the script") if _has_one_cell(timeline) else _("the end of cell {number}", number=view.cell)
        )
        return [(text, "plain")]
    return [(_(_NEXT[kind]), "plain")] if kind in _NEXT else []


_NEXT = {
    "cell": N_("the next cell begins"), "backward": N_("a backward pass"), "backward_end": N_("the end of the pass"),
    "failed": N_("an error"), "captured": N_("a gradient is captured"), "retained": N_("a gradient is retained"),
    "hook": N_("a hook runs"), "cut": N_("the recording is full"), "asked": N_("a line is read"),
}  # fmt: skip


def statement(timeline: Timeline, step: int) -> list[Part]:
    """Return the line and the code of a statement."""
    view = timeline.view(step)
    head: Part = (_("line {number}", number=view.line), "quiet")
    return [head, (" · ", "quiet"), (formatting.first_line(view.code), "code")]


def plain(timeline: Timeline, step: int) -> str:
    """Return the line of a step as one text: the `text` of a step in JSON."""
    if not 1 <= step <= timeline.steps:
        return ""
    kind = timeline.kind(step)
    text_of_kind = _PLAIN.get(kind)
    if text_of_kind is not None:
        text = text_of_kind(timeline, step)
    else:
        text = "".join(part for part, _ in _LINES[kind](timeline, step)).replace(" · ", _(", "))
    notes = formatting.listed([note for note, _ in describe_side_effects(timeline, step)])
    if notes and kind == "line":  # after code, which may end in anything
        return _("{said} ({more})", said=text, more=notes)
    return formatting.listed([text.removesuffix(".").removesuffix("。"), notes]) if notes else text


# ---------------------------------------------------------------- the learner's code


def _skipped(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Skipped)
    if event.function:
        text = N_("calls {first:,} to {last:,} of {function}: no tensors, not recorded")
        if event.first == event.last:
            text = N_("call {first:,} of {function}: no tensors, not recorded")
        if event.touched:
            text = N_("calls {first:,} to {last:,} of {function}: no tensors up to here, not recorded")
        return [(_(text, first=event.first, last=event.last, function=event.function), "quiet")]
    if event.why:
        option = f"--{event.why}"
        if not event.count:
            return [(_("up to here: not recorded, by {option}", option=option), "quiet")]
        count = event.count or event.last - event.first + 1
        if count != event.last - event.first + 1:
            text = N_("{count:,} iterations of this loop: not recorded, by {option}")
            return [(_(text, count=count, option=option), "quiet")]
        text = N_("iterations {first:,} to {last:,}: not recorded, by {option}")
        if count == 1:
            text = N_("iteration {first:,}: not recorded, by {option}")
        return [(_(text, first=event.first, last=event.last, option=option), "quiet")]
    text = N_("iterations {first:,} to {last:,}: no tensors, not recorded")
    if event.first == event.last:
        text = N_("iteration {first:,}: no tensors, not recorded")
    if event.touched:
        text = N_("iterations {first:,} to {last:,}: no tensors up to here, not recorded")
    return [(_(text, first=event.first, last=event.last), "quiet")]


def _mark(timeline: Timeline, step: int) -> list[Part]:
    return [(_("breakpoint(): a mark here, the program runs on"), "plain")]


def answer_to(timeline: Timeline, step: int) -> ev.Answered | None:
    """Return what was typed when the program asked for a line at this step; None while it waits."""
    events = (aside.event for aside in timeline.side_events_at(step))
    return next((event for event in events if isinstance(event, ev.Answered)), None)


def _asked(timeline: Timeline, step: int) -> list[Part]:
    event, answer = timeline.event(step), answer_to(timeline, step)
    assert isinstance(event, ev.Asked)
    prompt = formatting.code(last_written(event.prompt))
    if answer is None:
        text = N_("the program waits for a line: {prompt}") if prompt else N_("the program waits for a line")
    elif answer.text is None:
        text = N_("the program reads a line, and its input ends: {prompt}")
        text = text if prompt else N_("the program reads a line, and its input ends")
    elif event.secret:
        text = N_("the program reads a secret, which is not recorded: {prompt}")
        text = text if prompt else N_("the program reads a secret, which is not recorded")
    else:
        text = N_("the program reads a line: {prompt} {answer}") if prompt else N_("the program reads a line: {answer}")
    typed = formatting.code(answer.text) if answer is not None else ""
    return formatting.styled(_(text), "plain", prompt=(prompt, "code"), answer=(typed, "value"))


def _cell(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.CellStart)
    parts: list[Part] = [(_("cell {number} begins", number=event.cell), "plain")]
    if event.knobs:
        parts += formatting.styled(_(", with {settings}"), "quiet", settings=(_settings(event.knobs), "value"))
    return parts


def _settings(knobs: dict[str, object]) -> str:
    return formatting.joined([equation(name, number(held)) for name, held in knobs.items()])


_OUTCOMES = {
    "ok": N_("cell {number} is done"),
    "failed": N_("cell {number} has failed"),
    "exited": N_("cell {number} has ended the program"),
    "stopped": N_("cell {number} was stopped"),
    "died": N_("cell {number} has died"),
    "skipped": N_("cell {number} was skipped"),
}


_OUTCOMES_OF_SCRIPT = {"ok": N_("the script is done"), "failed": N_("the script has failed")}
"""Of a program without cells."""


def _cell_end(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.CellEnd)
    text = _(_OUTCOMES.get(event.outcome, N_("cell {number} {outcome}")), number=event.cell, outcome=event.outcome)
    if _has_one_cell(timeline) and event.outcome in _OUTCOMES_OF_SCRIPT:
        text = _(_OUTCOMES_OF_SCRIPT[event.outcome])
    reason = formatting.code(describe_end(event), 200)
    parts = [(f"{text}: {reason}" if reason else text, "error" if event.outcome in ("failed", "died") else "plain")]
    full = describe_earlier_cut(timeline, step)
    return [*parts, (" · ", "quiet"), (full, "error")] if full else parts


def _has_one_cell(timeline: Timeline) -> bool:
    """Return whether the program is a script, of which nothing says that it is a cell."""
    return timeline.document is not None and len(timeline.document.cells) == 1


def _line(timeline: Timeline, step: int) -> list[Part]:
    return statement(timeline, step) + _place_parts(timeline, step)


def _place_parts(timeline: Timeline, step: int) -> list[Part]:
    """Return the function and the iteration of a loop, where there are any."""
    where = _place_text(timeline, step)
    return [(f" · {where}", "quiet")] if where else []


def _place_text(timeline: Timeline, step: int) -> str:
    view = timeline.view(step)
    in_function = view.function and view.function != "<module>"
    texts = [_("in {function}", function=view.function)] if in_function else []
    texts += [_("iteration {number}", number=view.iteration)] if view.iteration else []
    return _(", ").join(texts)


def _line_plain(timeline: Timeline, step: int) -> str:
    view = timeline.view(step)
    where, code = _place_text(timeline, step), formatting.first_line(view.code)
    if where:
        return _("Line {number}, {where}: {code}", number=view.line, where=where, code=code)
    return _("Line {number}: {code}", number=view.line, code=code)


# ---------------------------------------------------------------- the backward pass


def _backward(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Backward)
    roots = _roots(timeline, step, event)
    gradient = formatting.joined(
        [inline(item, "float32", gradient=True) for item in event.gradient if item is not None]
    )
    parts = formatting.styled(
        _("{backward} begins at {roots} with gradient {gradient}"), "quiet",
        backward=(_("backward pass {number}", number=event.number), "node"), roots=(roots, "value"),
        gradient=(gradient or "1", "grad"),
    )  # fmt: skip
    extras = [_("keeps its graph")] if event.retain_graph else []
    extras += [_("makes a graph of its own")] if event.create_graph else []
    return parts + ([(" · " + _(", ").join(extras), "quiet")] if extras else [])


def _roots(timeline: Timeline, step: int, event: ev.Backward) -> str:
    state, code, texts = timeline.moment(step), timeline.view(step).code or "", []
    for root in event.roots:
        tensor, name = state.tensors.get(root), label(state, root) or ""
        if name.startswith("%") and len(event.roots) == 1 and code.partition(".backward(")[1]:
            name = formatting.code(code.rpartition(".backward(")[0])
        elif name.startswith("%"):
            name = readable_name(timeline, step, root)
        texts.append(name if tensor is None else equation(name, inline(tensor.value, tensor.dtype)))
    return formatting.joined(texts) or _("nothing")


def _backward_end(timeline: Timeline, step: int) -> list[Part]:
    event, last = timeline.event(step), timeline.state(step).last_pass
    assert isinstance(event, ev.BackwardEnd)
    if not event.ok:
        return [(_("backward pass {number} was broken off", number=event.number), "error")]
    count = len(last.ran) if last is not None else 0
    ran_text = ngettext("{count} node ran", "{count} nodes ran", count)
    is_kept = last is not None and last.retain_graph
    graph_text = _("its graph is kept") if is_kept else _("saved tensors freed")
    if not is_kept and saved_nothing(timeline.state(step)):
        graph_text = _("its nodes had saved nothing")
    head: Part = (_("backward pass {number} is over", number=event.number), "node")
    return [head, (" · ", "quiet"), (ran_text, "quiet"), (" · ", "quiet"), (graph_text, "quiet")]


class _Accumulated(msgspec.Struct, frozen=True):
    """A gradient written to a leaf, as texts."""

    name: str
    old: str
    shares: list[str]
    """The parts of what arrived, where they are several, can be written out, and add up to it."""
    incoming: str
    now: str
    sums: bool
    """Whether the old gradient and what arrived add up to the new one."""


def _accumulate(timeline: Timeline, step: int) -> list[Part]:
    accumulated = _accumulated(timeline, step)
    parts: list[Part] = [("AccumulateGrad", "node"), (" · ", "quiet")]
    if accumulated.shares:
        parts += [(_("{gradient} arrived", gradient=_incoming_sum(accumulated)), "grad"), (" · ", "quiet")]
    parts.append((f"{accumulated.name}.grad", "leaf"))
    if not accumulated.sums:
        change = _("it was {old}, and {gradient} arrived", old=accumulated.old, gradient=accumulated.incoming)
        sign, now = equals(accumulated.now)
        return [*parts, (sign, "quiet"), (now, "grad"), (f" · {change}", "quiet")]
    if accumulated.old == "None":
        return [*parts, (": ", "quiet"), (f"None → {accumulated.now}", "grad")]
    return [*parts, (" = ", "quiet"), (_new_sum(accumulated), "grad")]


def _accumulated(timeline: Timeline, step: int) -> _Accumulated:
    event = timeline.event(step)
    assert isinstance(event, ev.Accumulate)
    before, after = timeline.state(step - 1), timeline.moment(step)
    tensor = before.tensors.get(event.tensor)
    old_grad = before.tensors.get(tensor.grad) if tensor is not None and tensor.grad is not None else None
    old_text = "None" if old_grad is None else inline(old_grad.value, old_grad.dtype, gradient=True)
    dtype = tensor.dtype if tensor is not None else "float32"
    shares = incoming_parts(after, event.node, [event.incoming], dtype)
    terms = [event.incoming] if old_grad is None else [old_grad.value, event.incoming]
    return _Accumulated(
        readable_name(timeline, step, event.tensor), old_text, shares, inline(event.incoming, dtype, gradient=True),
        inline(event.new, dtype, gradient=True), adds_up(terms, event.new, dtype) is not False,
    )  # fmt: skip


def _accumulate_plain(timeline: Timeline, step: int) -> str:
    accumulated = _accumulated(timeline, step)
    is_sum = accumulated.old != "None" and accumulated.sums
    new_text = _new_sum(accumulated) if is_sum else accumulated.now
    return _(
        "{name}.grad was {old}; {gradient} arrives; it is now {new}.",
        name=accumulated.name, old=accumulated.old, gradient=_incoming_sum(accumulated), new=new_text,
    )  # fmt: skip


def _new_sum(accumulated: _Accumulated) -> str:
    """Return `1 + 2 = 3`; in statistics, which do not add up, the new gradient alone."""
    if equals(accumulated.now)[0] == ": ":
        return accumulated.now
    return equation(f"{accumulated.old} + {formatting.term(accumulated.incoming)}", accumulated.now)


def _incoming_sum(accumulated: _Accumulated) -> str:
    return (
        equation(formatting.added(accumulated.shares), accumulated.incoming)
        if accumulated.shares
        else accumulated.incoming
    )


def _captured(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Captured)
    name = readable_name(timeline, step, event.tensor)
    gradient = inline(event.value, _dtype(timeline, step, event.tensor), gradient=True)
    parts = formatting.styled(
        _("{function} returns {gradient}"), "quiet", function=("autograd.grad", "node"), gradient=(gradient, "grad")
    )
    return [*parts, (_(" for {tensor}", tensor=name), "plain")]


def _retained(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Retained)
    name = readable_name(timeline, step, event.tensor)
    parts: list[Part] = [("retain_grad", "node"), (" · ", "quiet"), (f"{name}.grad", "leaf")]
    sign, value = equals(inline(event.value, _dtype(timeline, step, event.tensor), gradient=True))
    return [*parts, (sign, "quiet"), (value, "grad")]


def _hook(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.HookRan)
    state = timeline.state(step)
    node = None if event.node is None else state.nodes.get(event.node)
    subject, tensor = _("the gradient"), event.tensor
    target = readable_name(timeline, step, tensor) if event.node is None else ""
    if event.node is not None:
        target = _("a node") if node is None else node.name
        source = node.inputs[event.input] if node is not None and event.input is not None else None
        source_node = state.nodes.get(source[0]) if source is not None else None
        made = (
            None
            if source_node is None or source_node.tensor is None
            else readable_name(timeline, step, source_node.tensor)
        )
        name = None if source_node is None else made or source_node.name
        subject = _("what it sends to {target}", target=name) if name else _("what it sends")
        subject = _("what reaches it") if event.input is None else subject
        tensor = source_node.tensor if source_node is not None and source_node.tensor is not None else 0
    dtype = _dtype(timeline, step, tensor)
    before, after = inline(event.before, dtype, gradient=True), inline(event.after, dtype, gradient=True)
    hook = (_("hook {name}", name=event.hook), "node")
    head = formatting.styled(_("{hook} on {tensor}"), "plain", hook=hook, tensor=(target, "plain"))
    template = _("{hook} leaves {what} as it is: {value}") if before == after else _("{hook} changes {what}: {value}")
    value = before if before == after else f"{before} → {after}"
    return formatting.styled(template, "quiet", hook=head, what=(subject, "quiet"), value=(value, "grad"))


def _dtype(timeline: Timeline, step: int, tensor: int) -> str:
    tensor_state = timeline.state(step).tensors.get(tensor)
    return "float32" if tensor_state is None else tensor_state.dtype


# ---------------------------------------------------------------- nodes and failures


def _node_plain(timeline: Timeline, step: int) -> str:
    summary = summarize_node(timeline, step)
    return _("A node that is not in the recording ran.") if summary is None else node_plain(summary)


_LONGEST_MESSAGE = 600
"""Cells of an error's message; torch's longest usual ones have some 400."""


def _failed(timeline: Timeline, step: int) -> list[Part]:
    event = timeline.event(step)
    assert isinstance(event, ev.Failed)
    text = formatting.code(message(event), _LONGEST_MESSAGE)
    parts: list[Part] = [(event.error, "error"), (f": {text}" if text else "", "error")]
    return [*parts, (" · " + _("caught by the code around it"), "quiet")] if event.caught else parts


def _failed_plain(timeline: Timeline, step: int) -> str:
    event = timeline.event(step)
    assert isinstance(event, ev.Failed)
    text = formatting.code(message(event), 400)
    text = f"{event.error}: {text}" if text else event.error
    why = mistakes.explanation(timeline, step)
    return f"{text} {why}" if why else text


_LINES: dict[str, Callable[[Timeline, int], list[Part]]] = {
    "cell": _cell, "cell_end": _cell_end, "line": _line, "backward": _backward,
    "backward_end": _backward_end, "accumulate": _accumulate, "captured": _captured,
    "retained": _retained, "hook": _hook, "failed": _failed, "cut": cut_line,
    "skipped": _skipped, "mark": _mark, "asked": _asked,
}  # fmt: skip
_PLAIN: dict[str, Callable[[Timeline, int], str]] = {
    "line": _line_plain, "op": op_plain, "node": _node_plain, "accumulate": _accumulate_plain, "failed": _failed_plain,
    "cut": cut_text,
}  # fmt: skip
