"""At every statement of every function all names hold what they hold when a plain run, traced, is about to run it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import SCRIPTS, Forker
from tests.worker.statements import compare_statements

_LATE = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 tells a tracer of a loop's lines an iteration late"
)


@pytest.mark.parametrize(
    "name",
    ["grads_passes", "flow", "grads_hooks", "inplace", "mlp", pytest.param("names", marks=_LATE), "python_features"],
)
def test_names_at_every_line(name: str, record: Forker, tmp_path: Path) -> None:
    script = SCRIPTS / f"{name}.py"
    plain = run_plainly(script, tmp_path / "plain.json", lines=True)
    assert plain.status == 0
    differences, compared = compare_statements(record(script), plain, script.read_text())
    assert list(map(str, differences)) == []
    assert compared > 50
