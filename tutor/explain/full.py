"""Where a recording was full: at which place, what follows it, and what to do about it."""

from __future__ import annotations

from pathlib import PurePath

from tutor.explain.words import Part
from tutor.i18n import N_, _
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline

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
    if timeline.ends_are_told:
        return _("what follows is the end of the run")
    if timeline.run_end is None:
        return _("the run goes on, and is not recorded")
    return _("what ran after this is not recorded")
