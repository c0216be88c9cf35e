"""What only a notebook's cells do: their results are shown, `await` stands anywhere, they fail or are skipped."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.text import steps
from tutor.trace import events as ev
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.selection import CodeLine, parse, parse_beginning, parse_function

CELLS = [
    "from __future__ import annotations\nimport os, torch\nw = torch.tensor([2.0], requires_grad=True)\n"
    "os.listdir(), __name__",
    "import asyncio\nqueue = asyncio.Queue()\n\nasync def double(x):\n    await asyncio.sleep(0)\n    return x * 2\n\n"
    "y = await double(w)\ny.backward()\nawait queue.put(y)",
    "(await queue.get()).item()",
    "class Page:\n    def _repr_html_(self):\n        return '<style>b</style><p>one <b>two</b></p><div>three</div>'\n"
    "class Note:\n    def _repr_markdown_(self):\n        return '**note**'\n"
    "display(Page(), 'text')\ndisplay(Note())\nNone",
    "1 / 0",
    "def f(x: Missing): return x\nprint('after', f.__annotations__)\nw.grad;",
    "try:\n    get_ipython, __file__\nexcept NameError as error:\n    print(error)\nw.grad  # shown",
    "%time z = w * 3\nif",
]  # fmt: skip


def notebook(folder: Path, cells: list[str], tags: dict[int, list[str]] | None = None) -> Path:
    path = folder / "book.ipynb"
    listed = [
        {"cell_type": "code", "source": text, "metadata": {"tags": (tags or {}).get(number, [])}, "outputs": []}
        for number, text in enumerate(cells, 1)
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": listed}))
    return path


@pytest.fixture(scope="module")
def recorded(record: Forker, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("books")
    return record(notebook(folder, CELLS, {5: ["raises-exception"]}))


def test_results_are_shown(recorded: Recording) -> None:
    assert recorded.shown.split("Out") == [
        "", "[1]: (['book.ipynb'], '__main__')\n", "[3]: 4.0\n" + "one two\nthree\n'text'\n**note**\n",
        "[7]: tensor([2.])\n",
    ]  # fmt: skip
    assert recorded.stdout == "after {'x': 'Missing'}\nname 'get_ipython' is not defined\n"
    assert recorded.timeline.output(recorded.timeline.steps).count("Out[") == 3


def test_await_outside_of_functions(recorded: Recording) -> None:
    assert recorded.grad("w") == [2.0]
    assert ("mul", "x * 2") in recorded.ops()
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]


def test_cells_that_fail(recorded: Recording) -> None:
    ends = {event.cell: event.outcome for event in recorded.of(ev.CellEnd)}
    assert ends == {1: "ok", 2: "ok", 3: "ok", 4: "ok", 5: "failed", 6: "ok", 7: "ok", 8: "failed"}
    assert recorded.status == 1
    assert 'book.ipynb, cell 5", line 1, in <module>\n    1 / 0\n' in recorded.stderr
    assert 'book.ipynb, cell 8", line 2\n    if\n' in recorded.stderr


def test_lines_are_those_of_the_cell(recorded: Recording) -> None:
    timeline = recorded.timeline
    step = resolve(timeline, "cell:2:8")
    assert (timeline.cell(step), recorded.value("y", step), recorded.grad("w", step)) == (2, [4.0], None)
    assert timeline.view(resolve(timeline, "cell:6:2")).file == timeline.view(resolve(timeline, "cell:7:5")).file
    with pytest.raises(PlaceError, match="cell:C:N"):
        resolve(timeline, "line:1")


def test_cells_are_skipped(record: Forker, tmp_path: Path) -> None:
    recorded = record(notebook(tmp_path, ["x = 1", "x = 1 / 0", "x += 1\nx"]), skip=[2])
    assert [(event.cell, event.outcome) for event in recorded.of(ev.CellEnd)] == [(1, "ok"), (2, "skipped"), (3, "ok")]
    assert (recorded.status, recorded.shown, recorded.timeline.notices) == (0, "Out[3]: 2\n", [])


BARS = """\
from tqdm.notebook import tqdm, trange
import tqdm.notebook, tqdm.std
bars = tqdm.notebook.tqdm([4], display=True)
isinstance(bars, tqdm.std.tqdm), list(bars), list(trange(1, 3, display=False))
"""


def test_widgets_of_tqdm_are_text_bars(record: Forker, tmp_path: Path) -> None:
    """Its module for Jupyter, which asks for ipywidgets, is not looked at. In a script it is that of python."""
    folder = tmp_path / "tqdm"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "std.py").write_text("class tqdm(list):\n def __init__(self, values): super().__init__(values)\n")
    (folder / "notebook.py").write_text("raise ImportError('IProgress not found')\n")
    shown = record(notebook(tmp_path, [BARS]))
    assert (shown.status, shown.shown) == (0, "Out[1]: (True, [4], [1, 2])\n")
    script = tmp_path / "script.py"
    forget = "import sys\nfor name in [name for name in sys.modules if 'tqdm' in name]: del sys.modules[name]\n"
    script.write_text(forget + "import tqdm.notebook\n")  # torch imports the installed one
    plain = record(script)
    assert (plain.status, plain.stderr.splitlines()[-1]) == (1, "ImportError: IProgress not found")


TRAINING = [
    "import torch\nw = torch.tensor(1.0, requires_grad=True)\nopt = torch.optim.SGD([w], lr=0.1)",
    "def loss_of(scale):\n    error = w * scale\n    return error * error",
    "%time x = 2.0\nfor epoch in range(3):\n    for batch in range(4):\n        loss = loss_of(x)\n"
    "        opt.zero_grad()\n        loss.backward()\n        opt.step()\n    kept = w.item()",
    "round(w.item(), 4)",
]
"""A pass multiplies `w` by 0.2: d(4 w²)/dw is 8 w."""


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ({"keep": parse("1,6,last:1")}, [0, 1, 6, 11]),
        ({"keep": parse("1"), "loop": CodeLine(2, 3)}, [4, 5, 6, 7]),
        ({"keep": parse("0"), "loop": CodeLine(3, 3), "until": "w < 1e-5", "last": 2}, [0, 6, 7, 8]),
        ({"part": parse_beginning("cell:3:4#6")}, [5, 6, 7, 8, 9, 10, 11]),
        ({"part": parse_beginning("cell:3:8#2").limited(2, 0)}, [8, 9]),
        ({"part": parse_beginning("cell:2:2#11")}, [10, 11]),
        ({"part": parse_beginning("cell:4:1")}, []),
        ({"part": parse_beginning("batch=2").limited(1, 0)}, [2]),
    ],
)
def test_a_part_of_a_notebook_is_recorded(
    record: Forker, tmp_path: Path, options: dict[str, Any], passes: list[int]
) -> None:
    recorded = record(notebook(tmp_path, TRAINING), **options)
    assert recorded.shown.endswith(f"Out[4]: {round(0.2**12, 4)}\n")
    losses = [recorded.value("loss", info.start_step) for info in recorded.timeline.passes]
    assert losses == pytest.approx([4 * 0.04**number for number in passes], rel=1e-3)


def test_the_calls_of_a_function_of_a_notebook_are_recorded(record: Forker, tmp_path: Path) -> None:
    recorded = record(notebook(tmp_path, TRAINING), part=parse_function("book.ipynb:loss_of"))
    functions = [recorded.timeline.view(step).function for step in recorded.steps_of("line")]
    assert functions == ["loss_of"] * 24
    assert not recorded.timeline.notices


PLOTS = [
    "%matplotlib inline\nimport matplotlib.pyplot as plt\n"
    "fig, ax = plt.subplots()\nax.plot([1, 2])\nax.set_title('first');",
    "plt.plot([3, 4])\nplt.title('second')\nplt.show()\nplt.get_fignums()",
    "ax.plot([5, 6])\nax.set_title('first again')\nfig",
    "plt.hist([1, 2, 2])\nplt.title('failing')\n1 / 0",
]


def test_figures_are_shown_at_the_end_of_their_cell(record: Forker, tmp_path: Path) -> None:
    recorded = record(notebook(tmp_path, PLOTS, {4: ["raises-exception"]}))
    assert recorded.status == 0
    shown = [aside for aside in recorded.timeline.side_events if isinstance(aside.event, ev.Figure)]
    titles = [aside.event.title for aside in shown if isinstance(aside.event, ev.Figure)]
    assert titles == ["first", "second", "first again", "failing"]
    assert [recorded.timeline.view(aside.step).cell for aside in shown] == [1, 2, 3, 4]
    assert "Out[2]: []\n" in recorded.shown


DISPLAYED = """\
import IPython
from IPython.display import HTML, Image, Markdown, clear_output, display
display(HTML("<b>bold</b> text"), Markdown("**md**"), 3)
clear_output(wait=True)
IPython.get_ipython(), Image("a.png").data
"""


def test_a_command_is_quoted_as_it_is_written(record: Forker, tmp_path: Path) -> None:
    recorded = record(notebook(tmp_path, ["import torch\nif True:\n    %time x = torch.ones(2)\nfiles = !ls"]))
    texts = [steps.record(recorded.timeline, step)["text"] for step in recorded.steps_of("line")]
    assert texts[-2:] == ["Line 3: x = torch.ones(2)", "Line 4: files = !ls"]
    assert "line 4, in <module>\n    files = !ls\n" in recorded.stderr


@pytest.mark.skipif(find_spec("IPython") is not None, reason="IPython is installed")
def test_display_is_there_without_ipython(record: Forker, tmp_path: Path) -> None:
    recorded = record(notebook(tmp_path, [DISPLAYED]))
    assert recorded.shown == "bold text\n**md**\n3\nOut[1]: (None, 'a.png')\n"
