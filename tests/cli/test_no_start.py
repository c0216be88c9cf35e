"""A worker that cannot start, or ends before the first cell: one line that says why, and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import GOOD, environment, script

pytestmark = pytest.mark.sampled(3)

BROKEN = "raise ImportError('libcudart.so.12: cannot open shared object file')\n"


def run(folder: Path, words: list[str], before: str = "", **more: str) -> tuple[int, str, str]:
    program = ["sh", "-c", f'{before} "$@"', "sh", sys.executable, "-P", "-m", "tutor", *words]
    done = subprocess.run(
        program, cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def broken(folder: Path, text: str = BROKEN) -> str:
    """A folder for PYTHONPATH with a torch that cannot be imported."""
    (folder / "broken" / "torch").mkdir(parents=True)
    (folder / "broken" / "torch" / "__init__.py").write_text(text)
    return str(folder / "broken")


@pytest.mark.parametrize("command", ["steps", "show", "record", "open"])
def test_a_torch_that_cannot_be_imported(tmp_path: Path, command: str) -> None:
    words = [command, *(["--plain"] if command == "open" else []), script(tmp_path, GOOD)]
    status, out, errors = run(tmp_path, words, PYTHONPATH=broken(tmp_path))
    assert (status, out) == (3, "")
    assert errors == (
        "gradtutor: the process that runs the code ended with exit status 1 before the first line. It printed last: "
        "`ImportError: libcudart.so.12: cannot open shared object file`. `gradtutor doctor` says more.\n"
    )
    assert not list(tmp_path.glob("*.trace*"))


def test_a_check_with_a_torch_that_cannot_be_imported(tmp_path: Path) -> None:
    status, out, errors = run(tmp_path, ["check", "graph/two-paths"], PYTHONPATH=broken(tmp_path))
    assert (status, out, errors.count("\n")) == (3, "", 1)
    assert "It printed last: `ImportError: libcudart.so.12: cannot open shared object file`." in errors


def test_a_torch_that_ends_or_kills_the_process(tmp_path: Path) -> None:
    name = script(tmp_path, GOOD)
    path = broken(tmp_path, "import os\nos._exit(0)\n")
    status, out, errors = run(tmp_path, ["steps", name], PYTHONPATH=path)
    assert (status, out, "exit status 0 before the first line" in errors) == (3, "", True)
    (tmp_path / "broken/torch/__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    status, out, errors = run(tmp_path, ["steps", name], PYTHONPATH=path)
    assert (status, out, "died of SIGSEGV before the first line" in errors) == (3, "", True)


def test_a_worker_that_ends_after_its_imports(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "jupytext.py").write_text("raise ImportError('not whole')\n")
    name = script(tmp_path, f"# %%\n{GOOD}")
    status, out, errors = run(tmp_path, ["steps", name], PYTHONPATH=str(tmp_path / "broken"))
    assert (status, out, errors.count("\n")) == (3, "", 1)
    assert "It printed last: `ImportError: not whole`." in errors


@pytest.mark.parametrize("limit", ["ulimit -v 400000", "ulimit -f 0", "ulimit -n 9"])
def test_a_machine_without_room(tmp_path: Path, limit: str) -> None:
    status, out, errors = run(tmp_path, ["steps", script(tmp_path, GOOD)], f"{limit};")
    assert (status, out) == (3, "")
    assert "the process that runs the code" in errors
    assert "`gradtutor doctor` says more." in errors
    assert errors.count("\n") == 1


def test_no_python_to_start(tmp_path: Path) -> None:
    code = "import sys\nsys.executable = {}\nfrom tutor.cli import main\nsys.exit(main(['steps', 'script.py']))"
    script(tmp_path, GOOD)
    for executable in ("'/nowhere/python'", "''", "None"):
        program = [sys.executable, "-c", code.format(executable)]
        done = subprocess.run(program, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("gradtutor: the process that runs the code cannot be started: ")
        assert done.stderr.count("\n") == 1
