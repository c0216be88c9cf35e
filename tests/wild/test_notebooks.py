"""Notebooks of the tutorial kind, in each format: what their code prints and leaves is as under plain python."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker
from tests.worker.test_recorded_equals_plain import compare_names

FILES = sorted((Path(__file__).parent / "notebooks").iterdir())
SHOWN: dict[str, tuple[str, ...]] = {
    "attention": ("Out[2]:\ntensor([[1.",),
    "autograd": ("Out[2]: tensor(28., grad_fn=<MulBackward0>)\n", "Out[3]: tensor([ 0.,  4.,  8., 12.])\n",
                 "Out[4]: tensor([True, True, True, True])\n", "Out[9]: False\n"),
    "bigrams": ("Out[1]: ['emma', 'olivia']\n",),
    "convolution": ("Out[2]:\ntensor([[ 0.,  1.,  0., -1.,  0.],\n", "Out[4]: tensor([["),
    "custom_function": ("Out[2]: tensor([2.0000, 5.4366], dtype=torch.float64)\n", "Out[3]: True\n"),
    "micrograd": ("Out[3]: Value(data=0.7071, grad=0.0000)\n", "Out[6]: True\n"),
    "recurrent": ("Out[2]: torch.Size([2, 4])\n",),
    "softmax": ("Out[1]: 3\n", "Out[6]:\nSequential(\n  (0): Flatten(start_dim=1, end_dim=-1)\n"),
    "spirals": ("Out[2]: (torch.Size([16, 2]), torch.Size([16]))\n", "Out[3]: 25\n", "Out[4]: ["),
    "tensors": ("Out[2]: (12, torch.Size([12]))\n", "Out[7]: tensor("),
}  # fmt: skip
"""Results that are shown: worked out by hand, or their first words."""
NOTICES = {"linear_regression": ["Shell commands"], "spirals": ["%%bash is left out, in cell 5"]}


def exported(path: Path) -> str:
    """A notebook's code as a script, as jupytext reads it, without what only IPython can do."""
    form = {".qmd": "Rmd"}.get(path.suffix, path.suffix.removeprefix("."))
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst" if "{code-cell}" in text else form)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source != "H = None"]
    runs = [cell.source for cell in cells if not re.match(r"%%(bash|R)|#\| eval: false", cell.source)]
    return "\n".join(re.sub(r"^[%!].*", "", text, flags=re.MULTILINE) for text in runs) + "\n"


@pytest.mark.sampled(4)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_notebook_is_recorded_as_its_script_runs(path: Path, record: Forker, tmp_path: Path) -> None:
    script = tmp_path / "exported.py"
    script.write_text(exported(path), encoding="utf-8")
    plain = run_plainly(script, tmp_path / "plain.json")
    recorded = record(path)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plain.status, plain.stdout, plain.stderr)
    compare_names(recorded.end, plain)
    assert [text for text in SHOWN.get(path.stem, ()) if text not in recorded.shown] == []
    notices = recorded.timeline.notices
    begins = NOTICES.get(path.stem, [])
    assert len(notices) == len(begins)
    assert all(notice.startswith(words) for notice, words in zip(notices, begins, strict=True))
