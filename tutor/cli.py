"""From the command line to a front end. Imports late: `gradtutor --version` loads next to nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.arguments import Arguments, HelpWanted, UsageError, near_command, parse
from tutor.i18n import _
from tutor.recordings import (
    FAILED,
    FINE,
    INTERRUPTED,
    MISSING,
    WRONG,
    Refusal,
    load,
    say,
    session_of,
    tell_notices,
    timeline_of,
)

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target


def main(words: list[str] | None = None) -> int:
    """Runs `gradtutor` with these arguments (those of the process, if not given); returns the exit status."""
    from tutor.text import format

    format.prepare_streams()
    status = _guarded(words)
    if words is None and os.environ.get("PYTHONINSPECT"):  # or Python would begin to converse, after a traceback
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    return status


def _guarded(words: list[str] | None) -> int:
    """The exit status, whatever became of the standard streams."""
    from tutor.text import format

    try:
        status = _main(sys.argv[1:] if words is None else words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()  # the terminal's `^C` stands in this line
        return INTERRUPTED
    except EOFError:  # a question of ours, and nobody there to answer
        return FINE
    except BrokenPipeError:
        format.close_quietly(sys.stdout)
        return FINE
    except OSError as error:  # what this machine does not let us do: no fault of ours, and no traceback
        return say(str(error), FAILED)
    except format.OutputError as error:
        format.close_quietly(sys.stdout)
        return say(_("cannot write: {why}", why=error), FAILED)


def _main(words: list[str]) -> int:
    try:
        arguments = parse(words)
    except HelpWanted as wanted:
        print(str(wanted), end="")
        return FINE
    except UsageError as error:
        return say(str(error), WRONG)
    if arguments.version:
        from importlib.metadata import version

        print("gradtutor", version("gradtutor"))
        return FINE
    from tutor.lesson.model import LessonError

    try:
        return _COMMANDS[arguments.command](arguments)
    except (Refusal, LessonError) as error:
        return say(str(error), error.status)


# ---------------------------------------------------------------- the commands


def _lesson(arguments: Arguments) -> int:
    if arguments.target is None and not arguments.plain:
        return _screen(None, arguments)
    if arguments.target is None:
        status = _list(arguments)
        if not sys.stdin.isatty():
            return status
        typed = input(_("Which one? Its number or name, or Enter for none: ")).strip()
        if not typed:
            return status
        arguments.target = _by_number(typed, arguments)
    return _walk(_resolve(arguments), arguments)


def _by_number(typed: str, arguments: Arguments) -> str:
    """The lesson's id where its number in the list was typed."""
    from tutor.lesson import catalog

    lessons = catalog.load(_lessons(arguments)).lessons
    return lessons[int(typed) - 1].id if typed.isdecimal() and 1 <= int(typed) <= len(lessons) else typed


def _open(arguments: Arguments) -> int:
    from tutor.lesson.catalog import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind == "trace":
        raise Refusal(_("{name} is a recording. `gradtutor view {name}` walks through it.", name=target.name))
    return _walk(target, arguments)


def _view(arguments: Arguments) -> int:
    from tutor.lesson.catalog import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind != "trace":
        raise Refusal(_("{name} is not a recording. `gradtutor open {name}` runs a script.", name=target.name))
    return _walk(target, arguments)


def _record(arguments: Arguments) -> int:
    from tutor.lesson.catalog import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind == "trace":
        raise Refusal(_("{name} is a recording already.", name=target.name))
    from tutor.recordings import record

    return record(target, arguments)


def _list(arguments: Arguments) -> int:
    from tutor.lesson import catalog
    from tutor.study.progress import Store
    from tutor.text import listing

    found = catalog.load(_lessons(arguments))
    store = Store()
    write = listing.write_json if arguments.json else listing.write_text
    write(found, store, arguments.lang, sys.stdout)
    for problem in found.problems:
        say(str(problem), FINE)
    if store.notice is not None:
        say(store.notice, FINE)
    return WRONG if found.problems else FINE


def _steps(arguments: Arguments) -> int:
    from tutor.text import steps

    timeline, status = timeline_of(_resolve(arguments), arguments)
    told = timeline.notices
    (steps.write_json if arguments.json else steps.write_text)(timeline, sys.stdout)
    tell_notices(timeline, told)
    return status


def _show(arguments: Arguments) -> int:
    from tutor.text import show
    from tutor.trace.navigation import PlaceError, resolve

    timeline, status = timeline_of(_resolve(arguments), arguments)
    try:
        step = resolve(timeline, arguments.at)
    except PlaceError as error:
        raise Refusal(str(error)) from None
    told = timeline.notices
    (show.write_json if arguments.json else show.write_text)(timeline, step, sys.stdout)
    tell_notices(timeline, told)
    return status


def _check(arguments: Arguments) -> int:
    from tutor.check.checker import write
    from tutor.lesson.catalog import resolve

    lessons = _lessons(arguments)
    named = [Path(name) if Path(name).exists() else resolve(name, lessons).path for name in arguments.paths]
    return FINE if write([_shown(path) for path in named or [lessons]], sys.stdout, json=arguments.json) else WRONG


def _new(arguments: Arguments) -> int:
    from tutor import paths
    from tutor.lesson import template

    if arguments.lessons is None and paths.packed():
        raise Refusal(_("say where the lesson is to go: gradtutor new FAMILY/SLUG --lessons DIR"))
    folder = Path(arguments.lessons) if arguments.lessons is not None else paths.lessons_dir()
    path = _shown(template.write(arguments.target or "", folder))
    print(_("wrote {path}\nEdit it, then `gradtutor check {path}` says what is wrong with it.", path=path))
    return FINE


def _doctor(arguments: Arguments) -> int:
    from tutor.text import doctor

    return FINE if doctor.write(sys.stdout) else MISSING


_COMMANDS = {
    "": _lesson, "open": _open, "record": _record, "view": _view, "list": _list, "steps": _steps, "show": _show,
    "check": _check, "new": _new, "doctor": _doctor,
}  # fmt: skip


# ---------------------------------------------------------------- targets


def _lessons(arguments: Arguments) -> Path:
    """The folder of lessons; LessonError where the one that was named is missing or empty."""
    from tutor.paths import lessons_dir

    if arguments.lessons is None:
        return lessons_dir()
    from tutor.lesson import catalog
    from tutor.lesson.model import LessonError

    folder = Path(arguments.lessons)
    found = catalog.load(folder)
    if not found.lessons and not found.problems:
        mend = _("`gradtutor new graph/first --lessons {folder}` writes one.", folder=folder)
        raise LessonError(_("there is no lesson in this folder."), path=str(folder), mend=mend)
    return folder


def _shown(path: Path) -> Path:
    """A path as one would type it here."""
    try:
        here, full = Path.cwd(), path.absolute()
    except OSError:  # the folder that we stand in is gone
        return path
    return full.relative_to(here) if full.is_relative_to(here) else path


def _resolve(arguments: Arguments) -> Target:
    from tutor.lesson.catalog import resolve
    from tutor.lesson.model import LessonError

    name = arguments.target or ""
    try:
        return resolve(name, _lessons(arguments))
    except LessonError as error:
        command = None if arguments.command else near_command(name)
        if command is not None and error.status == WRONG:
            raise Refusal(_("{error} Or the command `gradtutor {command}`?", error=error, command=command)) from None
        raise


# ---------------------------------------------------------------- walking


def _walk(target: Target, arguments: Arguments) -> int:
    """Walk through a target, on the screen or without one."""
    if not arguments.plain:
        return _screen(target, arguments)
    from tutor.study.progress import Store
    from tutor.text.walk import Walker

    timeline, status = timeline_of(target, arguments)
    store = Store() if target.kind == "lesson" else None
    told = timeline.notices
    Walker(timeline, store, arguments.lang, sys.stdin, sys.stdout).run()
    tell_notices(timeline, told)
    return status


def _screen(target: Target | None, arguments: Arguments) -> int:
    """The full screen, where there is a terminal that can show it."""
    from tutor import ui

    lessons = _lessons(arguments)
    timeline = load(target, arguments) if target is not None and target.kind == "trace" else None
    why_not = ui.refusal()
    if why_not is not None:
        raise Refusal(why_not, MISSING)
    from tutor.session.worker_process import StartError, Workers, check_room

    try:
        check_room()
    except StartError as error:
        raise Refusal(str(error), MISSING) from None
    workers = Workers()
    return ui.run(
        target, lessons_dir=lessons, session_factory=lambda one: session_of(one, arguments, workers),
        workers=workers, timeline=timeline, language=arguments.lang,
    )  # fmt: skip
