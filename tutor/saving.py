"""`gradtutor record`: where the recording may go, and what the script prints meanwhile."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.i18n import _, ngettext
from tutor.recordings import FAILED, MISSING, Refusal, run, say, tell_notices, unwritten
from tutor.text.format import OutputError, close_quietly

if TYPE_CHECKING:
    from tutor.arguments import Arguments
    from tutor.lesson.catalog import Target


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
