"""Figures of matplotlib: what is recorded of them, and that a run with them is as a plain one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tutor.text.show import lines
from tutor.text.show import record as state_of
from tutor.trace import events as ev
from tutor.trace.drawings import unpack, unpack_picture

pytest.importorskip("matplotlib")
SIZES = ((40, 7), (60, 7), (70, 12), (70, 16), (96, 22), (156, 35))
FIGURES = Path(__file__).with_name("scripts") / "figures.py"
NAMES = ["loss", "regression", "boundary", "images", "histogram", "subplots", "chinese"]


def figures_of(recorded: Recording) -> list[ev.Figure]:
    return [aside.event for aside in recorded.timeline.side_events if isinstance(aside.event, ev.Figure)]


def text_of(drawing: ev.Drawing) -> str:
    return "\n".join("".join(text for text, _ink, _ground in row) for row in unpack(drawing))


def test_the_files_that_it_saves_are_those_of_a_plain_run(record: Forker, tmp_path: Path) -> None:
    plain, folder = tmp_path / "plain", tmp_path / "recorded"
    plain.mkdir()
    folder.mkdir()
    script = tmp_path / "script.py"
    script.write_text(FIGURES.read_text(encoding="utf-8").replace("sys.argv[1]", "where").replace(
        "import sys\n", f"import sys\nsys.argv.append('')\nwhere = {str(plain)!r}\n", 1), encoding="utf-8")  # fmt: skip
    ran = run_plainly(script, tmp_path / "out")
    script.write_text(script.read_text(encoding="utf-8").replace(str(plain), str(folder)), encoding="utf-8")
    recorded = record(script)
    assert (recorded.status, recorded.stdout) == (ran.status, ran.stdout) == (0, ran.stdout)
    for name in NAMES:
        assert (folder / f"{name}.png").read_bytes() == (plain / f"{name}.png").read_bytes(), name
    figures = figures_of(recorded)
    assert [bool(figure.file) for figure in figures] == [False, True] * len(NAMES)
    assert figures[-1].file == str(folder / "chinese.png")
    assert state_of(recorded.timeline, recorded.timeline.steps)["figures"] == 2 * len(NAMES)


FILM = """\
import matplotlib
matplotlib.use("TkAgg")
import matplotlib.pyplot as plt
plt.ion()
seen = []
for turn in range(12):
    plt.cla()
    plt.plot([0, turn], [turn, 0])
    plt.title(f"turn {turn}")
    plt.draw()
    plt.pause(0.001)
    seen.append(len(plt.gca().lines))
    plt.pause(0.001)
print(seen)
"""


def test_pause_in_a_loop_is_a_film(record: Forker) -> None:
    recorded = record(FILM)
    assert (recorded.status, recorded.stdout, recorded.stderr) == (0, f"{[1] * 12}\n", "")
    assert [figure.title for figure in figures_of(recorded)] == [f"turn {turn}" for turn in range(12)]
    asides = [aside for aside in recorded.timeline.side_events if isinstance(aside.event, ev.Figure)]
    assert [recorded.timeline.view(aside.step).line for aside in asides] == [10] * 12
    assert recorded.timeline.notices == [
        "The program asks for the windows of TkAgg: its figures are shown in the chart pane."
    ]


ODD = """\
import matplotlib.pyplot as plt
import torch
from matplotlib.artist import Artist
from matplotlib.ticker import FuncFormatter
plt.style.use("dark_background")
class Odd(Artist):
    def draw(self, renderer):
        raise ValueError("never")
w = torch.tensor([1.0], requires_grad=True)
fig, ax = plt.subplots()
ax.plot(torch.tensor([1.0, 4.0, 9.0]), label="squares")
ax.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:.0f} m"))
ax.legend()
fig.show()
ax.add_artist(Odd())
fig.show()
three = plt.figure().add_subplot(projection="3d")
three.plot([1, 2], [1, 2], [1, 2])
three.set_title("in space")
plt.gcf().show()
plt.figure()
plt.gcf().show()
"""


def test_what_cannot_be_drawn_is_named_and_the_rest_is_drawn(record: Forker) -> None:
    recorded = record(ODD)
    assert (recorded.status, recorded.stderr) == (0, "")
    formatted, odd, space = figures_of(recorded)
    assert [figure.left_out for figure in (formatted, odd, space)] == [[], ["Odd"], []]
    for figure in (formatted, odd):
        assert "8 m" in text_of(figure.drawings[-1])
        assert "squares" in text_of(figure.drawings[-1])
    assert "in space" in text_of(space.drawings[-1])
    assert figure.subplots[0].parts == [ev.Plotted("line", "squares", 3, [0.0, 2.0], [1.0, 9.0], 9.0)]


def test_pictures_are_recorded_where_they_are_asked_for(record: Forker) -> None:
    """The curve is blue on white, at each size at which its axes have room; all else is as without."""
    script = """\
import matplotlib.pyplot as plt
plt.plot([0, 1, 0], linewidth=5)
plt.title("A curve")
plt.show()
_, axes = plt.subplots(2, 5)
plt.show()
"""
    curve, many = figures_of(record(script, with_pictures=True))
    plain = figures_of(record(script))
    assert [structs.replace(figure, pictures=[]) for figure in (curve, many)] == plain
    assert [(picture.columns, picture.rows) for picture in curve.pictures] == list(SIZES)
    assert [picture.rows for picture in many.pictures] == [12, 16, 22, 35]
    for picture in curve.pictures:
        pixels, colours = unpack_picture(picture), [*batched(picture.colours)]
        assert (picture.width, picture.height) == (10 * picture.columns, 20 * picture.rows)
        assert sum(colours[pixel] == (31, 119, 180) for pixel in pixels) > picture.width
        assert min(colours[pixels[0]]) >= 250, "the ground"


def batched(colours: bytes) -> Iterator[tuple[int, ...]]:
    return zip(*[iter(colours)] * 3, strict=True)


def test_past_the_limit_the_last_figure_is_kept(record: Forker) -> None:
    recorded = record("""\
from tutor.recorder import figures
figures.MOST_FIGURES = 3
import matplotlib.pyplot as plt
for turn in range(9):
    plt.plot([0, turn])
    plt.title(f"turn {turn}")
    plt.show()
    plt.close()
""")
    assert [figure.title for figure in figures_of(recorded)] == ["turn 0", "turn 1", "turn 2", "turn 8"]
    assert recorded.timeline.notices == ["5 more figures were shown than the recording keeps, before the last."]


def test_a_warning_of_matplotlib_names_the_line_of_the_program(record: Forker, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    program = 'import matplotlib.pyplot as plt\nplt.title("损失")\n\nplt.savefig("/dev/null", format="png")\n'
    script.write_text(program, encoding="utf-8")
    plain, recorded = run_plainly(script, tmp_path / "out"), record(script)
    assert "script.py:4: UserWarning: Glyph" in plain.stderr
    assert recorded.stderr == plain.stderr


def test_what_is_logged_is_a_curve_and_a_progress_bar_one_line(record: Forker) -> None:
    pytest.importorskip("tensorboardX")
    recorded = record("""\
import tempfile
import torch
from tensorboardX import SummaryWriter
from tqdm import tqdm
w = torch.tensor([1.0], requires_grad=True)
with tempfile.TemporaryDirectory() as folder:
    writer = SummaryWriter(folder)
    for epoch in tqdm(range(5), mininterval=0):
        loss = (w * 2).sum()
        loss.backward()
        w.data -= 0.1 * w.grad
        w.grad = None
        writer.add_scalar("loss", loss, epoch)
        writer.add_scalar("accuracy/test", epoch / 10, global_step=epoch)
    writer.close()
""")
    assert (recorded.status, "Warning" in recorded.stderr) == (0, False)
    series = state_of(recorded.timeline, recorded.timeline.steps)["series"]
    assert [value for _x, value in series["accuracy/test"]] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert len(series["loss"]) == 5
    assert series["loss (add_scalar)"] == series["loss"]
    assert recorded.stderr.count("\r") >= 5
    bar = [line for line in lines(recorded.timeline, recorded.timeline.steps) if "it/s" in line]
    assert len(bar) == 1
    assert "5/5" in bar[0]
