"""The command line: parse the words, run the command, return the exit status.

Modules are imported late: `gradtutor --version` loads next to nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.arguments import Arguments, UsageError, parse, similar_command
from tutor.i18n import _
from tutor.options import HelpWanted
from tutor.recordings import (
    FAILED,
    FINE,
    INTERRUPTED,
    MISSING,
    WRONG,
    Refusal,
    load,
    make_session,
    print_message,
    print_notices,
    run_changed,
    timeline_of,
)

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target


def main(words: list[str] | None = None) -> int:
    """Run `gradtutor`.

    Args:
        words: The words after `gradtutor`; by default those of the process.

    Returns:
        The exit status.
    """
    from tutor.text import format

    format.prepare_streams()
    status = _run_guarded(words)
    if words is None and os.environ.get("PYTHONINSPECT"):  # or Python would begin to converse, after a traceback
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    return status


def _run_guarded(words: list[str] | None) -> int:
    """Run a command; return the exit status, also if a standard stream is closed or the user interrupts."""
    from tutor.text import format

    try:
        status = _run(sys.argv[1:] if words is None else words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()  # the terminal's `^C` stands in this line
        return INTERRUPTED
    except EOFError:  # the end of input at a question
        return FINE
    except BrokenPipeError:
        format.close_quietly(sys.stdout)
        return FINE
    except OSError as error:  # what this machine does not let us do: no fault of ours, and no traceback
        return print_message(str(error), FAILED)
    except format.OutputError as error:
        format.close_quietly(sys.stdout)
        return print_message(_("cannot write: {why}", why=error), FAILED)


def _run(words: list[str]) -> int:
    """Parse the words and run the command; return the exit status."""
    try:
        arguments = parse(words)
    except HelpWanted as wanted:
        print(str(wanted), end="")
        return FINE
    except UsageError as error:
        return print_message(str(error), WRONG)
    if arguments.version:
        from importlib.metadata import version

        print("gradtutor", version("gradtutor"))
        return FINE
    from tutor.lesson.model import LessonError
    from tutor.study.settings import Settings

    problem = Settings().problem
    if problem:
        print_message(problem, FINE)
    try:
        return _COMMANDS[arguments.command](arguments)
    except (Refusal, LessonError) as error:
        return print_message(str(error), error.status)


# ---------------------------------------------------------------- the commands


def _run_lesson(arguments: Arguments) -> int:
    """Walk through a lesson, or list the lessons."""
    if arguments.target is None and not arguments.plain:
        return _open_screen(None, arguments)
    if arguments.target is None:
        status = _run_list(arguments)
        if not sys.stdin.isatty():
            return status
        answer = input(_("Which one? Its number or name, or Enter for none: ")).strip()
        if not answer:
            return status
        arguments.target = _resolve_number(answer, arguments)
    return _walk_through(_resolve_target(arguments), arguments)


def _resolve_number(typed: str, arguments: Arguments) -> str:
    """Return the id of the lesson with this number in the list; any other text as it is."""
    from tutor.lesson import catalog

    lessons = catalog.load(_lessons_folder(arguments)).lessons
    return lessons[int(typed) - 1].id if typed.isdecimal() and 1 <= int(typed) <= len(lessons) else typed


def _run_open(arguments: Arguments) -> int:
    """Walk through a script or a lesson's file."""
    target = _file_target(arguments)
    if target.kind == "trace":
        raise Refusal(_("{name} is a recording. `gradtutor view {name}` walks through it.", name=target.name))
    return _walk_through(target, arguments)


def _run_view(arguments: Arguments) -> int:
    """Walk through a recording."""
    from tutor.lesson.catalog import of_file

    target = of_file(arguments.target or "", _lessons_folder(arguments))
    if target.kind != "trace":
        raise Refusal(_("{name} is not a recording. `gradtutor open {name}` runs a script.", name=target.name))
    return _walk_through(target, arguments)


def _run_record(arguments: Arguments) -> int:
    """Record a script or a lesson."""
    target = _file_target(arguments)
    if target.kind == "trace":
        raise Refusal(_("{name} is a recording already.", name=target.name))
    from tutor.recordings import record

    return record(target, arguments)


def _run_list(arguments: Arguments) -> int:
    """List the lessons."""
    from tutor.lesson import catalog
    from tutor.study.progress import Store
    from tutor.text import listing

    lessons = catalog.load(_lessons_folder(arguments))
    store = Store()
    write = listing.write_json if arguments.json else listing.write_text
    write(lessons, store, arguments.lang, sys.stdout)
    for problem in lessons.problems:
        print_message(str(problem), FINE)
    if store.notice is not None:
        print_message(store.notice, FINE)
    return WRONG if lessons.problems else FINE


def _run_steps(arguments: Arguments) -> int:
    """List the steps of a target."""
    import gc

    from tutor.text import steps

    timeline, status = timeline_of(_resolve_target(arguments), arguments)
    shown = timeline.notices
    gc.freeze()  # nothing imported or loaded until now becomes garbage while the steps are listed
    gc.set_threshold(100_000)  # and what becomes garbage has no cycles
    (steps.write_json if arguments.json else steps.write_text)(timeline, sys.stdout)
    print_notices(timeline, shown)
    return status


def _run_show(arguments: Arguments) -> int:
    """Show one point of a target."""
    from tutor.text import show
    from tutor.trace.navigation import PlaceError, resolve

    timeline, status = timeline_of(_resolve_target(arguments), arguments)
    try:
        step = resolve(timeline, arguments.at)
    except PlaceError as error:
        raise Refusal(str(error)) from None
    shown = timeline.notices
    (show.write_json if arguments.json else show.write_text)(timeline, step, sys.stdout)
    print_notices(timeline, shown)
    return status


def _run_check(arguments: Arguments) -> int:
    """Check lessons."""
    from tutor.check.checker import report
    from tutor.lesson.catalog import resolve

    lessons = _lessons_folder(arguments)
    paths = [Path(name) if Path(name).exists() else resolve(name, lessons).path for name in arguments.paths]
    return (
        FINE
        if report([_relative_path(path) for path in paths or [lessons]], sys.stdout, json=arguments.json)
        else WRONG
    )


def _run_new(arguments: Arguments) -> int:
    """Write the template of a lesson."""
    from tutor import paths
    from tutor.lesson import template

    if arguments.lessons is None and paths.is_packaged():
        raise Refusal(_("say where the lesson is to go: gradtutor new FAMILY/SLUG --lessons DIR"))
    folder = Path(arguments.lessons) if arguments.lessons is not None else paths.lessons_dir()
    path = _relative_path(template.write(arguments.target or "", folder))
    print(_("wrote {path}\nEdit it, then `gradtutor check {path}` says what is wrong with it.", path=path))
    return FINE


def _run_glossary(arguments: Arguments) -> int:
    """Explain a term, or all."""
    from tutor.lesson import glossary
    from tutor.lesson.model import LessonError, closest_names, suggest
    from tutor.text.glossary import write

    word = arguments.target
    entries = list(glossary.ENTRIES) if word is None else glossary.find(word)
    if not entries:
        terms = [term for entry in glossary.ENTRIES for term in (*entry.term.values(), *entry.words)]
        fix = suggest(word or "", terms) if closest_names(word or "", terms) else _("`gradtutor glossary` lists all.")
        raise LessonError(_("`{word}` is not in the glossary.", word=word), fix=fix)
    write(entries, arguments.lang, sys.stdout)
    return FINE


def _run_completion(arguments: Arguments) -> int:
    """Write what makes a shell complete our words."""
    from tutor import completion

    sys.stdout.write(completion.script(arguments.target or "", _lessons_folder(arguments), arguments.lang))
    return FINE


def _run_doctor(arguments: Arguments) -> int:
    """Check this machine."""
    from tutor.text import doctor

    return FINE if doctor.write(sys.stdout) else MISSING


_COMMANDS = {
    "": _run_lesson, "open": _run_open, "record": _run_record, "view": _run_view, "list": _run_list,
    "steps": _run_steps, "show": _run_show,
    "check": _run_check, "new": _run_new, "glossary": _run_glossary,
    "completion": _run_completion, "doctor": _run_doctor,
}  # fmt: skip


# ---------------------------------------------------------------- targets


def _lessons_folder(arguments: Arguments) -> Path:
    """Return the folder of lessons.

    Raises:
        LessonError: The folder that was named is missing or empty.
    """
    from tutor.paths import lessons_dir

    if arguments.lessons is None:
        return lessons_dir()
    from tutor.lesson import catalog
    from tutor.lesson.model import LessonError

    folder = Path(arguments.lessons)
    lessons = catalog.load(folder)
    if not lessons.lessons and not lessons.problems:
        fix = _("`gradtutor new graph/first --lessons {folder}` writes one.", folder=folder)
        raise LessonError(_("there is no lesson in this folder."), path=str(folder), fix=fix)
    return folder


def _relative_path(path: Path) -> Path:
    """Return a path relative to the working directory, if it is inside."""
    try:
        here, absolute = Path.cwd(), path.absolute()
    except OSError:  # the folder that we stand in is gone
        return path
    return absolute.relative_to(here) if absolute.is_relative_to(here) else path


def _file_target(arguments: Arguments) -> Target:
    """Return the file or module that the command names."""
    from tutor.lesson.catalog import of_file, of_module

    if arguments.is_module:
        return of_module(arguments.target or "").with_args(arguments.script)
    target = of_file(arguments.target or "", _lessons_folder(arguments))
    return target if target.kind == "trace" else target.with_args(arguments.script)


def _resolve_target(arguments: Arguments) -> Target:
    """Return the target that the command names."""
    from tutor.lesson.catalog import resolve
    from tutor.lesson.model import LessonError

    name = arguments.target or ""
    if arguments.is_module:
        return _file_target(arguments)
    try:
        target = resolve(name, _lessons_folder(arguments))
        if arguments.script and target.kind != "file":
            raise Refusal(_("{name} takes no arguments: {words}.", name=name, words=" ".join(arguments.script)))
        return target.with_args(arguments.script)
    except LessonError as error:
        command = None if arguments.command else similar_command(name)
        if command is not None and error.status == WRONG:
            raise Refusal(_("{error} Or the command `gradtutor {command}`?", error=error, command=command)) from None
        raise


# ---------------------------------------------------------------- walking


def _walk_through(target: Target, arguments: Arguments) -> int:
    """Walk through a target, on the screen or without one; return the exit status."""
    if not arguments.plain:
        return _open_screen(target, arguments)
    from functools import partial

    from tutor.study.progress import Store
    from tutor.text.walk import Walker

    timeline, status = timeline_of(target, arguments)
    store = Store() if target.kind == "lesson" else None
    shown = timeline.notices
    again = None if target.kind == "trace" else partial(run_changed, target, arguments)
    Walker(target, timeline, store, arguments.lang, sys.stdin, sys.stdout, again).run()
    print_notices(timeline, shown)
    return status


def _open_screen(target: Target | None, arguments: Arguments) -> int:
    """Open the screen; raise Refusal if the terminal cannot show it."""
    from tutor import ui

    lessons = _lessons_folder(arguments)
    timeline = load(target, arguments) if target is not None and target.kind == "trace" else None
    reason = ui.refusal()
    if reason is not None:
        raise Refusal(reason, MISSING)
    from tutor.session.worker_process import TYPED, StartError, Workers, check_room

    try:
        check_room()
    except StartError as error:
        raise Refusal(str(error), MISSING) from None
    workers = Workers(stdin=TYPED)
    return ui.run(
        target, lessons_dir=lessons, session_factory=lambda each: make_session(each, arguments, workers),
        workers=workers, timeline=timeline, language=arguments.lang, images=arguments.images,
    )  # fmt: skip
