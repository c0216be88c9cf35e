"""The answers of the plain runs hold by themselves: terms add up, and the optimizers' formulas give the new weights."""

from __future__ import annotations

import math

import pytest

from tests.networks.conftest import NETWORKS, SCRIPTS, Answers, Recorded
from tests.networks.expected import element, norms, saved_bytes, update, without_gradient
from tutor.trace.memory import memory_of


def line_of(name: str, code: str) -> int:
    """The line of a network's script with this code."""
    lines = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if code in line)


@pytest.mark.parametrize(
    ("name", "layer", "terms"),
    [("micro_gpt", "model.blocks[1].mlp[0]", 8), ("cnn", "model.classifier", 4), ("first_nan", "model[0]", 6)],
)
def test_the_terms_of_a_gradient_add_up(answers: Answers, name: str, layer: str, terms: int) -> None:
    chosen = element(answers(name), layer, 0, 1)
    assert len(chosen.terms) == terms
    assert math.fsum(product for _, _, product in chosen.terms) == pytest.approx(chosen.gradient, rel=1e-5)


def test_adam_of_the_resnet(answers: Answers) -> None:
    for number in (1, 2):
        done = update(answers("resnet"), "model.fc.weight", (1, 2), number)
        assert done.state["step"] == number
        m_hat, v_hat = done.state["exp_avg"] / (1 - 0.9**number), done.state["exp_avg_sq"] / (1 - 0.999**number)
        assert done.new == pytest.approx(done.old - 0.01 * m_hat / (math.sqrt(v_hat) + 1e-8), rel=1e-5)


def test_adamw_of_the_transformer_decays_first(answers: Answers) -> None:
    done = update(answers("micro_gpt"), "model.blocks[0].qkv.weight", (3, 2), 2)
    m_hat, v_hat = done.state["exp_avg"] / (1 - 0.9**2), done.state["exp_avg_sq"] / (1 - 0.999**2)
    decayed = done.old * (1 - 0.01 * 0.01)
    assert done.new == pytest.approx(decayed - 0.01 * m_hat / (math.sqrt(v_hat) + 1e-8), rel=1e-5)


def test_momentum_of_the_cnn(answers: Answers) -> None:
    first, second = (update(answers("cnn"), "model.classifier.weight", (0, 1), number) for number in (1, 2))
    assert first.state["momentum_buffer"] == pytest.approx(first.gradient)
    buffer = 0.9 * first.gradient + second.gradient
    assert second.state["momentum_buffer"] == pytest.approx(buffer, rel=1e-5)
    assert second.new == pytest.approx(second.old - 0.1 * buffer, rel=1e-5)


def test_the_networks_are_what_they_are_meant_to_be(answers: Answers) -> None:
    parameters = {name: answers(name)["passes"][0]["parameters"] for name in NETWORKS}
    assert {name: len(found) for name, found in parameters.items()} == {
        "micro_gpt": 26, "cnn": 9, "resnet": 49, "first_nan": 4,
    }  # fmt: skip
    assert without_gradient(answers("cnn")) == {
        "model.stem.weight": "frozen", "model.stem.bias": "frozen",
        "model.auxiliary_classifier.weight": "unused", "model.auxiliary_classifier.bias": "unused",
    }  # fmt: skip
    assert [without_gradient(answers(name)) for name in NETWORKS if name != "cnn"] == [{}] * 3
    assert answers("first_nan")["nan"]["line"] == line_of("first_nan", "torch.sqrt(score)")
    assert answers("first_nan")["nan"]["iteration"] == 2
    assert all(answers(name)["nan"] is None for name in NETWORKS if name != "first_nan")


def test_memory_grows_to_the_backward_pass(answers: Answers) -> None:
    found = answers("resnet")
    places = [line_of("resnet", code) for code in ("logits = model", "loss = F.cross", "decay = sum", "total = loss")]
    kept = [saved_bytes(found, line) for line in places]
    assert 0 < kept[0] < kept[1] < kept[2]
    assert norms(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_recording_prints_and_ends_as_the_plain_run(answers: Answers, recorded: Recorded, name: str) -> None:
    printed = "".join(part.text for part in recorded(name).contents.printed)
    assert printed == answers(name)["printed"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_recording_knows_what_autograd_keeps(answers: Answers, recorded: Recorded, name: str) -> None:
    """At each statement of the first iteration, as saved-tensor hooks count it; nothing is left after the pass."""
    timeline = recorded(name)
    kept = memory_of(timeline)
    while not kept.read():
        pass
    steps = range(1, timeline.steps + 1)
    begin, end = (next(step for step in steps if timeline.kind(step) == kind) for kind in ("backward", "backward_end"))
    views = [timeline.view(step) for step in steps[:begin] if timeline.kind(step) == "line"]
    compared = [view for view in views if view.function == "<module>"]
    for view in compared:
        assert kept.at(view.step) == saved_bytes(answers(name), (view.line or 0) - 1), view.code
    assert kept.at(begin) > kept.at(compared[0].step) == 0
    assert kept.at(end) == 0
