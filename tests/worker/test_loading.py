"""Large values are recorded within the memory of a plain run: the batches of a DataLoader, one large tensor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.recording import Forker, Recording
from tutor.trace import tracefile

SCRIPT = """\
import torch
from torch.utils.data import DataLoader


class Images(torch.utils.data.Dataset):
    def __len__(self):
        return 96

    def __getitem__(self, index):
        return torch.full((3, 224, 224), float(index)), index % 10


for images, labels in DataLoader(Images(), batch_size=32, num_workers=2):
    total = images.mean()
print(total.item())
"""


_MEASURE = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(command: list[str], folder: Path) -> int:
    """Return the most memory that a command, or a process under it, had at a time, in KiB.

    It runs under a small process, as a child counts what its parent had when it was forked.
    """
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_batches_from_workers(tmp_path: Path) -> None:
    script, trace = tmp_path / "script.py", tmp_path / "out.trace"
    script.write_text(SCRIPT, encoding="utf-8")
    plain = peak([sys.executable, str(script)], tmp_path)
    recorded = peak([sys.executable, "-P", "-m", "tutor", "record", "-o", str(trace), str(script)], tmp_path)
    assert recorded <= 1.6 * plain  # how many batches wait at a time differs from run to run
    assert trace.stat().st_size < 2 << 20
    timeline = tracefile.load(trace)
    assert timeline.notices == []
    recording = Recording(timeline, 0)
    first = recording.value("images", recording.line(14, 1))
    assert first["shape"] == [32, 3, 224, 224]
    last = recording.value("images")["stats"]  # measured at the end of the cell, whatever the budget was before
    assert (last["min"], last["max"]) == (64.0, 95.0)
    assert recording.value("total") == 79.5
    assert recording.value("labels") == [index % 10 for index in range(64, 96)]


def test_a_large_tensor_is_not_copied(record: Forker) -> None:
    """Recording a tensor of 48 MB takes no second 48 MB: it is measured in slices."""
    program = (
        "import atexit, resource, torch\n"
        "atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))\n"
    )
    small, large = (int(record(f"{program}t = torch.ones({size})\nt[7] = 3.\n").stdout) for size in (1 << 10, 12 << 20))
    assert (48 << 10) <= large - small < (72 << 10)
