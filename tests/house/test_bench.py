"""Each figure of `make bench` can be taken, in short runs; what comes out is not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import sample

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("group", sample(["recording", "reading"], 1))
def test_each_figure_can_be_taken(group: str, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", group, "--quick", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())["figures"][group]
    assert figures
    assert all(figure["measured"] > 0 for figure in figures)
