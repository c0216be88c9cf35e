"""The real program: what it prints, and the status that it ends with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited

Run = Callable[..., subprocess.CompletedProcess[str]]
GOOD = "import torch\nw = torch.tensor([1.], requires_grad=True)\n(w * 2).backward()\nprint('hello')\n"


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "PYTHON"))}
    return {**kept, "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path), "TERM": "xterm", **more}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_it(*words: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words], input=typed, capture_output=True, text=True, cwd=tmp_path, encoding="utf-8",
            **inherited(environment(tmp_path, **more)),
        )  # fmt: skip
        assert "Traceback" not in done.stderr or "script" in done.stderr, done.stderr
        return done

    return run_it


def script(tmp_path: Path, text: str, name: str = "script.py") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return name


def refused(done: subprocess.CompletedProcess[str], status: int, *says: str) -> None:
    """One line on standard error, nothing on standard output."""
    assert done.returncode == status, done
    assert done.stdout == ""
    assert done.stderr.startswith("gradtutor: ")
    assert done.stderr.count("\n") == 1
    for words in says:
        assert words in done.stderr


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout.startswith("gradtutor 0.")
    assert run("steps", "--help").returncode == 0
    assert run("--help").stdout.startswith("usage: gradtutor")


def test_list(run: Run) -> None:
    found = json.loads(run("list", "--json").stdout)
    assert [set(one) for one in found] == [
        {"id", "title", "summary", "family", "path", "topics", "minutes", "languages", "needs", "progress", "next"}
    ] * len(found)  # fmt: skip
    assert "graph/two-paths" in [one["id"] for one in found]
    path = [one for one in found if one["path"] is not None]
    assert [one["path"] for one in path] == list(range(len(path)))
    assert path == found[: len(path)]
    assert [one["id"] for one in found if one["next"]] == ["start/how-to-walk"]
    assert all(one["minutes"] > 0 and one["topics"] for one in found)
    text = run("list")
    rows = text.stdout.splitlines()
    assert (rows[0], rows[1 + len(path)]) == ("the path", "side roads")
    assert rows[1].split() == ["0", "start/how-to-walk", "How", "to", "walk", str(found[0]["minutes"]), "min", "next"]
    assert run("--plain").stdout == text.stdout
    refused(run("list", "--lessons", "nowhere"), 3, "nowhere")


def test_steps_of_the_lesson(run: Run) -> None:
    done = run("steps", "graph/two-paths", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["code"] for one in found if one["kind"] == "op"][2:5] == ["x + w", "w + 1", "a * b"]
    parts = next(one["parts"] for one in found if one["kind"] == "accumulate" and one["tensor"] == "w")
    assert sorted(value for _, value in parts) == [[2.0], [3.0]]


def test_a_saved_recording_gives_the_same_bytes_without_the_script(run: Run, tmp_path: Path) -> None:
    name = script(tmp_path, GOOD)
    done = run("record", "-o", "run.trace", name)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr.startswith("gradtutor: recorded ")
    commands = (["steps", "--json"], ["steps"], ["show", "--json"], ["show", "--at", "line:3"])
    before = [run(words[0], name, *words[1:]).stdout for words in commands]
    (tmp_path / name).unlink()
    assert [run(words[0], "run.trace", *words[1:]).stdout for words in commands] == before
    assert json.loads(before[2])["tensors"]["w"]["grad"] == [2.0]


def test_record_passes_arguments_and_output_on(run: Run, tmp_path: Path) -> None:
    name = script(tmp_path, "import sys\nprint(sys.argv[1:])\nprint('oh', file=sys.stderr)\nsys.exit(7)\n")
    done = run("record", name, "-x", "--help")
    assert (done.returncode, done.stdout) == (1, "['-x', '--help']\n")
    assert "oh\n" in done.stderr
    assert (tmp_path / "script.trace").exists()
    assert run("steps", "script.trace").returncode == 1


def test_a_script_that_fails_is_shown_and_recorded(run: Run, tmp_path: Path) -> None:
    name = script(tmp_path, "import torch\na = torch.ones(1)\n1 / 0\n")
    assert run("record", name, "-o", "failed.trace").returncode == 1
    for target in (name, "failed.trace"):
        done = run("show", target, "--json")
        assert (done.returncode, json.loads(done.stdout)["tensors"]["a"]["value"]) == (1, [1.0])


def test_wrong_use(run: Run, tmp_path: Path) -> None:
    refused(run("steps"), 2, "TARGET")
    refused(run("no-such-lesson"), 2, "no-such-lesson")
    refused(run("steps", "tensors"), 2, "tensors/first-look")
    refused(run("show", "two-pahts"), 2, "graph/two-paths")
    name = script(tmp_path, GOOD)
    refused(run("show", name, "--at", "line:99"), 2, "99")
    refused(run("show", name, "--at", "nowhere"), 2, "nowhere")
    refused(run("steps", name, "--set", "lr=1"), 2, "lr")
    refused(run("view", name), 2, "not a recording")
    refused(run("lsit"), 2, "`gradtutor list`")


def test_files_that_are_none(run: Run, tmp_path: Path) -> None:
    refused(run("steps", "missing.py"), 3, "missing.py")
    refused(run("open", "missing.py"), 3, "missing.py")
    refused(run("steps", str(tmp_path)), 2, "folder")
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    refused(run("steps", "binary.py"), 2, "not text")
    refused(run("record", script(tmp_path, "import torch\nx = (1 +\n", "broken.py")), 2, "broken.py:2", "syntax")
    assert not (tmp_path / "broken.trace").exists()
    refused(run("steps", script(tmp_path, "{}", "definitions.ipynb")), 2, "no cells")
    refused(run("steps", script(tmp_path, "# hello", "text.md")), 2, "no cell with Python code")
    (tmp_path / "bad.trace").write_bytes(b"nonsense")
    refused(run("view", "bad.trace"), 2, "bad.trace")
    header = "# ---\n# jupyter:\n#   gradtutor: {title: [\n# ---\n# %%\n1\n"
    refused(run("steps", script(tmp_path, header, "yaml.py")), 2, "yaml.py", "YAML")
    refused(run("record", script(tmp_path, GOOD), "-o", "no/where.trace"), 3, "no")
    refused(run("record", script(tmp_path, GOOD), "-o", "."), 2, "folder")


def test_no_terminal(run: Run) -> None:
    refused(run(), 3, "--plain")
    refused(run("two-paths"), 3, "--plain")
    refused(run("two-paths", TERM="dumb"), 3, "--plain")


def test_knobs(run: Run) -> None:
    done = run("show", "training/line-by-hand", "--set", "lr=0.02", "--json")
    assert json.loads(done.stdout)["knobs"] == {"lr": 0.02}
    refused(run("show", "training/line-by-hand", "--set", "lr=x"), 2, "lr")
    refused(run("show", "training/line-by-hand", "--set", "rl=1"), 2, "rl")


def test_plain_walk_over_a_pipe(run: Run, tmp_path: Path) -> None:
    done = run("--plain", script(tmp_path, GOOD), typed="\n\n\nb\nend\n")
    assert done.returncode == 0
    assert "backward pass 1 begins at (w * 2) = 2" in done.stdout
    assert "printed: hello" in done.stdout
    assert run("view", "--plain", "nothing.trace").returncode == 3


def test_ascii_terminal(run: Run) -> None:
    done = run("steps", "graph/two-paths", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "1 x 2 = 2" in done.stdout
    assert done.stdout.isascii()


def test_a_pipe_that_closes(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "tutor", "steps", "graph/two-paths"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_ctrl_c_keeps_the_recording(tmp_path: Path) -> None:
    name = script(tmp_path, "import torch\na = torch.ones(1)\nprint('on', flush=True)\nwhile True:\n    a = a + 1\n")
    command = [sys.executable, "-P", "-m", "tutor", "record", name, "-o", "loop.trace"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
                               env=environment(tmp_path))  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"recorded " in errors
    assert b"Traceback" not in errors.replace(b'Traceback (most recent call last):\n  File "' + name.encode(), b"")
    assert (tmp_path / "loop.trace").exists()


def test_the_front_end_stays_cold(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tutor.cli import main\nmain(['list'])\n"
        "heavy = {'torch', 'numpy', 'textual', 'rich', 'jupytext', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    code = "import sys\nfrom tutor.cli import main\nmain(['--version'])\nassert 'msgspec' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path))
    assert done.returncode == 0, done.stderr


def test_doctor(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0
    for word in ("Python", "torch", "CUDA", "terminal"):
        assert f"\n{word}" in "\n" + done.stdout


def test_check_and_new(run: Run, tmp_path: Path) -> None:
    done = run("new", "graph/mine", "--lessons", "own")
    assert done.returncode == 0
    assert done.stdout.startswith("wrote own/graph/01-mine.py\n")
    refused(run("new", "graph/mine", "--lessons", "own"), 2, "already")
    good = run("check", "--lessons", "own")
    assert (good.returncode, good.stdout) == (0, "1 lesson checked, nothing wrong.\n")
    path = tmp_path / "own" / "graph" / "01-mine.py"
    path.write_text(path.read_text(encoding="utf-8").replace("next_w = ...", "next_w = 2.4"), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 2) if 'id="step"' in text)  # the first of its code
    bad = run("check", "own/graph/01-mine.py")
    assert bad.returncode == 2
    assert bad.stdout.splitlines() == [
        f"own/graph/01-mine.py:{line}: the starter of `step` already passes its check. "
        "Leave something to do, and check for it.",
        "1 lesson checked: 1 thing is wrong.",
    ]
    found = json.loads(run("check", "mine", "--json", "--lessons", "own").stdout)
    assert found["lessons"] == 1
    assert [(finding["line"], finding["warning"]) for finding in found["findings"]] == [(line, False)]
    refused(run("check", "nothing.py"), 3, "no such file")


def test_a_folder_of_ones_own(run: Run, tmp_path: Path) -> None:
    run("new", "graph/mine", "--lessons", "own")
    assert run("list", "--lessons", "own").stdout.split() == ["1", "graph/mine", "Mine", "4", "min", "next"]
    steps = run("steps", "mine", "--lessons", "own")
    assert steps.returncode == 0
    assert "the solution" not in steps.stdout
    (tmp_path / "empty").mkdir()
    refused(run("list", "--lessons", "empty"), 2, "no lesson in this folder", "gradtutor new")
    refused(run("--lessons", "empty"), 2, "no lesson in this folder")
    refused(run("--lessons", "nothing"), 3, "no such folder")
