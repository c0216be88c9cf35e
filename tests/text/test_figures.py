"""Figures in words: in `show`, in its JSON, and at the step of a plain walk that showed them."""

from __future__ import annotations

import io

from tests.ui.recordings import timeline_of, training
from tutor.text import show
from tutor.text.figures import figure_lines, figures_between
from tutor.trace import events as ev

LOSS = ev.Figure(
    [], [], "Loss", [
        ev.Subplot("Loss", ("epoch", "loss"), ("linear", "log"),
                   [ev.Plotted("line", "train", 100, [0.0, 99.0], [0.1, 2.4], 0.125)], ["here\nit falls"]),
        ev.Subplot("digits", ("", ""), ("linear", "linear"), [ev.Plotted("image", "", 784, [], [0.0, 1.0]),
                                                              ev.Plotted("Odd", "thing", 1, [], [])], []),
    ], ["Odder"], "loss.png",
)  # fmt: skip
PLOTEXT = ev.Figure([["plot", [[1, 2, 3], [4, 5, 6]], {"label": "a"}], ["title", ["old"], {}], "nonsense"])
WORDS = [
    "figure 2: Loss (saved as loss.png)",
    "Loss, x is epoch, y is loss, y is logarithmic",
    "line train: 100 points, x from 0 to 99, y from 0.1 to 2.4, 0.125 at the end",
    "text: here it falls",
    "digits",
    "image of 784 values, values from 0 to 1",
    "Odd thing",
    "not drawn: Odder",
]


def test_a_figure_in_words() -> None:
    assert figure_lines(2, LOSS) == WORDS
    assert figure_lines(1, PLOTEXT) == ["figure 1: old", "line a: 3 points"]


def test_show_says_what_the_last_figure_shows() -> None:
    events = training(2)
    timeline = timeline_of([*events[:-2], PLOTEXT, LOSS, *events[-2:]])
    out = io.StringIO()
    show.write_text(timeline, timeline.steps, out)
    assert "figures: 2\n  " + "\n  ".join(WORDS) + "\n" in out.getvalue()
    shown = show.record(timeline, timeline.steps)
    assert (shown["figures"], shown["figure"]["title"], shown["figure"]["file"]) == (2, "Loss", "loss.png")
    assert shown["figure"]["subplots"][0]["parts"] == [
        {"form": "line", "label": "train", "count": 100, "x": [0.0, 99.0], "y": [0.1, 2.4], "last": 0.125}
    ]
    assert [place for place, _figure in figures_between(timeline, 0, timeline.steps)] == [1, 2]
    assert show.record(timeline, 1)["figure"] is None
