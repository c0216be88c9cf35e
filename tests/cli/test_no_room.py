"""Machines without descriptors, processes, memory, temporary files or a home: a run, or a line that says why not."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.test_cli import GOOD, environment, script
from tests.cli.test_full_disk import namespace
from tests.e2e.terminal import GRADTUTOR
from tests.sampling import sample
from tutor.session.worker_process import MAX_QUOTED, describe_failed_start
from tutor.trace import tracefile

pytestmark = pytest.mark.sampled(3)

STEPS = ("steps", "script.py")
RECORD = ("record", "script.py")
CHECK = ("check", "two-paths")
FOLDERS = ("TMPDIR", "HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
PLACES = ("/nowhere/at/all", "/dev/null", "", "relative", "file")
CANNOT_START = "gradtutor: the process that runs the code cannot be started: "


def run(
    folder: Path, words: Sequence[str], *, within: Sequence[str] = (), limit: Callable[[], None] | None = None,
    without: Sequence[str] = (), more: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    script(folder, GOOD)
    env = {name: value for name, value in environment(folder, **(more or {})).items() if name not in without}
    done = subprocess.run(
        [*within, *GRADTUTOR, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=120,
        preexec_fn=limit, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


def unknown_user() -> list[str]:
    """Return the words before a command that run it as a user unknown to the system; none if we are not root.

    Limits do not hold for root. The user may read what root may read.
    """
    if os.geteuid():
        return []
    can = "+dac_read_search"
    words = ["setpriv", "--reuid=54321", "--clear-groups", f"--inh-caps={can}", f"--ambient-caps={can}", "--"]
    tried = [*words, sys.executable, "-c", ""]
    if shutil.which("setpriv") is None or subprocess.run(tried, capture_output=True).returncode:
        pytest.skip("no other user can run Python here")
    return words


def at_most(what: int, count: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(what, (count, count))


@pytest.mark.parametrize("words", [STEPS, RECORD, CHECK], ids=" ".join)
@pytest.mark.parametrize("count", [5, 7])
def test_no_descriptors(tmp_path: Path, words: Sequence[str], count: int) -> None:
    done = run(tmp_path, words, limit=at_most(resource.RLIMIT_NOFILE, count))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"{CANNOT_START}Too many open files. `gradtutor doctor` says more.\n"


def test_descriptors_are_not_mistaken_for_temporary_files(tmp_path: Path) -> None:
    for count in range(8, 20, 3):
        done = run(tmp_path, STEPS, limit=at_most(resource.RLIMIT_NOFILE, count))
        assert done.returncode in (0, 3)
        assert "temporary" not in done.stderr


@pytest.mark.parametrize("words", sample([STEPS, RECORD, CHECK], 1), ids=" ".join)
def test_no_process_and_no_thread(tmp_path: Path, words: Sequence[str]) -> None:
    """As the limit grows, first nothing starts, then all of it but a thread of ours; then it runs."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    seen = set()
    limits = (0, 3, 4, 8) if os.geteuid() == 0 else (0,)
    for count in limits:
        done = run(tmp_path, words, within=unknown_user(), limit=at_most(resource.RLIMIT_NPROC, count))
        seen.add(done.returncode)
        if done.returncode:
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
            assert done.stderr.startswith("gradtutor: the process that runs the code ")
    assert seen == ({0, 3} if len(limits) > 1 else {3})


def test_no_room_for_temporary_files(tmp_path: Path) -> None:
    """Nothing but the folder of the recording can be written to."""
    folders = "/tmp /var/tmp /dev/shm"
    shut = f"for at in {folders}; do mount --bind $at $at && mount -o remount,bind,ro $at; done"
    within = [*namespace(), "sh", "-c", f'mkdir -p out; {shut}; mount -t tmpfs none {tmp_path}/out; exec "$@"', "sh"]
    for words in sample([STEPS, ("record", "-o", "out/run.trace", "script.py"), CHECK, ("doctor",)], 2):
        done = run(tmp_path, words, within=within)
        assert done.returncode == 0, done.stderr
        assert "temporary" not in done.stderr


def test_a_user_without_a_home(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    for words, home in ((("list",), None), (("list",), "relative"), (("--plain", "two-paths"), None), (STEPS, None)):
        without = ("XDG_DATA_HOME",) if home else ("XDG_DATA_HOME", "HOME")
        within = unknown_user() or ["env", "HOME="]
        done = run(tmp_path, words, within=within, without=without, more={"HOME": home} if home else None)
        assert done.returncode == 0, done.stderr
        assert done.stderr in ("", "gradtutor: Progress is not kept: there is no home folder.\n")


@pytest.mark.parametrize(("name", "place"), sample(list(itertools.product(FOLDERS, PLACES)), 8))
def test_folders_that_are_none(tmp_path: Path, name: str, place: str) -> None:
    """Most of them with a command that needs no torch, which is the same for all."""
    script(tmp_path, "", "file")
    value = str(tmp_path / place) if place == "file" else place
    assert run(tmp_path, ("list",), more={name: value}).returncode == 0
    if place == "file":
        done = run(tmp_path, RECORD, more={name: value})
        assert (done.returncode, done.stdout) == (0, "hello\n")
        assert tracefile.load(tmp_path / "script.trace").notices == []


def test_a_current_folder_that_cannot_be_written(tmp_path: Path) -> None:
    script(tmp_path, GOOD)
    shut = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
    within = [*namespace(), "sh", "-c", shut, "sh"]
    assert run(tmp_path, STEPS, within=within).returncode == 0
    done = run(tmp_path, RECORD, within=within)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "gradtutor: script.trace cannot be written: Read-only file system.\n"


@pytest.mark.parametrize("words", [("steps",), ("record", "-o", "/dev/null"), ("check",)], ids=" ".join)
def test_a_current_folder_that_is_gone(tmp_path: Path, words: Sequence[str]) -> None:
    from tutor.paths import lessons_dir

    lesson = next(lessons_dir().glob("graph/*two-paths.py"))
    within = ["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh"]
    done = run(tmp_path, (*words, str(lesson)), within=within)
    assert (done.returncode, done.stdout) == (3, "")
    why = "the current folder cannot be used: No such file or directory"
    assert done.stderr == f"{CANNOT_START}{why}. `gradtutor doctor` says more.\n"


def test_what_a_process_printed_is_quoted_in_part() -> None:
    """A process without memory may print the same words without end."""
    said = describe_failed_start(1, "first\n" + "no memory " * 10_000)
    assert len(said) < MAX_QUOTED + 200
    assert "no memory …`" in said


def test_what_is_wrong_before_the_first_line_is_no_output_of_the_script(tmp_path: Path) -> None:
    """`record` hands on what the script prints, not what its process says when it cannot begin."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "jupytext.py").write_text("raise ImportError('not whole')\n")
    script(tmp_path, f"# %%\n{GOOD}", "cells.py")
    assert run(tmp_path, ("record", "cells.py")).returncode == 0
    before = (tmp_path / "cells.trace").read_bytes()
    done = run(tmp_path, ("record", "cells.py"), more={"PYTHONPATH": str(tmp_path / "broken")})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "It printed last: `ImportError: not whole`." in done.stderr
    assert [path.name for path in tmp_path.glob("*.trace*")] == ["cells.trace"]
    assert (tmp_path / "cells.trace").read_bytes() == before


def test_doctor_without_a_python_to_start(tmp_path: Path) -> None:
    for executable in ("''", "None", "'/nowhere/python'"):
        code = f"import sys\nsys.executable = {executable}\nfrom tutor.cli import main\nsys.exit(main(['doctor']))"
        done = subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True)
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        assert "Lessons cannot be run." in done.stdout
