"""What a program installs to watch Python, and what it replaces in Python's modules, does not meet the recorder."""

from __future__ import annotations

import sys

import pytest

from tests.worker.recording import Forker

PASSES = "for _ in range(60):\n    (w * w).sum().backward()\nprint(w.grad.tolist())\n"
RAN = "[120.0, 120.0]\n"
PROGRAMS = {
    "a trace function": (
        "seen = set()\ndef tracer(frame, event, argument):\n    seen.add(frame.f_code.co_name)\n    return tracer\n"
        "def traced():\n    return 1\nsys.settrace(tracer)\nassert sys.gettrace() is tracer\ntraced()\n" + PASSES +
        "sys.settrace(None)\nprint(sys.gettrace(), 'traced' in seen, 'bind' in seen or 'line' in seen)\n",
        RAN + "None True False\n"
    ),
    "a profiler": (
        "seen = []\ndef profiler(frame, event, argument):\n    if event == 'call':\n"
        "        seen.append(frame.f_code.co_name)\ndef profiled():\n    return 1\nsys.setprofile(profiler)\n"
        "assert sys.getprofile() is profiler\nprofiled()\nsys.setprofile(None)\nprint(seen)\n" + PASSES,
        "['profiled']\n" + RAN
    ),
    "a trace function of threads": (
        "import threading\nseen = []\ndef tracer(frame, event, argument):\n    seen.append(event)\n"
        "threading.settrace(tracer)\nthread = threading.Thread(target=lambda: None)\nthread.start()\nthread.join()\n"
        "print(seen[:1])\n" + PASSES, "['call']\n" + RAN
    ),
    "an audit hook": (
        "seen = []\ndef audit(event, words):\n    if event == 'own.event':\n        seen.append(words)\n"
        "sys.addaudithook(audit)\nsys.audit('own.event', 5)\n" + PASSES + "print(seen)\n", RAN + "[(5,)]\n"
    ),
    "an audit hook that refuses": (
        "def audit(event, words):\n    if event == 'own.event':\n        raise RuntimeError('refused')\n"
        "sys.addaudithook(audit)\ntry:\n    sys.audit('own.event')\nexcept RuntimeError as error:\n    print(error)\n"
        + PASSES, "refused\n" + RAN
    ),
    "clocks that fail": (
        "import time\ndef no_time(*words):\n    raise OSError('no time')\n"
        "time.perf_counter = time.monotonic = time.time = time.sleep = no_time\n" + PASSES, RAN
    ),
    "files that fail": (
        "import os\ndef refuse(*words, **more):\n    raise OSError('refused')\n"
        "os.write = os.read = os.fstat = os.close = refuse\n" + PASSES, RAN
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs_as_by_itself(name: str, record: Forker) -> None:
    text, printed = PROGRAMS[name]
    recorded = record("import sys\nimport torch\nw = torch.ones(2, requires_grad=True)\n" + text)
    assert recorded.stderr == ""
    assert recorded.stdout == printed
    assert recorded.status == 0
    assert len(recorded.timeline.passes) == 60


def test_an_exit_handler_that_fails_shows_no_frame_of_ours(record: Forker) -> None:
    recorded = record("import atexit, sys\natexit.register(sys.exit, 3)\n")
    assert recorded.status == 0
    in_callback = recorded.stderr.splitlines()[0].replace(":", "")  # Python 3.13 puts it elsewhere
    assert in_callback == "Exception ignored in atexit callback <built-in function exit>"
    assert "tutor" not in recorded.stderr


def test_threads_that_cannot_be_waited_for_keep_nothing_from_the_end(record: Forker) -> None:
    recorded = record("""\
import atexit, threading
def refuse():
    raise RuntimeError("no shutdown")
threading._shutdown = refuse
atexit.register(print, "the end")
""")
    assert recorded.stdout == "the end\n"
    begin = "on threading shutdown:" if sys.version_info >= (3, 13) else "in: <module 'threading' from"
    assert recorded.stderr.startswith(f"Exception ignored {begin}")
    assert "tutor" not in recorded.stderr


def test_what_was_printed_before_the_pipe_is_closed_is_seen(record: Forker) -> None:
    recorded = record("""\
import os, sys
print("before")
print("in errors", file=sys.stderr)
os.closerange(3, 65536)
print("after")
""")
    printed = recorded.stdout + recorded.raw["stdout"]
    assert printed == "before\nafter\n"
    assert recorded.stderr + recorded.raw["stderr"] == "in errors\n"
