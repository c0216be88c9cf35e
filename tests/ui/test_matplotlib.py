"""The figures of a usual script as the chart pane draws them at three sizes.

After a wanted change: pytest tests/ui/test_matplotlib.py --snapshot-update, and look at `tests/ui/figures`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.recording import Forker
from tests.worker.test_figures import FIGURES, NAMES
from tutor.trace import events as ev
from tutor.trace import tracefile
from tutor.trace.drawings import largest_that_fits, unpack
from tutor.trace.timeline import Timeline
from tutor.ui.render.drawing import drawing_rows
from tutor.ui.render.segments import UNICODE

pytest.importorskip("matplotlib")
FOLDER = Path(__file__).with_name("figures")
PANES = {"a terminal of 120x40": (61, 7), "70x20": (70, 20), "a terminal of 120x40, zoomed": (116, 30)}


@pytest.fixture(scope="module")
def shown(record: Forker) -> Timeline:
    return record(FIGURES).timeline


def figures(timeline: Timeline) -> list[ev.Figure]:
    return [aside.event for aside in timeline.side_events if isinstance(aside.event, ev.Figure)]


def picture(figure: ev.Figure) -> str:
    parts = []
    for name, (columns, rows) in PANES.items():
        drawing = largest_that_fits(figure.drawings, columns, rows)
        cells = [] if drawing is None else unpack(drawing)
        for kind, mono in ((name, False), *((f"{name}, without colours", True) for _ in range(name == "70x20"))):
            drawn = drawing_rows(cells, columns, UNICODE, shades=not mono, mono=mono, dark=True)
            lines = ["".join(text for text, _ in row).rstrip() for row in drawn] or ["no room"]
            parts += [f"--- {kind}", *lines]
    return "\n".join(parts) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_pictures(shown: Timeline, name: str, request: pytest.FixtureRequest) -> None:
    drawn = picture(figures(shown)[NAMES.index(name)])
    file = FOLDER / f"{name}.txt"
    if request.config.option.update_snapshots:
        file.write_text(drawn, encoding="utf-8")
    assert drawn == file.read_text(encoding="utf-8")


def test_a_recording_is_shown_without_torch_numpy_and_matplotlib(shown: Timeline, tmp_path: Path) -> None:
    tracefile.save(shown, tmp_path / "run.trace")
    program = """\
import sys
sys.modules.update(torch=None, numpy=None, matplotlib=None, PIL=None, jupytext=None)
from pathlib import Path
from tutor.trace import tracefile
from tutor.ui.panes.output import ProgramFigures
from tutor.ui.theme import DARK, palette
timeline = tracefile.load(Path(sys.argv[1]))
figures = ProgramFigures()
assert figures.find(timeline, timeline.steps)
for row in figures.rows(70, 20, palette(DARK, True, False)):
    print("".join(text for text, _ in row).rstrip())
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "run.trace")], capture_output=True, text=True, check=True
    )
    assert run.stdout in (FOLDER / "chinese.txt").read_text(encoding="utf-8")
