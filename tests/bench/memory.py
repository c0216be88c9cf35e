"""How much memory the front end and the worker hold, against processes that do next to nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.keys import LONG, SHORT, settle
from tests.bench.recording import record
from tests.bench.starting import TRIVIAL, fresh, until
from tests.bench.works import LINE
from tests.e2e.terminal import GRADTUTOR, Terminal, resident


def run(home: Path, quick: bool = False) -> list[Figure]:
    short, long = (20, 60) if quick else (SHORT, LONG)
    traces = [record(home, LINE.path, count, "--all") for count in (short, long)]
    resting = home / "resting.py"
    resting.write_text(LINE.path.read_text() + "import time\ntime.sleep(600)\n")

    def held(*command: str, text: str, worker: bool = False, keys: tuple[str, ...] = ()) -> Callable[[], float]:
        def measure() -> float:
            with Terminal(command, fresh(home), env={"COUNT": str(short)}, draws=False) as terminal:
                until(terminal, text)
                settle(terminal, 1.0)
                for key in keys:
                    terminal.press(key)
                    settle(terminal, 0.5)
                pid = _worker(terminal) if worker else terminal.pid
                return resident(pid) / 2**20

        return measure

    wait = "import sys; print('here', flush=True); sys.stdin.read()"
    measures = {
        "python": held(sys.executable, "-c", wait, text="here"),
        "torch": held(sys.executable, "-c", f"import torch; {wait}", text="here"),
        "textual": held(*TRIVIAL, text="hello there"),
        "list": held(*GRADTUTOR, text="Two paths to one leaf"),
        "lesson": held(*GRADTUTOR, "graph/two-paths", text="for the first step", keys=("end",)),
        "short": held(*GRADTUTOR, "view", str(traces[0]), text="step 0/", keys=("end", "home", "end")),
        "long": held(*GRADTUTOR, "view", str(traces[1]), text="step 0/", keys=("end", "home", "end")),
        "standby": held(*GRADTUTOR, text="Two paths to one leaf", worker=True),
        "worker": held(*GRADTUTOR, "open", str(resting), text="for the first step", worker=True),
        "run": held(*GRADTUTOR, "open", str(resting), text="for the first step", keys=("end",)),
    }
    mebibytes = {name: measure() for name, measure in measures.items()}

    def figure(name: str, key: str, against: str, of: str, most: float | None = None) -> Figure:
        return Figure(name=f"memory: {name}", measured=mebibytes[key], against=mebibytes[against], unit="MiB", of=of,
                      target=most, absolute=most is not None)  # fmt: skip

    return [
        figure("front end, list of lessons", "list", "python", "bare python"),
        figure("front end, list of lessons", "list", "textual", "a trivial Textual app"),
        figure("front end, graph/two-paths at its end", "lesson", "textual", "a trivial Textual app"),
        figure("front end, recording of 40,000 events", "short", "textual", "a trivial Textual app"),
        figure("front end, recording of a million events", "long", "textual", "a trivial Textual app", 80.0),
        figure("front end, run of 40,000 events", "run", "textual", "a trivial Textual app"),
        figure("worker standing by", "standby", "torch", "bare torch"),
        figure("worker after 40,000 events", "worker", "torch", "bare torch"),
    ]


def _worker(terminal: Terminal) -> int:
    """The worker under a front end; its memory once torch is imported."""
    end = time.monotonic() + 30
    before = 0
    while time.monotonic() < end:
        found = [pid for pid, command in terminal.family().items() if "tutor.worker" in command]
        held = resident(found[0]) if found else 0
        if found and held == before > 150 << 20:
            return found[0]
        before = held
        terminal.read(0.5)
    raise RuntimeError("no worker came to rest")
