"""How a cell, a run, or an exercise came to its end, in words: the recording holds only the facts of it."""

from __future__ import annotations

from tutor.explain import words
from tutor.i18n import N_, _, current_language
from tutor.lesson.model import in_language
from tutor.trace import events as ev
from tutor.trace.command import signal_name

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
    return said if texts is None else _(texts[bool(said)], error=checked.error, said=words.code(said, 4000))
