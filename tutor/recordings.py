"""The recording that a command is about: load it from its file, or make it by running a script or a lesson.

Also `gradtutor record`: where the recording may be written, and forwarding what the script prints. Modules are imported
late: `gradtutor --version` loads next to nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tutor.i18n import N_, _, ngettext

if TYPE_CHECKING:
    from tutor.arguments import Arguments
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.trace.timeline import Timeline

FINE, FAILED, WRONG, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses."""
_WIPE = "\r\x1b[K"
"""Wipes the line of a terminal in which the cursor is."""
_READ_STDIN = frozenset(("record", "steps", "show"))
"""Commands of which a script reads the standard input as it is; at others it is asked for, a line at a time."""
_RESOURCE_ERRORS = frozenset((errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM))
"""Error numbers for a lack of files, processes or memory."""


class Refusal(Exception):
    """A command cannot be done; has a line for the user and the exit status."""

    def __init__(self, text: str, status: int = WRONG) -> None:
        super().__init__(text)
        self.status = status


def print_message(text: str, status: int) -> int:
    """Print one line to standard error; return `status`."""
    from tutor.text.format import close_quietly, escape_controls

    sys.stdout.flush()
    try:
        print("gradtutor: " + " ".join(escape_controls(text).split()), file=sys.stderr, flush=True)
    except OSError:  # standard error is closed
        close_quietly(sys.stderr)
    return status


def make_session(target: Target, arguments: Arguments, workers: Workers | None = None) -> Session:
    """Return a session that runs a target as the command line says.

    Its workers are new ones if none are given. A script that is not walked through reads our standard input.
    """
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.text.format import closed_streams
    from tutor.trace.command import ASKED, CLOSED, ENDED, READ

    stdin = ENDED
    if target.kind == "file":
        is_read = arguments.command in _READ_STDIN
        stdin = READ if is_read else ASKED
        if workers is None and "stdin" in closed_streams:
            stdin = CLOSED
    stdin_path = ""
    if target.kind == "file" and arguments.stdin is not None:
        stdin, stdin_path = ENDED, os.path.abspath(arguments.stdin)
        _check_readable(stdin_path, arguments.stdin)
    return Session(
        target,
        workers=workers or Workers(stdin=ENDED if stdin == ENDED else READ),
        knobs=arguments.knobs,
        device=arguments.device,
        args=list(target.args),
        samples_loops=target.kind == "file" and not arguments.all,
        keep=arguments.selection,
        loop=arguments.loop_line,
        skip=arguments.skip,
        until=arguments.until,
        last=arguments.last,
        stdin=stdin,
        stdin_path=stdin_path,
        with_pictures=arguments.with_pictures or arguments.images != "none",
        part=arguments.part,
    )


def _check_readable(path: str, name: str) -> None:
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        raise Refusal(_("{name} cannot be read: {why}.", name=name, why=error.strerror or error), MISSING) from None


def load(target: Target, arguments: Arguments) -> Timeline:
    """Load a recording from its file.

    Raises:
        Refusal: The file cannot be read, or options for a run are given.
    """
    from tutor.trace import tracefile

    if arguments.knobs or arguments.device is not None:
        raise Refusal(_("{name} is a recording: --set and --device are for what is run.", name=target.name))
    options = arguments.selection, arguments.loop, arguments.part, arguments.stdin
    if arguments.skip or any(option is not None for option in options):
        text = N_(
            "{name} is a recording: --keep, --loop, --skip, --until, --from, --only, --for, --steps and --stdin are "
            "for what is run."
        )
        text = _(text, name=target.name)
        raise Refusal(text)
    try:
        return tracefile.load(target.path)
    except tracefile.TraceError as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(
            _("{name} cannot be read: {why}.", name=target.name, why=error.strerror or error), MISSING
        ) from None


def timeline_of(target: Target, arguments: Arguments) -> tuple[Timeline, int]:
    """Return the whole recording of a target, run if need be, and the exit status."""
    if target.kind == "trace":
        timeline = load(target, arguments)
        status = status_of(timeline)
    else:
        timeline, status = run(target, arguments)
    print_notices(timeline)
    return timeline, status


def print_notices(timeline: Timeline, shown: Sequence[str] = ()) -> None:
    """Print what is missing from a recording, but for notices already shown: some appear only while it is read."""
    for notice in timeline.notices:
        if notice not in shown:
            print_message(notice, FINE)


def run(
    target: Target, arguments: Arguments, out: Path | None = None, echo: Echo | None = None
) -> tuple[Timeline, int]:
    """Run a script or a lesson to its end.

    Args:
        out: The file to write the recording to; None keeps it in memory.
        echo: Forwards what the script prints; None for its questions at a terminal alone.

    Returns:
        The recording and the exit status.

    Raises:
        Refusal: The target cannot be run, or the file cannot be written.
    """
    from tutor.session.session import record_blocking
    from tutor.session.worker_process import StartError

    session = make_session(target, arguments)
    tick, asked = (echo.show_progress, None) if echo is not None else (None, show_prompt)
    try:
        timeline = record_blocking(session, out=out, echo=echo, tick=tick, asked=asked)
    except StartError as error:
        raise Refusal(str(error), MISSING) from None
    except OSError as error:
        if out is None or error.errno in _RESOURCE_ERRORS:
            why = error.strerror or error
            raise Refusal(_("{name} cannot be run: {why}.", name=target.name, why=why), MISSING) from None
        raise write_refusal(out, error) from None
    if session.refused is not None:
        raise Refusal(session.refused.note, session.refused.status)
    end = timeline.run_end
    if end is not None and not session.began:
        raise Refusal(end.note, FAILED if session.torch_imported else MISSING)
    return timeline, INTERRUPTED if end is not None and end.outcome == "stopped" else status_of(timeline)


def run_changed(target: Target, arguments: Arguments, changes: dict[str, Any]) -> Timeline:
    """Run a lesson once more with changes to its command; return the recording, as far as it came.

    Raises:
        Refusal: It cannot be run.
    """
    from tutor.session.session import record_blocking
    from tutor.session.worker_process import StartError

    try:
        return record_blocking(make_session(target, arguments).again(**changes), asked=show_prompt)
    except (StartError, OSError) as error:
        raise Refusal(_("{name} cannot be run: {why}.", name=target.name, why=error), MISSING) from None


def show_prompt(prompt: str) -> None:
    """Show on standard error what the program asks, for commands that print nothing else of it yet."""
    from tutor.text.format import escape_controls
    from tutor.text_width import last_written

    with contextlib.suppress(OSError):
        end = "" if sys.stdin.isatty() else "\n"
        print(escape_controls(last_written(prompt)), end=end, file=sys.stderr, flush=True)


def write_refusal(out: Path, error: OSError) -> Refusal:
    """Return the refusal for a recording that cannot be written."""
    return Refusal(_("{name} cannot be written: {why}.", name=out, why=error.strerror or error), MISSING)


def status_of(timeline: Timeline) -> int:
    """Return the exit status for the end of a recorded program."""
    end = timeline.run_end
    if end is None:
        return FAILED if timeline.cells and timeline.cells[-1].outcome == "failed" else FINE
    return FINE if end.status == 0 else FAILED


# ---------------------------------------------------------------- gradtutor record


def record(target: Target, arguments: Arguments) -> int:
    """Run a target without a screen and save the recording; return the exit status."""
    from tutor.trace.tracefile import save

    stem = target.path.stem if target.path.stem != "__main__" else target.path.absolute().parent.name
    out = Path(arguments.output) if arguments.output is not None else Path(stem + ".trace")
    regular = check_destination(out, target)
    echo = Echo()
    try:
        timeline, status = run(target, arguments, out=out if regular else None, echo=echo)
    finally:
        echo.wipe_progress()
    if not regular:
        try:
            save(timeline, out)  # not while it runs: whoever reads a pipe may keep us waiting, and Ctrl-C must work
        except OSError as error:
            raise write_refusal(out, error) from None
    text = ngettext("recorded {count:,} step in {out}", "recorded {count:,} steps in {out}", timeline.steps, out=out)
    if status == INTERRUPTED:
        text = _("interrupted: {what}", what=text)
    print_message(text, status)
    print_notices(timeline)
    if echo.problem:
        return print_message(_("cannot write: {why}", why=echo.problem), status or FAILED)
    return status


def check_destination(out: Path, target: Target) -> bool:
    """Return whether `out` is or will be a regular file, and no device or pipe.

    Raises:
        Refusal: Nothing may be written there.
    """
    try:
        info = out.stat()
    except FileNotFoundError:
        try:
            resolved = Path(os.path.realpath(out))  # where a link leads to that has no file behind it
        except OSError as error:  # the folder that we stand in is gone
            raise write_refusal(out, error) from None
        if not resolved.parent.is_dir():
            folder = resolved.parent if out.is_symlink() else out.parent
            text = _("there is no folder {folder} to write {name} into.", folder=folder, name=out.name)
            raise Refusal(text, MISSING) from None
        return True
    except OSError as error:
        raise write_refusal(out, error) from None
    if stat.S_ISDIR(info.st_mode):
        example = out / "run.trace"
        raise Refusal(_("{out} is a folder. Name a file to write, for instance {example}.", out=out, example=example))
    if stat.S_ISREG(info.st_mode):
        if out.samefile(target.path):
            raise Refusal(_("{out} is the script itself. Name another file to write.", out=out))
        if info.st_size and not _is_recording(out):
            raise Refusal(_("{out} is there, and is no recording. Name another file to write.", out=out))
        return True
    if not (stat.S_ISCHR(info.st_mode) or stat.S_ISFIFO(info.st_mode)):
        raise Refusal(_("{out} is not a file that can be written. Name another file to write.", out=out))
    return False


def _is_recording(path: Path) -> bool:
    """Return whether a file begins as a recording does."""
    from tutor.trace.tracefile import MAGIC

    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise write_refusal(path, error) from None


class Echo:
    """Forwards what the script prints to our own streams, but not what a notebook shows; if they cannot be written, the
    recording goes on.

    On a terminal a line at the end says how far the recording is, while the script has printed no part of a line.
    """

    def __init__(self) -> None:
        self.problem = ""
        """Why standard output could not be written; empty if it could."""
        self._shows_progress = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._is_shown = self._is_mid_line = False
        self._began = monotonic()

    def __call__(self, stream: str, text: str) -> None:
        from tutor.text.format import OutputError, close_quietly

        if stream == "stdin":  # the terminal has shown it
            self._is_mid_line = False
        if stream in ("display", "stdin"):
            return
        to = sys.stderr if stream == "stderr" else sys.stdout
        if self._shows_progress and to.isatty():
            self.wipe_progress()
            self._is_mid_line = not text.endswith("\n")
        try:
            to.write(text)
            to.flush()
        except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
            close_quietly(to)
        except (OutputError, OSError) as error:
            close_quietly(to)
            self.problem = self.problem or (str(error) if to is sys.stdout else "")

    def show_progress(self, timeline: Timeline) -> None:
        """Write the line about the recording, over the one before."""
        from tutor.text_width import width

        if not self._shows_progress or self._is_mid_line:
            return
        contents = timeline.contents
        counts = map(len, (contents.series or contents.iteration_starts).values())
        text = _(
            "recording: {iterations:,} iterations, {events:,} events, {seconds:,} s",
            iterations=max(counts, default=0), events=timeline.frames.events, seconds=int(monotonic() - self._began),
        )  # fmt: skip
        with contextlib.suppress(OSError):
            if width(text) < os.get_terminal_size(sys.stderr.fileno()).columns:
                print(f"{_WIPE}{text}", end="", file=sys.stderr, flush=True)
                self._is_shown = True

    def wipe_progress(self) -> None:
        """Wipe the line about the recording, if it is shown."""
        if self._is_shown:
            self._is_shown = False
            with contextlib.suppress(OSError):
                print(_WIPE, end="", file=sys.stderr, flush=True)
