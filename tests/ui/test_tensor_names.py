"""What tensors are called in the tables of the screen."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import screen_of
from tests.ui.recordings import TRACE
from tests.worker.recording import Forker
from tutor.ui.app import GradtutorApp

SCRIPT = """\
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])})
model = Model()
raw_model = model
w = torch.ones(1)
weights = [w]
"""


async def test_a_row_for_each_tensor_and_no_two_are_called_alike(record: Forker) -> None:
    run = record(SCRIPT)
    for size in ((80, 24), (120, 40)):
        app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
        async with app.run_test(size=size) as pilot:
            await pilot.press("end")
            screen = screen_of(app)
            screen.show_pane("tensors")
            await pilot.press("z")  # all of the tree has room
            await pilot.pause()
            pane = screen.tensors
            rows = ["".join(text for text, _ in pane.row(place, pane.inner)) for place in range(pane.count())]
            paths: list[str] = []
            above: list[tuple[int, str]] = []
            for row in rows:
                name = row.lstrip(" ▸")
                indent, name = len(row) - len(name), name.split("  ")[0]
                above = [(cells, branch) for cells, branch in above if cells < indent]
                if name.startswith(("▾ ", "▹ ")):
                    assert name.startswith("▾ "), rows
                    above.append((indent, name[2:]))
                else:
                    name = name.partition(" +1")[0].partition(" = raw_model.")[0]
                    paths.append(".".join([*(branch for _, branch in above), name]))
            assert paths == [
                "model.transformer.layers[0].weight", "model.transformer.layers[0].bias",
                "model.transformer.layers[1].weight", "model.transformer.layers[1].bias", "data.w = weights[0]",
            ]  # fmt: skip
