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

from tests.networks.conftest import Answers, Recorded, go_to, walk
from tests.networks.expected import (
    element,
    module_norm,
    norms,
    saved_by_module,
    saved_bytes,
    update,
    without_gradient,
)
from tests.networks.screen_text import sheet_text, shown
from tests.sampling import sample
from tests.ui.conftest import text
from tutor.trace.timeline import Timeline
from tutor.ui.layout import DETAILS

SIZES = ((80, 24), (120, 40), (200, 60))
at_every_size = pytest.mark.parametrize("size", sample(SIZES, 1), ids=lambda size: f"{size[0]}x{size[1]}")
Size = tuple[int, int]
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?|nan"


def figures(found: str) -> list[float]:
    """The numbers of a text, in their order."""
    return [float(number) for number in re.findall(_NUMBER, found)]


def near(value: float) -> Any:
    """A number as the screen spells it, with five digits."""
    return pytest.approx(value, rel=1e-4, abs=1e-12, nan_ok=True)


def as_norm(value: float) -> float:
    """Return a norm as it is shown, rounded to three digits."""
    return float(f"{value:.3g}")


def one_line(rows: str) -> str:
    """A text of several rows without frames, and without the mark of rounded numbers, as one."""
    return " ".join(re.sub(r"[│╭╮╰╯┃≈]", " ", rows).split())


def pane(pilot: Pilot[int], name: str) -> str:
    """The text of a pane or bar, as one line."""
    return one_line("\n".join(shown(pilot.app)[name]))


async def walk_to_node(pilot: Pilot[int], name: str) -> None:
    """Go to the next backward pass, and on to the first node of this name in it."""
    await pilot.press("b")
    for _ in range(300):
        await pilot.press("right")
        await pilot.pause()
        if re.match(rf"\W*{name}", pane(pilot, "Explain")):  # it ran: another line says what is next
            return
    raise AssertionError(f"no {name} ran")


# ------------------------------------------------------------ why is this gradient this number?


@dataclass(frozen=True)
class Working:
    """How an element of a gradient is worked out, as the screen says it.

    Attributes:
        terms: The products that are written down.
        more: The number of products that are counted instead.
    """

    row: int
    column: int
    terms: list[float]
    more: int
    total: float


def working_of(said: str, gradient: str) -> Working:
    """Read the element of a gradient that is worked out, with the terms of its sum."""
    part = said.partition(gradient)[2]
    found = re.search(r"\[(\d+), (\d+)\](?: =|:) ([(\d-][^=\[\]]*) = (" + _NUMBER + ")", part)
    assert found is not None, said
    terms = found[3].split(" + ")
    more = re.fullmatch(r"… \((\d+) more terms?\)", terms[-1])
    products = [figures(re.sub(r"[()]", "", term)) for term in (terms[:-1] if more else terms)]
    assert all(len(factors) == 2 for factors in products), found[0]
    return Working(
        int(found[1]), int(found[2]), [math.prod(factors) for factors in products], int(more[1]) if more else 0,
        float(found[4]),
    )  # fmt: skip


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
    working = working_of(said, "weightᵀ)")  # addmm has the transposed weight
    chosen = element(answers(name), layer, working.column, working.row)
    products = [product for _, _, product in chosen.terms]
    assert len(working.terms) + working.more == len(products)
    assert all(any(term == near(product) for product in products) for term in working.terms)
    assert working.total == near(math.fsum(products))  # weight decay of the resnet comes on another way


# ------------------------------------------------------------ which parameters get none, and why?


async def zoom_tensors(pilot: Pilot[int], *keys: str) -> None:
    """Go to the end of the first backward pass and look at the tensors on the whole screen."""
    await pilot.press("b", "n")
    while getattr(pilot.app.focused, "NAME", "") != "tensors":
        await pilot.press("tab")
    await pilot.press("z", *keys)
    await pilot.pause()


@at_every_size
async def test_which_parameters_get_no_gradient(recorded: Recorded, answers: Answers, size: Size) -> None:
    missing = without_gradient(answers("cnn"))
    async with walk(recorded("cnn"), "cnn", size) as (pilot, _):
        await zoom_tensors(pilot, "/", *"none", "enter")
        rows, title = shown(pilot.app)["tensors"], text(pilot.app)
    reasons = {row.split()[0]: why for row in rows for why in ("frozen", "unused") if f" {why} " in row}
    assert reasons == missing
    for why in ("frozen", "unused"):
        assert f"{list(missing.values()).count(why)} {why}" in title


@at_every_size
async def test_the_end_of_a_run_names_what_never_got_a_gradient(
    recorded: Recorded, answers: Answers, size: Size
) -> None:
    unused = [name for name, why in without_gradient(answers("cnn")).items() if why == "unused"]
    trained = [name for name, of in answers("cnn")["passes"][0]["parameters"].items() if of["requires_grad"]]
    async with walk(recorded("cnn"), "cnn", size) as (pilot, _):
        await pilot.press("end")
        await pilot.pause()
        said = pane(pilot, "CardBox")
    assert all(name in said for name in unused)
    assert f"({len(unused)} of {len(trained)} parameters)" in said


# ------------------------------------------------------------ which layer has the largest gradient?


def norms_of(rows: list[str]) -> dict[str, float]:
    """The norms of gradients in the rows of modules and parameters, by the path that the tree gives them."""
    found: dict[str, float] = {}
    path: list[tuple[int, str]] = []
    for row in rows:
        cells, norm = re.match(r"(\W*)(\S+)", row), re.findall(rf"\s({_NUMBER})\s+[█▉▊▋▌▍▎▏]+(?=\s|$)", row)
        if cells is None or not norm:
            continue
        depth = len(cells[1])
        path = [(indent, module) for indent, module in path if indent < depth]
        full = ".".join([module for _, module in path] + [cells[2]])
        if re.search(r"[▾▹]", cells[1]):
            path.append((depth, cells[2]))
        found[full] = float(norm[-1])
    return found


@at_every_size
@pytest.mark.parametrize("name", ["micro_gpt", "cnn", "resnet"])
async def test_which_layer_has_the_largest_gradient(
    recorded: Recorded, answers: Answers, name: str, size: Size
) -> None:
    truth = norms(answers(name))
    largest = max(truth, key=lambda parameter: truth[parameter])
    async with walk(recorded(name), name, size) as (pilot, _):
        await zoom_tensors(pilot, ",")
        rows, title = shown(pilot.app)["tensors"], text(pilot.app)
    assert f"largest: {largest} " in title
    said = norms_of(rows)
    assert said["model"] == as_norm(module_norm(answers(name), "model"))
    below = {path: norm for path, norm in said.items() if path != "model"}
    assert len(below) >= 3
    for path, norm in below.items():
        assert norm == as_norm(module_norm(answers(name), path)), path
    top = [norm for path, norm in below.items() if path.count(".") == 1]
    assert top == sorted(top, reverse=True)


# ------------------------------------------------------------ how does memory grow?


def paths_of(rows: list[str]) -> dict[str, list[str]]:
    """The cells after the name of each row of the tree, by the path that the tree gives it."""
    found: dict[str, list[str]] = {}
    path: list[tuple[int, str]] = []
    for row in rows:
        text = re.sub(r"[│┃▸┊]", " ", row)
        if not text.strip():
            continue
        indent = len(text) - len(text.lstrip(" ▾▹"))
        label, *cells = text.lstrip(" ▾▹").split()
        path = [*(part for part in path if part[0] < indent), (indent, label)]
        parts = [part for _indent, part in path]
        found.setdefault(parts[0] + "".join(p if p[0] == "[" else f".{p}" for p in parts[1:]), cells)
    return found


@at_every_size
@pytest.mark.parametrize("name", ["resnet", "cnn", "micro_gpt"])
async def test_how_memory_grows(recorded: Recorded, answers: Answers, name: str, size: Size) -> None:
    timeline = recorded(name)
    begin = next(step for step in range(1, timeline.steps) if timeline.kind(step) == "backward")
    views = [timeline.view(step) for step in range(1, begin) if timeline.kind(step) == "line"]
    statements = [view for view in views if view.function == "<module>"][-4:]
    async with walk(timeline, name, size) as (pilot, _):
        await zoom_tensors(pilot, "comma", "comma", "comma")
        totals = []
        for view in statements:
            await go_to(pilot, view.step)
            found = re.search(r"autograd keeps ([\d,]+) bytes?", text(pilot.app))
            assert found is not None
            totals.append(int(found[1].replace(",", "")))
        assert totals == [saved_bytes(answers(name), (view.line or 0) - 1) for view in statements]
        assert totals[0] < totals[-1]
        rows = paths_of(shown(pilot.app)["tensors"])
    if name == "micro_gpt":  # its attention divides by a number, which torch shows to no hook
        return
    by_module = saved_by_module(answers(name), (statements[-1].line or 0) - 1)
    compared = [path for path in rows if path in by_module]
    assert len(compared) >= 3
    for path in compared:
        assert int(rows[path][-1].replace(",", "")) == by_module[path], path


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
    for lines in re.split(r"(?=\bw = model)", said)[1:]:
        found = re.search(r"w = (model\S*)\[(\d+(?:, \d+)*)\] .*? w = w [^=]* = [^=]* = (" + _NUMBER + ")", lines)
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
    assert compared >= (1 if size[0] >= DETAILS else 4)  # a column has the chosen weight alone
