"""Nothing of the recorder's outlives its use: what lives in the worker after many training steps is what lived after
a few, and what a plain run would have is not more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import SCRIPTS, Forker


@pytest.fixture(scope="module")
def counts(record: Forker, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, int]], dict[str, int]]:
    """What lived after 10, 20, 40 and 80 steps, recorded; and after the last one, plainly."""
    script = SCRIPTS / "grads_alive.py"
    recorded = record(script)
    assert (recorded.status, recorded.stderr, recorded.timeline.notices) == (0, "", [])
    plain = run_plainly(script, Path(tmp_path_factory.mktemp("alive")) / "plain.json")
    found = [json.loads(line) for line in recorded.stdout.splitlines()]
    assert len(found) == 4
    return found, json.loads(plain.stdout.splitlines()[-1])


SWEPT = ("TensorRecord", "Storage")
"""Records of tensors: those of the dead go in sweeps, so their number sways."""


@pytest.mark.slow
def test_what_lives_does_not_grow(counts: tuple[list[dict[str, int]], dict[str, int]]) -> None:
    recorded, _ = counts
    first, second, third, fourth = ({k: n for k, n in found.items() if k not in SWEPT} for found in recorded)
    assert first == second == third == fourth
    assert sum(fourth.values()) > 100
    assert max(found[kind] for found in recorded for kind in SWEPT) < 200  # of some 10,000 that were met


@pytest.mark.slow
def test_hooks_and_tensors_are_for_what_lives(counts: tuple[list[dict[str, int]], dict[str, int]]) -> None:
    recorded, plain = counts
    assert plain["tensors"] > 10
    for found in recorded:
        # One more, as long as the graph lives that is kept: what its product saved, the number 2, was looked at.
        assert found["tensors"] == plain["tensors"] + 1
        # Its two nodes, and the leaf's, which had a hook that runs once the gradient is written.
        assert (found["_Hook"], found["LeafHook"], found["_Arrival"]) == (2, 1, 1)
        assert "_OwnHook" not in found
        assert found["gradtutor_hook"] == 1  # that on the bias, which is still there
