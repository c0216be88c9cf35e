"""The code pane: the current line whole, and values at the right edge."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import lines, screen_of
from tests.worker.recording import Forker
from tutor.lesson.catalog import Target
from tutor.trace.source import SourceText
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.values_in_code import _assignments

LONG = """\
import torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
def half(x):
    y = x * 0.5
    return y
loss = ((half(w) - torch.tensor([3.0, 4.0])) ** 2 + (w - torch.tensor([0.5, 0.25])) ** 2).sum() / 2
k = 3
k = k + 1
a, b = 1, 2.5
last = w[0]
for i in range(2):
    k = k + i
"""


def app_on(record: Forker, code: str) -> GradtutorApp:
    timeline = record(code).timeline
    return GradtutorApp(Target("trace", Path("x.trace"), "x"), lessons=Path("lessons"), timeline=timeline)


async def test_the_current_line_is_wrapped_and_the_others_stay_in_one_row(record: Forker) -> None:
    app = app_on(record, LONG)
    async with app.run_test(size=(80, 38)) as pilot:
        screen = screen_of(app)
        for typed in ("line 6", "line 2"):
            screen.show_result(screen.model.go_to_place(typed))
            await pilot.pause()
            shown = [line[2 : screen.code.size.width - 2] for line in lines(app)[2 : screen.code.size.height]]
            at = next(row for row, line in enumerate(shown) if "loss = " in line)
            following = next(row for row, line in enumerate(shown) if "7  k = 3" in line)
            if typed == "line 6":
                code = "".join("".join(line[6:].split()) for line in shown[at:following])
                assert code.startswith("".join(LONG.splitlines()[5].split()))
                assert all(line[:6].isspace() for line in shown[at + 1 : following])
                rows = following - at
                assert rows > 2
                assert screen.code.count() == 12 + rows - 1
                # A click on a row of it means the line, and one below another line.
                y = shown.index(shown[following]) + 1
                await pilot.click("#code", offset=(8, y))
                assert screen.code.line() == (7, "k = 3")
                await pilot.click("#code", offset=(8, y - 1))
                assert screen.code.line() == (6, LONG.splitlines()[5])
                await pilot.press("down")
                assert screen.code.line() == (7, "k = 3")
                await pilot.press("escape")
            else:
                assert following == at + 1


async def test_what_names_hold_now_is_at_the_right_edge(record: Forker) -> None:
    app = app_on(record, LONG)
    async with app.run_test(size=(200, 40)) as pilot:
        screen = screen_of(app)
        right = screen.code.region.right - 2

        def values() -> dict[int, str]:
            rows = [line[2:right].rstrip() for line in lines(app)[2 : screen.code.region.bottom]]
            found = {}
            for number, code in enumerate(LONG.splitlines(), 1):
                row = next((row for row in rows if row[2:5].strip() == str(number)), "")
                found[number] = row[6:].removeprefix(code).strip() if code in row else ""
            return {number: value for number, value in found.items() if value}

        screen.go_to(screen.model.timeline.steps)
        await pilot.pause()
        # Line 6 leaves no room; k is assigned three times.
        assert values() == {2: "[1 2]", 9: "1, 2.5", 10: "1"}
        timeline = screen.model.timeline
        screen.go_to(next(at for at in range(1, timeline.steps) if timeline.view(at).code == "x * 0.5"))
        await pilot.pause()
        assert values() == {2: "[1 2]", 4: "[0.5 1]"}  # within the call
        screen.show_result(screen.model.go_to_place("line 11"))
        await pilot.pause()
        assert values() == {2: "[1 2]", 9: "1, 2.5", 10: "1"}  # the loop runs, and not the last line of its body
        await pilot.press("home")
        await pilot.pause()
        assert values() == {}


def test_names_are_those_of_their_function_and_told_apart_if_assigned_twice() -> None:
    source = SourceText(
        "x = 1\nclass A:\n    n = 1\n    def f(self):\n        x = 2\n        x += 1\nfor i in y:\n    z: int = i\n"
    )
    assert _assignments(source) == [
        (1, 1, "<module>", ("x",), True),
        (5, 5, "f", ("x",), False),
        (6, 6, "f", ("x",), False),
        (8, 8, "<module>", ("z",), True),
    ]
