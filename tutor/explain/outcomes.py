"""How a cell, a run, or an exercise came to its end, in words: the recording holds only the facts of it.

Where a recording was full: at which place, what follows it, and what to do about it."""

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


def ended(end: ev.CellEnd | ev.RunEnd) -> str:
    """How, and at which statement; empty where there is nothing to say but its outcome."""
    if end.note:  # in the recording's own words: a file that was refused, or what an older gradtutor wrote
        return end.note
    if end.outcome == "died":
        name = signal_name(end.status - 128)
        if end.place:  # it stands before the reason, for a line may be cut at its end
            text = N_("the process died of {name} at {place}: {how}")
            return _(text, name=name, place=end.place, how=_of_signal(name))
        return _("the process died of {name}: {how}", name=name, how=_of_signal(name))
    how = _("the program ended itself with exit status {status}", status=end.status) if end.outcome == "exited" else ""
    if how and end.place:
        return _("{how}, at {place}", how=how, place=end.place)
    return _("at {place}", place=end.place) if end.place else how


def message(event: ev.Failed) -> str:
    """What is said of an exception: its own text, or what the signal means that ended the process."""
    if event.error == "TraceError":  # ours, where a part of a recording is damaged
        return _(event.message)
    return event.message or (_of_signal(event.error) if event.error.startswith(("SIG", "signal ")) else "")


def _of_signal(name: str) -> str:
    return _(_SIGNALS.get(name, N_("a signal ended it")))


_FAILURES = {
    "stopped": (N_("Your code stopped with {error}."), N_("Your code stopped with {error}: {said}")),
    "name": (N_("There is no `{error}`: your code does not define it."),) * 2,
    "check": (N_("The check could not run: {error}."), N_("The check could not run: {error}: {said}")),
    "solution": (N_("the solution stopped with {error}"), N_("the solution stopped with {error}: {said}")),
}


def problem(checked: ev.Checked) -> str:
    """Why an exercise's check failed, to the learner; empty where it passed, or says nothing."""
    said = checked.message if isinstance(checked.message, str) else in_language(checked.message, current_language())
    texts = _FAILURES.get(checked.how)
    return said if texts is None else _(texts[bool(said)], error=checked.error, said=formatting.code(said, 4000))


_HELP = N_("A shorter run is recorded whole: fewer iterations, or less data.")


def full_line(timeline: Timeline, step: int) -> list[Part]:
    """The line for the step at which the recording was full."""
    said: list[Part] = [(_("the recording is full here"), "error"), (f" · {place(timeline, step)}", "plain")]
    said.append((f" · {_what_follows(timeline)}", "plain"))
    return [*said, (" · " + _("a shorter run is recorded whole: fewer iterations, or less data"), "quiet")]


def full_plain(timeline: Timeline, step: int) -> str:
    """The same to be read aloud."""
    event = timeline.event(step)
    assert isinstance(event, ev.Cut)
    where, follows = place(timeline, step), _what_follows(timeline)
    text = N_("The recording is full here, at {place}, after {count:,} events; {follows}. {help}")
    if event.reason == "bytes":
        text = N_("The recording is full here, at {place}, after so many bytes as it may have; {follows}. {help}")
    return _(text, place=where, count=event.events, follows=follows, help=_(_HELP))


def full_before(timeline: Timeline, step: int) -> str | None:
    """What a later step of a recording that was full is to say; None where the recording is whole up to there."""
    cut = timeline.cut
    if cut is None or step <= cut:
        return None
    return _("the recording was full at step {step}, at {place}", step=f"{cut:,}", place=place(timeline, cut))


def place(timeline: Timeline, step: int) -> str:
    """`line 13, iteration 11,968 of the loop`."""
    view = timeline.view(step)
    event = view.event
    assert isinstance(event, ev.Cut)
    if view.line is None:
        return _("a place that is not in the recording")
    said = _("line {number}", number=view.line)
    if view.site is not None and view.site.file != 1 and view.file is not None:
        said = _("line {number} of {file}", number=view.line, file=PurePath(view.file).name)
    if len(event.iterations) == 1:
        return _("{line}, iteration {number:,} of the loop", line=said, number=event.iterations[0])
    if event.iterations:
        numbers = " › ".join(f"{number:,}" for number in event.iterations)
        return _("{line}, iteration {numbers} of the loops", line=said, numbers=numbers)
    return said


def _what_follows(timeline: Timeline) -> str:
    if timeline.has_end_state:
        return _("what follows is the end of the run")
    if timeline.run_end is None:
        return _("the run goes on, and is not recorded")
    return _("what ran after this is not recorded")
