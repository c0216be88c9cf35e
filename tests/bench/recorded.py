"""Runs a script plain and recorded, in turn, in a process of its own: `python -m tests.bench.recorded FILE COUNT…`.

The recorder is the worker's own, its frames go through a pipe to a process that throws them away. Each COUNT becomes
EPOCHS for the script; what was measured is printed as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.e2e.terminal import resident
from tutor.recorder.recorder import Recorder
from tutor.trace.command import CrashLocation

REPETITIONS = int(os.environ.get("REPETITIONS", "7"))
ENDLESS = 1 << 40
"""A budget that is never reached."""


class Work:
    """One script, to be run in this process again and again."""

    def __init__(self, path: Path) -> None:
        self.path = str(path.resolve())
        self.source = path.read_text(encoding="utf-8")
        self.code = compile(self.source, self.path, "exec")
        self.events = self.steps = self.bytes = 0
        self._reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self._reader.stdin is not None
        self._pipe = self._reader.stdin.fileno()

    def plain(self) -> float:
        """CPU seconds of this process that it takes."""
        names = {"__name__": "__main__"}
        started = time.process_time()
        exec(self.code, names)
        return time.process_time() - started

    def recorded(self) -> float:
        """CPU seconds of this process that it takes to run it and to send all that was recorded."""
        recorder = Recorder(self._pipe, CrashLocation(bytearray(12)), ENDLESS, ENDLESS)
        code = recorder.code.compile(self.source, self.path)
        with recorder.switched_on():
            recorder.frames.module(self.path)
        recorder.writer.start()
        names = {"__name__": "__main__"}
        started = time.process_time()
        with recorder.recording():
            exec(code, names)
        recorder.writer.wait_until_written()
        seconds = time.process_time() - started
        self.events, self.bytes = recorder.writer.events, recorder.writer._bytes
        recorder.writer.stop()
        recorder.close()
        return seconds


def main() -> None:
    torch.set_num_threads(1)
    work = Work(Path(sys.argv[1]))
    counts = [int(count) for count in sys.argv[2:]]
    gc.freeze()  # as the worker does
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    os.environ["EPOCHS"] = str(min(counts))
    work.plain()
    before = resident(os.getpid())
    found: dict[str, dict[str, Any]] = {
        str(count): {"plain": [], "recorded": []} for count in counts
    }  # fmt: skip
    for _ in range(REPETITIONS):
        for count in counts:
            os.environ["EPOCHS"] = str(count)
            gc.collect()
            found[str(count)]["plain"].append(work.plain())
            gc.collect()
            found[str(count)]["recorded"].append(work.recorded())
            found[str(count)].update(events=work.events, bytes=work.bytes)
    json.dump({"counts": found, "before": before, "after": resident(os.getpid())}, out)


if __name__ == "__main__":
    main()
