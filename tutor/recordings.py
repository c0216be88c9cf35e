"""The recording that a command is about: read from its file, or made by running a script or a lesson to its end.

`gradtutor record`: where the recording may go, and what the script prints meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.i18n import _, ngettext
from tutor.text.format import OutputError, close_quietly
from tutor.trace import tracefile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tutor.arguments import Arguments
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
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
    from tutor.text.format import close_quietly, escape_controls

    sys.stdout.flush()
    try:
        print("gradtutor: " + " ".join(escape_controls(text).split()), file=sys.stderr, flush=True)
    except OSError:  # nobody can be told
        close_quietly(sys.stderr)
    return status


def session_of(target: Target, arguments: Arguments, workers: Workers | None = None) -> Session:
    """A run of a target as the command line asks for it."""
    from tutor.session.session import Session

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
    from tutor.session.session import record_blocking
    from tutor.session.worker_process import StartError

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


def record(target: Target, arguments: Arguments) -> int:
    """Run the target without a screen, keep the recording, and say so; the exit status."""
    from tutor.trace.tracefile import save

    out = Path(arguments.output) if arguments.output is not None else Path(target.path.stem + ".trace")
    regular = destination(out, target)
    echo = Echo()
    timeline, status = run(target, arguments, out=out if regular else None, echo=echo)
    if not regular:
        try:
            save(timeline, out)  # not while it runs: whoever reads a pipe may keep us waiting, and Ctrl-C must work
        except OSError as error:
            raise unwritten(out, error) from None
    say(
        ngettext("recorded {count:,} step in {out}", "recorded {count:,} steps in {out}", timeline.steps, out=out),
        status,
    )
    tell_notices(timeline)
    if echo.problem:
        return say(_("cannot write: {why}", why=echo.problem), status or FAILED)
    return status


def destination(out: Path, target: Target) -> bool:
    """Whether `out` is a file, or is to be one, and no device or pipe; raises Refusal where nothing may be written."""
    try:
        there = out.stat()
    except FileNotFoundError:
        try:
            real = Path(os.path.realpath(out))  # where a link leads to that has no file behind it
        except OSError as error:  # the folder that we stand in is gone
            raise unwritten(out, error) from None
        if not real.parent.is_dir():
            folder = real.parent if out.is_symlink() else out.parent
            text = _("there is no folder {folder} to write {name} into.", folder=folder, name=out.name)
            raise Refusal(text, MISSING) from None
        return True
    except OSError as error:
        raise unwritten(out, error) from None
    if stat.S_ISDIR(there.st_mode):
        example = out / "run.trace"
        raise Refusal(_("{out} is a folder. Name a file to write, for instance {example}.", out=out, example=example))
    if stat.S_ISREG(there.st_mode):
        if out.samefile(target.path):
            raise Refusal(_("{out} is the script itself. Name another file to write.", out=out))
        if there.st_size and not _is_recording(out):
            raise Refusal(_("{out} is there, and is no recording. Name another file to write.", out=out))
        return True
    if not (stat.S_ISCHR(there.st_mode) or stat.S_ISFIFO(there.st_mode)):
        raise Refusal(_("{out} is not a file that can be written. Name another file to write.", out=out))
    return False


def _is_recording(path: Path) -> bool:
    from tutor.trace.tracefile import MAGIC

    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise unwritten(path, error) from None


class Echo:
    """What the script prints goes on to our own streams, as it comes. Where it cannot, the recording goes on."""

    def __init__(self) -> None:
        self.problem = ""
        """Why standard output could not be written."""

    def __call__(self, stream: str, text: str) -> None:
        to = sys.stderr if stream == "stderr" else sys.stdout
        try:
            to.write(text)
            to.flush()
        except BrokenPipeError:  # nobody listens any more, as with `| head`
            close_quietly(to)
        except (OutputError, OSError) as error:
            close_quietly(to)
            self.problem = self.problem or (str(error) if to is sys.stdout else "")
