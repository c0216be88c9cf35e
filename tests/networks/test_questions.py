"""What one asks of a network is answered on the screen, by the usual keys, with the figures of a plain run."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.networks.conftest import Answers, Recorded, walk
from tests.networks.expected import element, update, without_gradient
from tests.networks.screen_text import sheet_text, shown
from tests.ui.conftest import text
from tutor.trace.timeline import Timeline

SIZES = ((80, 24), (120, 40), (200, 60))
at_every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
Size = tuple[int, int]
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?|nan"


def figures(found: str) -> list[float]:
    """The numbers of a text, in their order."""
    return [float(number) for number in re.findall(_NUMBER, found)]


def near(value: float) -> Any:
    """A number as the screen spells it, with five digits."""
    return pytest.approx(value, rel=1e-4, abs=1e-12, nan_ok=True)


def one_line(rows: str) -> str:
    """A text of several rows without frames, and without the mark of rounded numbers, as one."""
    return " ".join(re.sub(r"[│╭╮╰╯┃≈]", " ", rows).split())


def pane(pilot: Pilot[int], name: str) -> str:
    """The text of a pane or bar, as one line."""
    return one_line("\n".join(shown(pilot.app)[name]))


async def walk_to_node(pilot: Pilot[int], name: str) -> None:
    """Go to the next backward pass, and on to the first node of this name in it."""
    await pilot.press("b")
    for _ in range(40):
        await pilot.press("right")
        await pilot.pause()
        if name in pane(pilot, "Explain"):
            return
    raise AssertionError(f"no {name} ran")


# ------------------------------------------------------------ why is this gradient this number?


@dataclass(frozen=True)
class Working:
    """How an element of a gradient is worked out, as the screen says it."""

    row: int
    column: int
    terms: list[tuple[float, float]]
    total: float


def working_of(said: str, gradient: str) -> Working:
    """Read the element of a gradient that is worked out, with the terms of its sum."""
    part = said.partition(gradient)[2]
    found = re.search(r"\[(\d+), (\d+)\](?: =|:) ([(\d-][^=\[\]]*) = (" + _NUMBER + ")", part)
    assert found is not None, said
    terms = [figures(term.replace("(", "").replace(")", "")) for term in found[3].split(" + ")]
    assert all(len(term) == 2 for term in terms), found[0]
    return Working(int(found[1]), int(found[2]), [(a, b) for a, b in terms], float(found[4]))


@at_every_size
@pytest.mark.parametrize(
    ("name", "layer", "node"),
    [("cnn", "model.classifier", "AddmmBackward0"), ("resnet", "model.fc", "AddmmBackward0"),
     ("first_nan", "model[2]", "AddmmBackward0")],
)  # fmt: skip
async def test_why_a_gradient_is_this_number(
    recorded: Recorded, answers: Answers, name: str, layer: str, node: str, size: Size
) -> None:
    async with walk(recorded(name), name, size) as (pilot, _):
        await walk_to_node(pilot, node)
        await pilot.press("enter")
        await pilot.pause()
        said = one_line(await sheet_text(pilot))
    working = working_of(said, "weightᵀ) =")  # addmm has the transposed weight
    chosen = element(answers(name), layer, working.column, working.row)
    assert sorted(abs(a * b) for a, b in working.terms) == [
        near(abs(product)) for product in sorted(abs(product) for _, _, product in chosen.terms)
    ]
    assert math.fsum(a * b for a, b in working.terms) == pytest.approx(working.total, rel=1e-3)
    assert working.total == near(chosen.gradient)


# ------------------------------------------------------------ which parameters get none, and why?


@at_every_size
async def test_which_parameters_get_no_gradient(recorded: Recorded, answers: Answers, size: Size) -> None:
    unused = [name for name, why in without_gradient(answers("cnn")).items() if why == "unused"]
    trained = [name for name, of in answers("cnn")["passes"][0]["parameters"].items() if of["requires_grad"]]
    async with walk(recorded("cnn"), "cnn", size) as (pilot, _):
        await pilot.press("end")
        await pilot.pause()
        said = pane(pilot, "CardBox")
    assert all(name in said for name in unused)
    assert f"({len(unused)} of {len(trained)} parameters)" in said


# ------------------------------------------------------------ where did the nan begin?


@at_every_size
async def test_where_the_nan_began(recorded: Recorded, answers: Answers, size: Size) -> None:
    nan = answers("first_nan")["nan"]
    async with walk(recorded("first_nan"), "first_nan", size) as (pilot, _):
        await pilot.press("end", "!")
        await pilot.pause()
        code, said, whole = pane(pilot, "code"), pane(pilot, "CardBox"), text(pilot.app)
    assert f"▶ {nan['line']} root = torch.sqrt" in code
    assert re.search(rf"\biter(ation)? {nan['iteration'] + 1}\b", whole)
    assert f"is nan where score is negative: {nan['count']} of its {nan['of']} elements" in said
    found = re.search(rf"score\[{nan['element']}, 0\] = ({_NUMBER})", said)
    assert found is not None, said
    assert float(found[1]) == near(nan["values"]["score"])


# ------------------------------------------------------------ what did the optimizer do to this weight?


@asynccontextmanager
async def after_step(timeline: Timeline, name: str, size: Size, number: int) -> AsyncIterator[Pilot[int]]:
    """The screen at the statement after a step of the optimizer, by `b` and `n` as one walks there."""
    async with walk(timeline, name, size) as (pilot, screen):
        for _ in range(number):
            await pilot.press("b")
        await pilot.press("n")
        code = timeline.view(screen.model.cursor).code
        assert code == "opt.step()", code
        await pilot.press("n")
        await pilot.pause()
        yield pilot


@at_every_size
@pytest.mark.parametrize(
    ("name", "number", "state"),
    [
        ("resnet", 2, {"m": "exp_avg", "v": "exp_avg_sq"}),
        ("micro_gpt", 2, {"m": "exp_avg", "v": "exp_avg_sq"}),
        ("cnn", 2, {"b": "momentum_buffer"}),
    ],
)  # fmt: skip
async def test_what_the_optimizer_did_to_a_weight(
    recorded: Recorded, answers: Answers, name: str, number: int, state: dict[str, str], size: Size
) -> None:
    async with after_step(recorded(name), name, size, number) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        said = one_line(await sheet_text(pilot))
    compared = 0
    for lines in re.split(r"(?=\b[mb] \((?:exp_avg|momentum_buffer)\) = )", said)[1:]:
        found = re.search(r"(model\S*)\[(\d+(?:, \d+)*)\] = w .*? = .*? = (" + _NUMBER + ")", lines)
        if found is None:
            continue
        index = tuple(int(place) for place in found[2].split(", "))
        done = update(answers(name), found[1], index, number)
        assert float(found[3]) == near(done.new), lines
        for symbol, kept in state.items():
            value = re.search(rf"\b{symbol} \({kept}\) = [^=]* = ([^=]*) = ({_NUMBER})", lines)
            assert value is not None, lines
            assert float(value[2]) == near(done.state[kept]), lines
        assert any(figure == near(abs(done.old)) for figure in map(abs, figures(lines))), lines
        compared += 1
    assert compared >= 4
