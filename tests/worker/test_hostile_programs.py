"""Programs that close our descriptors, raise out of signal handlers, end abruptly or fork run as by themselves."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.runs import handle_interrupts
from tests.sampling import sample
from tests.worker.recording import Forker, record_session
from tests.worker.servers import forked_session, run_python
from tutor.trace import tracefile
from tutor.trace.timeline import Timeline

CLOSED = "The program has closed the pipe"
PROGRAMS = {
    "closes a range": """\
import os
os.closerange(3, 65536)
files = [open(f"mine{i}.txt", "w") for i in range(12)]
import time, torch
x = torch.tensor(2.0, requires_grad=True)
for _ in range(20):
    (x * x).backward()
    time.sleep(0.01)
for file in files:
    file.write("mine")
    file.close()
print(x.grad.item(), [open(f"mine{i}.txt").read() for i in range(12)] == ["mine"] * 12)
""",
    "replaces every descriptor": """\
import os, torch
other = os.open("other.txt", os.O_CREAT | os.O_RDWR)
for number in range(3, 1024):
    if number != other:
        try:
            os.fstat(number)
        except OSError:
            continue
        os.dup2(other, number)
x = torch.ones(2)
y = x * 2
print(os.path.getsize("other.txt"))
""",
    "replaces every descriptor below a low limit": """\
import os, resource, torch
resource.setrlimit(resource.RLIMIT_NOFILE, (24, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
other = os.open("other.txt", os.O_CREAT | os.O_RDWR)
for number in range(3, 1024):
    if number != other and os.path.exists(f"/proc/self/fd/{number}"):
        os.dup2(other, number)
x = torch.ones(2)
y = x * 2
print(os.path.getsize("other.txt"))
try:
    os.dup2(other, 900)
except OSError as error:
    print(error)
""",
    "a large int": "a = 10**5000\nb, c = a, [a]\ndef f(n):\n    return n\nf(a)\nprint('fine')\n",
    "closes stdout": "import sys\nprint('one')\nsys.stdout.close()\n",
    "closes stderr": "import sys\nprint('one')\nsys.stderr.close()\n",
    "replaces stdout": """\
import os
print("before", flush=True)
file = os.open("out.txt", os.O_CREAT | os.O_WRONLY)
kept = os.dup(1)
os.dup2(file, 1)
print("to the file", flush=True)
os.dup2(kept, 1)
print("after", open("out.txt").read().strip())
""",
    "a time limit": """\
import signal, torch
class Late(Exception):
    pass
def late(number, frame):
    raise Late(number)
assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
assert signal.signal(signal.SIGALRM, late) == signal.SIG_DFL
assert signal.getsignal(signal.SIGALRM) is late
x = torch.tensor(2.0, requires_grad=True)
count = 0
for _ in range(10):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        while True:
            (x * x).backward()
    except Late:
        count += 1
print(count, torch.isfinite(x.grad).item(), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
""",
    "an interrupt by itself": """\
import os, signal, torch
x = torch.ones(2)
try:
    for i in range(10**9):
        x = x + 1
        if i == 50:
            os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", i < 60)
""",
    "ends in a thread": """\
import os, threading, torch
print("a", flush=True)
threading.Thread(target=lambda: os._exit(7)).start()
while True:
    torch.ones(1)
""",
    "becomes another program": """\
import os, sys
print("first", flush=True)
os.execv(sys.executable, [sys.executable, "-c", "print('second')"])
""",
    "forks in a fork": """\
import os, torch
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
print("done")
""",
    "a property that raises": """\
import torch
def refuse(self):
    raise ValueError("no version")
x = torch.ones(2, requires_grad=True)
(x * x).sum().backward()
torch.Tensor._version = property(refuse)
print(x.grad.tolist(), x.is_leaf)
""",
    "a subclass that logs": """\
import torch
names = []
class Logged(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        names.append(getattr(function, "__name__", "?"))
        return super().__torch_function__(function, types, args, kwargs or {})
t = torch.ones(3).as_subclass(Logged)
u = t * 2
u += 1
v = torch.stack([t, u])
print(names)
""",
    "a signal while it loads": """\
import signal, torch
from torch.utils.data import DataLoader
def late(number, frame):
    raise TimeoutError("late")
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    while True:
        for batch in DataLoader(list(range(50)), batch_size=5):
            batch * 2
except TimeoutError as error:
    print(error)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_by_itself(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, recorded = (write(tmp_path / folder, PROGRAMS[name]) for folder in ("plain", "recorded"))
    monkeypatch.chdir(plain.parent)
    status, stdout, _ = run_python([plain.name], dict(os.environ))
    monkeypatch.chdir(recorded.parent)
    done = record_session(forked_session(recorded))
    is_as_by_itself(name, (status, stdout), (done.status, done.stdout, done.stderr), done.timeline)


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(list(PROGRAMS), 1))
def test_in_processes_of_its_own_it_does_too(name: str, tmp_path: Path) -> None:
    plain, recorded = (write(tmp_path / folder, PROGRAMS[name]) for folder in ("plain", "recorded"))
    by_python = run([sys.executable, plain.name], plain.parent)
    trace = recorded.with_suffix(".trace")
    done = run([sys.executable, "-P", "-m", "tutor", "record", "-o", str(trace), str(recorded)], recorded.parent)
    plain_end = by_python.returncode, by_python.stdout
    is_as_by_itself(name, plain_end, (done.returncode, done.stdout, done.stderr), tracefile.load(trace))


def write(folder: Path, program: str) -> Path:
    """Write a program as `script.py` of a new folder."""
    folder.mkdir()
    script = folder / "script.py"
    script.write_text(program, encoding="utf-8")
    return script


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, preexec_fn=handle_interrupts
    )


def is_as_by_itself(name: str, plain: tuple[int, str], recorded: tuple[int, str, str], timeline: Timeline) -> None:
    assert recorded[1] == plain[1]
    assert (recorded[0] != 0) == (plain[0] != 0)
    assert "Exception ignored" not in recorded[2]
    assert "Traceback" not in recorded[2]
    closes = name in ("closes a range", "replaces every descriptor")
    assert any(notice.startswith(CLOSED) for notice in timeline.notices) == closes


WRITES = {
    "a line": "print('word')",
    "a line of errors": "print('word', file=sys.stderr)",
    "half a line, flushed": "print('word', end='', flush=True)",
    "the buffer": "sys.stdout.buffer.write(b'word\\n'); sys.stdout.buffer.flush()",
    "the descriptor's object": "sys.stdout.buffer.raw.write(b'word\\n')",
    "another text on the buffer": "t = io.TextIOWrapper(sys.stdout.detach()); print('word', file=t); t.flush()",
    "another buffer": "b = io.BufferedWriter(sys.stdout.detach().detach()); b.write(b'word'); b.flush()",
    "new layers on the descriptor's object": (
        "t = io.TextIOWrapper(sys.stdout.detach().detach(), write_through=True, line_buffering=True); "
        "print('word', file=t)"
    ),
    "another mode": "sys.stdout.reconfigure(errors='ignore', line_buffering=True); print('word')",
}
CRASHES = {
    "abort": "os.abort()",
    "a fault": "ctypes.string_at(0)",
    "a kill": "os.kill(os.getpid(), 9)",
    "an exit": "os._exit(3)",
}


@pytest.mark.parametrize(("how", "crash"), sample(list(itertools.product(WRITES, CRASHES)), 8))
def test_what_was_printed_before_a_crash_is_there(how: str, crash: str, record: Forker) -> None:
    begin = "import ctypes, io, os, resource, sys\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    ended = record(f"{begin}{WRITES[how]}\n{CRASHES[crash]}\n")
    assert (ended.stdout + ended.stderr).strip() == "word"


def test_lines_of_two_sources_stay_whole(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""\
import os, sys, threading, time
def other():
    for _ in range(40):
        os.write(2, b"other ")
        time.sleep(0.002)
        os.write(2, b"line\\n")
thread = threading.Thread(target=other)
thread.start()
while thread.is_alive():
    sys.stderr.write("own ")
    sys.stderr.write("line\\n")
    time.sleep(0.001)
thread.join()
""")
    recorded = record_session(forked_session(script))
    assert recorded.status == 0
    assert set(recorded.stderr.splitlines()) == {"own line", "other line"}


def test_a_child_that_outlives_the_program_is_left_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""\
import os, time, torch
pid = os.fork()
if pid == 0:
    os.setsid()
    time.sleep(30)
    os._exit(0)
print(pid)
""")
    begun = time.monotonic()
    pid = int(record_session(forked_session(script)).stdout)
    assert time.monotonic() - begun < 25  # not until the child ends
    os.kill(pid, 9)  # it was there


def test_no_frame_of_ours_is_in_a_stack(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""\
import torch
with torch.autograd.detect_anomaly():
    x = torch.tensor(-1.0, requires_grad=True)
    torch.sqrt(x).backward()
""")
    errors = record_session(forked_session(script)).stderr
    assert "Traceback of forward call" in errors
    assert "line 4, in <module>" in errors
    assert "tutor" not in errors
