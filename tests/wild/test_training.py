"""Training programs of the usual style, from argparse to a checkpoint: what they print and leave is as under python."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.sampling import count
from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.trace import selection
from tutor.trace.tracefile import load

FOLDER = Path(__file__).parent / "scripts" / "training"
SERIES = {"char_rnn": ("loss", 6), "gan": ("loss_g", 3), "reinforce": ("loss", 4)}
"""The series that the chart has, and its points."""
NEEDS = {"lightning_fit": "pytorch_lightning", "transformers_fit": "transformers"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(SERIES))
def test_a_program_is_recorded_as_it_runs(name: str, record: Forker, tmp_path: Path) -> None:
    script = FOLDER / f"{name}.py"
    plain = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plain.status, plain.stdout, plain.stderr)
    compare_names(recorded.end, plain)
    series, points = SERIES[name]
    assert len(recorded.timeline.series.get(series, ())) == points


def test_of_many_images_some_iterations_are_kept(record: Forker, tmp_path: Path) -> None:
    """The first three, one in the middle and the last of an epoch in batches of 64: of 1,280 images, or 60,000."""
    images, middle = count(1_280, 60_000), count(10, 500)
    script, last = tmp_path / "images.py", (images - 1) // 64
    script.write_text((FOLDER / "images_60000.py").read_text().replace("60_000", str(images)))
    keep = selection.parse(f"0-2,{middle},last:1")
    plain = run_plainly(script, tmp_path / "plain.json")
    recorded = record(script, keep=keep, samples_loops=True)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plain.status, plain.stdout, plain.stderr)
    timeline = recorded.timeline
    losses = timeline.series["loss"]
    kept = [point.x for point in losses if point.step in {info.start_step for info in timeline.passes}]
    assert (kept, len(losses)) == ([0, 1, 2, middle, last], last + 1)
    assert timeline.steps < 20_000
    assert not timeline.notices


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("words", "notices"),
    [
        (["digits_workers.py", "--epochs", "1", "--workers=2"], []),
        (["-m", "gpt.train", "--steps", "2"], []),
        (["two_processes.py"], ["multiprocessing"]),
        (["lightning_fit.py"], []),
        (["transformers_fit.py"], []),
    ],
    ids=lambda value: value[-1] if value else "",
)
def test_a_command_prints_what_python_prints(words: list[str], notices: list[str], tmp_path: Path) -> None:
    needed = NEEDS.get(words[0].removesuffix(".py"))
    if needed is not None and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    environment = {**os.environ, "HOME": str(tmp_path)}
    out = tmp_path / "run.trace"
    plain = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=FOLDER, env=environment)
    recorded = subprocess.run(
        [*COMMAND, "record", "-o", str(out), *words], capture_output=True, text=True, cwd=FOLDER,
        **inherited(environment),
    )  # fmt: skip
    ours = [line for line in recorded.stderr.splitlines() if line.startswith("gradtutor: ")]
    said = [line for line in recorded.stderr.splitlines() if not line.startswith("gradtutor: ")]
    assert (recorded.returncode, recorded.stdout, said) == (plain.returncode, plain.stdout, plain.stderr.splitlines())
    assert len(ours) == 1 + len(notices)
    assert all(word in line for word, line in zip(notices, ours[1:], strict=True))
    assert load(out).passes
