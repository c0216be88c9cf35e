"""From the command line to a front end. Imports late: `gradtutor --version` loads next to nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.arguments import Arguments, HelpWanted, UsageError, near_command, parse

if TYPE_CHECKING:
    from tutor.lesson.find import Target
    from tutor.process import Workers
    from tutor.session import Session
    from tutor.trace.timeline import Timeline

FINE, FAILED, WRONG, MISSING, INTERRUPTED = 0, 1, 2, 3, 130


class Refusal(Exception):
    """What cannot be done: a line for the learner, and the exit status."""

    def __init__(self, text: str, status: int = WRONG) -> None:
        super().__init__(text)
        self.status = status


def main(words: list[str] | None = None) -> int:
    """Runs `gradtutor` with these arguments (those of the process, if not given); returns the exit status."""
    from tutor.text import output

    output.prepare()
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
        output.close_quietly(sys.stdout)
        return FINE


def _main(words: list[str]) -> int:
    try:
        arguments = parse(words)
    except HelpWanted as wanted:
        print(str(wanted), end="")
        return FINE
    except UsageError as error:
        return _say(str(error), WRONG)
    if arguments.version:
        from importlib.metadata import version

        print("gradtutor", version("gradtutor"))
        return FINE
    from tutor.lesson.errors import LessonError

    try:
        return _COMMANDS[arguments.command](arguments)
    except (Refusal, LessonError) as error:
        return _say(str(error), error.status)


def _say(text: str, status: int) -> int:
    """One line, whatever the text holds."""
    from tutor.text.output import safe

    sys.stdout.flush()
    print("gradtutor: " + " ".join(safe(text).split()), file=sys.stderr)
    return status


# ---------------------------------------------------------------- the commands


def _lesson(arguments: Arguments) -> int:
    if arguments.target is None and not arguments.plain:
        return _screen(None, arguments)
    if arguments.target is None:
        status = _list(arguments)
        if not sys.stdin.isatty():
            return status
        typed = input("Which one? Its number or name, or Enter for none: ").strip()
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
    from tutor.lesson.find import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind == "trace":
        raise Refusal(f"{target.name} is a recording. `gradtutor view {target.name}` walks through it.")
    return _walk(target, arguments)


def _view(arguments: Arguments) -> int:
    from tutor.lesson.find import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind != "trace":
        raise Refusal(f"{target.name} is not a recording. `gradtutor open {target.name}` runs a script.")
    return _walk(target, arguments)


def _record(arguments: Arguments) -> int:
    from tutor.lesson.find import of_file

    target = of_file(Path(arguments.target or ""), _lessons(arguments))
    if target.kind == "trace":
        raise Refusal(f"{target.name} is a recording already.")
    out = Path(arguments.output) if arguments.output is not None else Path(target.path.stem + ".trace")
    if out.is_dir():
        raise Refusal(f"{out} is a folder. Name a file to write, for instance {out / 'run.trace'}.")
    if not out.parent.is_dir():
        raise Refusal(f"there is no folder {out.parent} to write {out.name} into.", MISSING)
    timeline, status = _run(target, arguments, out=out, echo=True)
    _say(f"recorded {timeline.steps:,} steps in {out}", FINE)
    _tell_notices(timeline)
    return status


def _list(arguments: Arguments) -> int:
    from tutor.lesson import catalog
    from tutor.progress import Store
    from tutor.text import listing

    found = catalog.load(_lessons(arguments))
    store = Store()
    write = listing.write_json if arguments.json else listing.write_text
    write(found, store, arguments.lang, sys.stdout)
    for problem in found.problems:
        _say(str(problem), FINE)
    if store.notice is not None:
        _say(store.notice, FINE)
    return WRONG if found.problems else FINE


def _steps(arguments: Arguments) -> int:
    from tutor.text import steps

    timeline, status = _timeline(_resolve(arguments), arguments)
    (steps.write_json if arguments.json else steps.write_text)(timeline, sys.stdout)
    return status


def _show(arguments: Arguments) -> int:
    from tutor.text import show
    from tutor.trace.places import PlaceError, resolve

    timeline, status = _timeline(_resolve(arguments), arguments)
    try:
        step = resolve(timeline, arguments.at)
    except PlaceError as error:
        raise Refusal(str(error)) from None
    (show.write_json if arguments.json else show.write_text)(timeline, step, sys.stdout)
    return status


def _doctor(arguments: Arguments) -> int:
    from tutor.text import doctor

    return FINE if doctor.write(sys.stdout) else MISSING


_COMMANDS = {
    "": _lesson, "open": _open, "record": _record, "view": _view, "list": _list, "steps": _steps, "show": _show,
    "doctor": _doctor,
}  # fmt: skip


# ---------------------------------------------------------------- targets


def _lessons(arguments: Arguments) -> Path:
    from tutor.paths import lessons_dir

    return Path(arguments.lessons) if arguments.lessons is not None else lessons_dir()


def _resolve(arguments: Arguments) -> Target:
    from tutor.lesson.errors import LessonError
    from tutor.lesson.find import resolve

    name = arguments.target or ""
    try:
        return resolve(name, _lessons(arguments))
    except LessonError as error:
        command = None if arguments.command else near_command(name)
        if command is not None and error.status == WRONG:
            raise Refusal(f"{error} Or the command `gradtutor {command}`?") from None
        raise


def _session(target: Target, arguments: Arguments, workers: Workers | None = None) -> Session:
    from tutor.session import Session

    return Session(target, workers=workers, knobs=arguments.knobs, device=arguments.device, args=arguments.script)


def _load(target: Target, arguments: Arguments) -> Timeline:
    """A recording from its file."""
    from tutor.trace.timeline import Timeline
    from tutor.trace.tracefile import TraceError

    if arguments.knobs or arguments.device is not None:
        raise Refusal(f"{target.name} is a recording: --set and --device are for what is run.")
    try:
        return Timeline.load(target.path)
    except TraceError as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(f"{target.name} cannot be read: {error.strerror or error}.", MISSING) from None


def _timeline(target: Target, arguments: Arguments) -> tuple[Timeline, int]:
    """The whole recording of a target, run if need be, and the exit status that it gives."""
    if target.kind == "trace":
        timeline = _load(target, arguments)
        status = _status(timeline)
    else:
        timeline, status = _run(target, arguments)
    _tell_notices(timeline)
    return timeline, status


def _tell_notices(timeline: Timeline) -> None:
    for notice in timeline.notices:
        _say(notice, FINE)


def _run(target: Target, arguments: Arguments, out: Path | None = None, echo: bool = False) -> tuple[Timeline, int]:
    """Run a script or a lesson to its end."""
    from tutor.session import record_blocking

    session = _session(target, arguments)
    try:
        timeline = record_blocking(session, out=out, echo=_echo if echo else None)
    except OSError as error:
        raise Refusal(f"{out or target.name} cannot be written: {error.strerror or error}.", MISSING) from None
    if session.refused is not None:
        raise Refusal(session.refused.note, session.refused.status)
    return timeline, _status(timeline)


def _echo(stream: str, text: str) -> None:
    """What the script prints, as it comes. Nobody listening does not end the recording."""
    from tutor.text.output import close_quietly

    to = sys.stderr if stream == "stderr" else sys.stdout
    try:
        to.write(text)
        to.flush()
    except BrokenPipeError:
        close_quietly(to)


def _status(timeline: Timeline) -> int:
    """What a recording's program ended with, as our own exit status."""
    end = timeline.run_end
    if end is None:
        return FAILED if timeline.cells and timeline.cells[-1].outcome == "failed" else FINE
    if end.outcome == "stopped":
        return INTERRUPTED
    return FINE if end.status == 0 else FAILED


# ---------------------------------------------------------------- walking


def _walk(target: Target, arguments: Arguments) -> int:
    """Walk through a target, on the screen or without one."""
    if not arguments.plain:
        return _screen(target, arguments)
    from tutor.progress import Store
    from tutor.text.walk import Walker

    timeline, status = _timeline(target, arguments)
    store = Store() if target.kind == "lesson" else None
    Walker(timeline, store, arguments.lang, sys.stdin, sys.stdout).run()
    return status


def _screen(target: Target | None, arguments: Arguments) -> int:
    """The full screen, where there is a terminal that can show it."""
    from tutor import ui

    timeline = _load(target, arguments) if target is not None and target.kind == "trace" else None
    why_not = ui.refusal()
    if why_not is not None:
        raise Refusal(why_not, MISSING)
    from tutor.process import Workers

    workers = Workers()
    return ui.run(
        target, lessons_dir=_lessons(arguments), session_factory=lambda one: _session(one, arguments, workers),
        workers=workers, timeline=timeline, language=arguments.lang,
    )  # fmt: skip
