"""Where the program starts other processes it is said, once, at the place, that what runs in them is not recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.worker.recording import Forker, Recording
from tutor.text.steps import record as step_record
from tutor.text.steps import text_of
from tutor.trace.events import Gap

TOLD = "other processes start here: what runs in them is not recorded"


def told(recorded: Recording) -> list[int]:
    """The lines at which it is said."""
    timeline = recorded.timeline
    found = [step for step in range(1, timeline.steps + 1) if TOLD in text_of(timeline, step)]
    for step in found:
        assert TOLD in step_record(timeline, step)["text"]
    return [timeline.view(step).line or 0 for step in found]


def how(recorded: Recording) -> list[str]:
    return [gap.detail for gap in recorded.of(Gap) if gap.why == "elsewhere"]


STARTS = {
    "Process": ("multiprocessing", "multiprocessing.get_context('fork').Process(target=print, args='x').start()"),
    "Pool": ("multiprocessing", "multiprocessing.get_context('fork').Pool(2).map(abs, [1, -2])"),
    "executor": (
        "multiprocessing",
        "list(concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork')).map(abs, [1, -2]))",
    ),
    "start_processes": (
        "torch.multiprocessing", "torch.multiprocessing.start_processes(print, (), 2, start_method='fork')"
    ),
    "fork": ("os.fork", "os.waitpid(os.fork() or os._exit(0), 0)"),
    "subprocess": ("subprocess", "subprocess.run([sys.executable, '-c', 'x = 1'])"),
    "a script": ("subprocess", "subprocess.check_output([sys.executable, '-u', '-X', 'dev', 'other.py', '--lr', '1'])"),
    "a shell": ("subprocess", "subprocess.run(f'cd . && A=1 {sys.executable} other.py', shell=True)"),
    "system": ("subprocess", "os.system(sys.executable + ' other.py > /dev/null')"),
    "sh -c": ("subprocess", "subprocess.run(['sh', '-c', sys.executable + ' other.py'])"),
}  # fmt: skip
HEAD = """\
import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import torch
os.chdir(os.path.dirname(os.path.abspath(__file__)))
"""


@pytest.mark.parametrize("name", STARTS)
def test_it_is_said_where_they_start(record: Forker, name: str) -> None:
    word, code = STARTS[name]
    recorded = record(f"{HEAD}w = torch.ones(1)\n{code}\nx = w + 1\n", beside={"other.py": "print('there')\n"})
    assert recorded.status == 0, recorded.stderr
    assert told(recorded) == [9]
    assert how(recorded) == [word]
    assert [note for note in recorded.timeline.notices if f"starts other processes ({word})" in note]
    assert recorded.value("x") == [2.0]


SPAWN = """\
import torch
import torch.multiprocessing as mp

def train(rank, queue):
    w = torch.ones(1) * rank
    queue.put(float(w))

def start():
    queue = mp.get_context("spawn").SimpleQueue()
    mp.spawn(train, args=(queue,), nprocs=2)
    return sorted([queue.get(), queue.get()])

if __name__ == "__main__":
    found = start()
    print(found)
"""


@pytest.mark.slow
def test_spawn(record: Forker) -> None:
    recorded = record(SPAWN)
    assert recorded.status == 0, recorded.stderr
    assert recorded.stdout == "[0.0, 1.0]\n"
    assert told(recorded) == [10]
    assert how(recorded) == ["torch.multiprocessing"]
    assert "train" not in {recorded.timeline.view(step).function for step in recorded.steps_of("line")}


def test_torchrun_from_within(record: Forker) -> None:
    """The launcher starts its children as commands."""
    script = """\
import os
import sys
from torch.distributed.run import main
other = os.path.join(os.path.dirname(os.path.abspath(__file__)), "other.py")
main(["--standalone", "--nproc-per-node=1", other])
"""
    recorded = record(script, beside={"other.py": "print('there')\n"})
    assert told(recorded) == [5]
    assert how(recorded) == ["subprocess"]


def test_once_for_each_statement(record: Forker) -> None:
    script = HEAD + "for k in range(3):\n    subprocess.run([sys.executable, '-c', ''])\n"
    script += "subprocess.run([sys.executable, '-c', ''])\n"
    assert told(record(script)) == [9, 10]


QUIET = {
    "loader": """\
from torch.utils.data import DataLoader
for batch in DataLoader(torch.arange(8.0), batch_size=4, num_workers=2):
    total = batch.sum()
""",
    "manager": "with multiprocessing.get_context('fork').Manager() as manager:\n    names = manager.dict()\n",
    "shared": "import multiprocessing.resource_tracker\nmultiprocessing.resource_tracker.ensure_running()\n",
    "commands": """\
subprocess.run(["true"])
subprocess.run("echo python train.py", shell=True)
subprocess.run(["echo", "python"])
subprocess.run(["grep", "-c", "python", __file__])
os.system("true; echo torchrun")
os.popen("echo 1").read()
""",
    "tools": """\
subprocess.run([sys.executable, "--version"])
subprocess.run([sys.executable, "-m", "site", "--user-site"])
subprocess.run([sys.executable, os.path.join(os.path.dirname(torch.__file__), "torch_version.py")])
""",
    "nothing": "try:\n    subprocess.run(['/nowhere/python', 'train.py'])\nexcept FileNotFoundError:\n    pass\n",
    "compiled": "f = torch.compile(lambda x: x + 1, backend='aot_eager')\ny = f(torch.ones(1))\n",
}


@pytest.mark.parametrize("name", QUIET)
def test_helpers_and_other_programs_are_not_spoken_of(record: Forker, name: str) -> None:
    recorded = record(HEAD + QUIET[name])
    assert recorded.status == 0, recorded.stderr
    assert told(recorded) == []
    assert how(recorded) == []


def test_subprocess_looks_as_it_does_plainly(record: Forker, tmp_path: Path) -> None:
    """A class of the learner's own on it, and what it refuses."""
    script = """\
import subprocess, sys, traceback, inspect
class Quiet(subprocess.Popen):
    def __init__(self, *args):
        super().__init__(*args, stdout=subprocess.PIPE)
print(Quiet([sys.executable, "-c", "print(1)"]).communicate())
print(inspect.signature(subprocess.Popen.__init__).parameters["args"])
try:
    subprocess.Popen()
except TypeError as error:
    print(error, len(traceback.extract_tb(error.__traceback__)))
try:
    subprocess.run(["/nowhere/python"])
except FileNotFoundError as error:
    print(error, [frame.name for frame in traceback.extract_tb(error.__traceback__)])
"""
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    import subprocess

    plain = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert record(path).stdout == plain.stdout
