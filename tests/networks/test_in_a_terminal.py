"""The questions in a real terminal, on a run of the program: where the nan began, and which gradient is the largest."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import Start, forked  # noqa: F401 - a fixture
from tests.networks.conftest import SCRIPTS, Answers
from tests.networks.expected import module_norm, norms

pytestmark = [pytest.mark.slow, pytest.mark.sampled(1)]


def test_where_the_nan_began(forked: Start, answers: Answers) -> None:  # noqa: F811
    nan = answers("first_nan")["nan"]
    terminal = forked("open", str(SCRIPTS / "first_nan.py"), columns=80, rows=24)
    terminal.wait("✗ nan from step")
    found = re.search(r"nan from step (\d+) of (\d+)", terminal.text)
    assert found is not None
    terminal.press("end", "!")
    terminal.wait(f"step {found[1]}/")
    terminal.wait("the first nan")
    assert terminal.line(f"▶ {nan['line']}").count("root = torch.sqrt") == 1
    said = re.sub(r"[│\s]+", " ", terminal.text)
    assert f"is nan where score is negative: {nan['count']} of its {nan['of']} elements" in said
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def test_which_layer_has_the_largest_gradient(forked: Start, answers: Answers) -> None:  # noqa: F811
    truth = norms(answers("cnn"))
    terminal = forked("open", str(SCRIPTS / "cnn.py"), columns=120, rows=60)
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("the end of the run")
    terminal.press("home", "b", "n")
    terminal.wait(f"largest: {max(truth, key=lambda name: truth[name])}")
    norm = re.compile(r"▹ bn +2 par\. +([\d.]+) +█")
    terminal.wait(lambda: norm.search(terminal.text) is not None)
    total = norm.search(terminal.text)
    assert total is not None
    assert total[1] == f"{module_norm(answers('cnn'), 'model.bn'):.3g}"
    terminal.press("q")
    assert terminal.wait_for_end() == 0
