"""Describe how a cell, a run or an exercise ended, and where a recording became full; it has only the facts."""

from __future__ import annotations

from pathlib import PurePath

from tutor.explain import formatting
from tutor.explain.formatting import Part
from tutor.i18n import N_, _, current_language
from tutor.lesson.model import in_language
from tutor.trace import events as ev
from tutor.trace.command import signal_name
from tutor.trace.timeline import Timeline

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
    """Return the line of the step at which the recording was full."""
    parts: list[Part] = [(_("the recording is full here"), "error"), (f" · {cut_location(timeline, step)}", "plain")]
    parts.append((f" · {_what_follows(timeline)}", "plain"))
    return [*parts, (" · " + _("a shorter run is recorded whole: fewer iterations, or less data"), "quiet")]


def cut_text(timeline: Timeline, step: int) -> str:
    """Return the same as sentences."""
    event = timeline.event(step)
    assert isinstance(event, ev.Cut)
    location, follows = cut_location(timeline, step), _what_follows(timeline)
    template = N_("The recording is full here, at {place}, after {count:,} events; {follows}. {help}")
    if event.reason == "bytes":
        template = N_("The recording is full here, at {place}, after so many bytes as it may have; {follows}. {help}")
    return _(template, place=location, count=event.events, follows=follows, help=_(_SHORTER_RUN))


def describe_earlier_cut(timeline: Timeline, step: int) -> str | None:
    """Return where the recording became full, at a later step; None where it is whole up to there."""
    cut = timeline.cut
    if cut is None or step <= cut:
        return None
    return _("the recording was full at step {step}, at {place}", step=f"{cut:,}", place=cut_location(timeline, cut))


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
