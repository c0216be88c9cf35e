"""The recording that a command is about: read from its file, or made by running a script or a lesson to its end."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.i18n import _
from tutor.trace import tracefile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tutor.arguments import Arguments
    from tutor.lesson.catalog import Target
    from tutor.process import Workers
    from tutor.session import Session
    from tutor.trace.timeline import Timeline

FINE, FAILED, WRONG, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses."""


_SHORT = frozenset((errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM))
"""What the system says where it is short of files, processes or memory."""


class Refusal(Exception):
    """What cannot be done: a line for the learner, and the exit status."""

    def __init__(self, text: str, status: int = WRONG) -> None:
        super().__init__(text)
        self.status = status


def say(text: str, status: int) -> int:
    """One line, whatever the text holds."""
    from tutor.text.format import close_quietly, safe

    sys.stdout.flush()
    try:
        print("gradtutor: " + " ".join(safe(text).split()), file=sys.stderr, flush=True)
    except OSError:  # nobody can be told
        close_quietly(sys.stderr)
    return status


def session_of(target: Target, arguments: Arguments, workers: Workers | None = None) -> Session:
    """A run of a target as the command line asks for it."""
    from tutor.session import Session

    return Session(target, workers=workers, knobs=arguments.knobs, device=arguments.device, args=arguments.script)


def load(target: Target, arguments: Arguments) -> Timeline:
    """A recording from its file."""
    from tutor.trace.tracefile import TraceError

    if arguments.knobs or arguments.device is not None:
        raise Refusal(_("{name} is a recording: --set and --device are for what is run.", name=target.name))
    try:
        return tracefile.load(target.path)
    except TraceError as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(
            _("{name} cannot be read: {why}.", name=target.name, why=error.strerror or error), MISSING
        ) from None


def timeline_of(target: Target, arguments: Arguments) -> tuple[Timeline, int]:
    """The whole recording of a target, run if need be, and the exit status that it gives."""
    if target.kind == "trace":
        timeline = load(target, arguments)
        status = status_of(timeline)
    else:
        timeline, status = run(target, arguments)
    tell_notices(timeline)
    return timeline, status


def tell_notices(timeline: Timeline, told: Sequence[str] = ()) -> None:
    """Say what is missing from a recording, and why, but for what was told: some of it shows only in the reading."""
    for notice in timeline.notices:
        if notice not in told:
            say(notice, FINE)


def run(
    target: Target, arguments: Arguments, out: Path | None = None, echo: Callable[[str, str], None] | None = None
) -> tuple[Timeline, int]:
    """Run a script or a lesson to its end; `echo` is given what it prints, as it comes."""
    from tutor.process import StartError
    from tutor.session import record_blocking

    session = session_of(target, arguments)
    try:
        timeline = record_blocking(session, out=out, echo=echo)
    except StartError as error:
        raise Refusal(str(error), MISSING) from None
    except OSError as error:
        if out is None or error.errno in _SHORT:
            why = error.strerror or error
            raise Refusal(_("{name} cannot be run: {why}.", name=target.name, why=why), MISSING) from None
        raise unwritten(out, error) from None
    if session.refused is not None:
        raise Refusal(session.refused.note, session.refused.status)
    end = timeline.run_end
    if end is not None and not session.began:
        raise Refusal(end.note, FAILED if session.imported else MISSING)
    return timeline, INTERRUPTED if end is not None and end.outcome == "stopped" else status_of(timeline)


def unwritten(out: Path, error: OSError) -> Refusal:
    """What is said of a recording that cannot be written."""
    return Refusal(_("{name} cannot be written: {why}.", name=out, why=error.strerror or error), MISSING)


def status_of(timeline: Timeline) -> int:
    """What a recording's program ended with, as our own exit status."""
    end = timeline.run_end
    if end is None:
        return FAILED if timeline.cells and timeline.cells[-1].outcome == "failed" else FINE
    return FINE if end.status == 0 else FAILED
