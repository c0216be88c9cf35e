"""Programs from the outside world that once were recorded or explained wrongly: as a plain run, and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.text import show, steps

SCRIPTS = Path(__file__).parent / "scripts"
FILES = sorted(SCRIPTS.glob("*.py"))
ALONE = {"thread_trainer", "vae_argparse", "warned"}
"""Programs that depend on what the process around them is."""
LONG = {"prep_loop"}
"""Programs that take a while: only what is asked of each is recorded."""
EXPLAINED = {
    "gan_step_between": ("judge[2].weight", "`opt_judge.step()`", "Compute loss_maker again"),
    "lstm_state_carried": ("through state,", "state = tuple(s.detach() for s in state)"),
    "class_targets_float": ("wanted is float32", "targets, made by `torch.Tensor([0, 1, 2] * 4)`", "wanted.long()"),
    "relu_inplace_full_hook": ("register_full_backward_hook on line", "nn.ReLU(inplace=True)", "nn.ReLU()"),
    "vmap_item": ("`row[start:start + 2]`", "row.gather(0, start + torch.arange(2))"),
    "bce_long_target": ("labels is int64", "labels.float()"),
    "actor_critic_shared": ("features", "(actor_loss + critic_loss).backward()"),
}
"""What the explanation of each failure has in it."""
NEVER = ("mat2", "%", "None", "underscore")


def records(recorded: Recording) -> list[dict[str, Any]]:
    """The steps, as `steps --json` prints them."""
    return [steps.record(recorded.timeline, step) for step in range(1, recorded.timeline.steps + 1)]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("script", [path for path in FILES if path.stem not in LONG], ids=lambda path: path.stem)
def test_a_program_is_recorded_as_it_runs(script: Path, record: Forker, tmp_path: Path) -> None:
    plain = run_plainly(script, tmp_path / "plain.json", alone=script.stem in ALONE)
    recorded = record(script)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plain.status, plain.stdout, plain.stderr)
    compare_names(recorded.end, plain)
    notices = [notice for notice in recorded.timeline.notices if "another thread" not in notice]
    assert notices == []
    texts = [told["text"] for told in records(recorded)]
    assert not [text for text in texts if "backward will fail" in text and script.stem not in EXPLAINED]


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_failure_is_explained(name: str, record: Forker) -> None:
    failed = records(record(SCRIPTS / f"{name}.py"))[-2]
    assert failed["kind"] == "failed"
    explanation = failed["explanation"]
    assert all(part in explanation for part in EXPLAINED[name]), explanation
    assert not any(word in explanation for word in NEVER), explanation


def test_where_does_not_keep_nan_out(record: Forker) -> None:
    recorded = record(SCRIPTS / "where_nan_branch.py")
    assert recorded.grad("x") == ["nan", "nan", 0.25]
    (told,) = [told["text"] for told in records(recorded) if "first nan" in told["text"]]
    assert told.startswith("SqrtBackward0")
    assert "where does not keep it out" in told


def test_layers_in_a_list_are_in_no_optimizer(record: Forker) -> None:
    texts = [told["text"] for told in records(record(SCRIPTS / "layers_in_list.py"))]
    assert any("no optimizer changes model.blocks[1].bias" in text for text in texts)
    assert any("nn.ModuleList" in text for text in texts)


def test_a_thread_leaves_true_values(record: Forker) -> None:
    recorded = record(SCRIPTS / "thread_trainer.py")
    assert recorded.value("weight") == pytest.approx([0.8464, -0.6724])
    assert recorded.grad("weight") == [0.0, 0.0]
    assert any("Thread-1 (train)" in notice for notice in recorded.timeline.notices)


def test_unscaled_gradients(record: Forker) -> None:
    recorded = record(SCRIPTS / "scaler_unscaled.py")
    (step,) = [step for step in recorded.steps_of("line") if recorded.code(step) == "after = w.grad"]
    assert recorded.grad("w", step) == [2.0, 4.0]


def test_every_loss_is_charted(record: Forker) -> None:
    series = record(SCRIPTS / "roots.py").timeline.series
    values = {name: [point.value for point in points] for name, points in series.items()}
    assert values["first"] == values["second"] == values["box.loss"] == values["parts['total']"] == [2.0] * 3
    assert values["third + 0.5 * fourth"] == [3.0] * 3
    assert values["sum(sixth)"] == [4.0] * 3
    assert values["cost()"] == [2.0] * 9


def test_names_that_can_be_told_apart(record: Forker) -> None:
    recorded = record(SCRIPTS / "names.py")
    told = show.record(recorded.timeline, recorded.timeline.steps)
    name = "model.transformer.layers[0].attention.query.weight"
    assert name in told["tensors"]
    assert f"raw_{name}" in told["tensors"][name]["aliases"]


def test_a_full_recording_says_where(record: Forker) -> None:
    recorded = record(SCRIPTS / "prep_loop.py", max_events=3000)
    told = records(recorded)
    (cut,) = [step for step in told if step["kind"] == "cut"]
    assert cut["line"] in range(9, 18)
    assert told[cut["step"] :] == [step for step in told if step["step"] > cut["step"]]
    assert {step["kind"] for step in told[cut["step"] :]} == {"cell_end"}
    assert len(recorded.timeline.series["loss"]) == 20
    assert show.record(recorded.timeline, cut["step"])["tensors"]["weight"]["shape"] == [9, 9]
