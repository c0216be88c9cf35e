"""The tensors pane on real runs: a network of 101 parameters, and a few scalars."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import screen_of, text
from tests.ui.recordings import TRACE
from tests.worker.recording import Forker, Recording
from tutor.trace.values import elements
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.tensors import TensorsPane

NETWORK = """\
import torch
from torch import nn
torch.manual_seed(0)
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        self.gate = nn.Linear(4, 4)
    def forward(self, x):
        return x + self.mlp(self.norm(x)) * torch.sigmoid(self.gate(x))
class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(12))
        self.bn = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.tok.weight
        self.aux = nn.Linear(4, 2)
    def forward(self, i):
        x = self.tok(i)
        for block in self.blocks:
            x = block(x)
        return self.head(self.bn(x))
model = Deep()
for parameter in model.blocks[0].parameters():
    parameter.requires_grad = False
opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
ids = torch.tensor([0, 1, 2, 3])
for epoch in range(2):
    loss = nn.functional.cross_entropy(model(ids), ids)
    opt.zero_grad()
    loss.backward()
    opt.step()
bad = torch.tensor([1.0, float("nan")])
done = True
"""
Size = tuple[int, int]
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture(scope="module")
def run(record: Forker) -> Recording:
    recording = record(NETWORK)
    assert recording.status == 0, recording.stderr
    return recording


@asynccontextmanager
async def at(
    run: Recording, step: int, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Pilot[int], TensorsPane]]:
    """The pane on the whole screen, with the focus, at a step."""
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
    async with app.run_test(size=size) as pilot:
        screen = screen_of(app)
        screen.go_to(step)
        screen.show_pane("tensors")
        screen.tensors.focus()
        await pilot.press("z")
        await pilot.pause()
        yield pilot, screen.tensors
        screen_of(app)


def rows(pane: TensorsPane) -> list[str]:
    """All rows, those out of sight included."""
    return ["".join(piece for piece, _role in pane.row(index, pane.inner)) for index in range(pane.count())]


def row(pane: TensorsPane, name: str) -> str:
    (found,) = [row for row in rows(pane) if re.match(rf"[\W]*{re.escape(name)}(?=\s|$)", row)]
    return found


def top_of(pane: TensorsPane) -> list[str]:
    """The names in sight, in their order."""
    return [row.lstrip(" ▸▾▹┊").split("  ")[0] for row in rows(pane)[: pane.page]]


def after_pass(run: Recording) -> int:
    return run.steps_of("backward_end")[0]


async def mark(pilot: Pilot[int], pane: TensorsPane, name: str) -> None:
    """Walk the mark to a row with the keys."""
    await pilot.press(*["up"] * (pane.count() + 1))
    for _ in range(pane.count()):
        if pane.chosen is not None and top_of_row(pane, pane.chosen) == name:
            return
        await pilot.press("down")
    raise AssertionError(f"{name} is not to be marked")


def top_of_row(pane: TensorsPane, index: int) -> str:
    return rows(pane)[index].lstrip(" ▸▾▹┊").split("  ")[0]


def grads(run: Recording, step: int) -> dict[str, list[float]]:
    """By name of a parameter: the elements of its gradient."""
    state = run.timeline.state(step)
    found: dict[str, list[float]] = {}
    for name, number in run.names(step, 1).items():
        grad = state.tensors[number].grad
        if name.startswith("model.") and grad is not None and name != "model.head.weight":
            found[name] = [float(item) for item in elements(state.tensors[grad].value) or ()]
    return found


@pytest.mark.parametrize("size", SIZES)
async def test_a_hundred_parameters_are_seen_by_modules(run: Recording, size: Size) -> None:
    async with at(run, after_pass(run), size) as (pilot, pane):
        names = top_of(pane)
        assert names[:2] == ["model", "tok.weight = head.weight"]
        assert [f"blocks[{index}]" in names for index in range(12)] == [True] * 12
        assert not any("…" in name for name in names)
        assert "no gradient: 8 frozen, 2 unused" in text(pilot.app)
        below = grads(run, after_pass(run))
        whole = math.hypot(*(number for numbers in below.values() for number in numbers))
        block = math.hypot(*(n for name, numbers in below.items() if ".blocks[3]." in name for n in numbers))
        for name, norm in (("model", whole), ("blocks[3]", block)):
            (figure,) = re.findall(r"(\S+) +█", row(pane, f"{name}"))
            assert float(figure) == float(f"{norm:.3g}")
        largest = max(below, key=lambda name: math.hypot(*below[name]))
        assert f"largest: {largest}" in text(pilot.app)


async def test_bars_fill_as_gradients_arrive_and_no_column_moves(run: Recording) -> None:
    begin, end = run.steps_of("backward")[0], after_pass(run)
    async with at(run, begin) as (pilot, pane):
        heads, filled = set(), []
        for step in [begin, *(step for step in run.steps_of("accumulate") if step < end), end]:
            screen_of(pilot.app).go_to(step)
            await pilot.pause()
            heads.add(pane.head(pane.inner))
            filled.append(sum(bool(re.search("[█▏▎▍▌▋▊▉]", line)) for line in rows(pane)[: pane.page]))
        assert len(heads) == 1
        assert filled[0] == 0
        assert filled == sorted(filled)
        assert filled[-1] >= 12


async def test_a_branch_without_gradients_says_why(run: Recording) -> None:
    async with at(run, run.steps_of("backward")[0]) as (pilot, pane):
        assert re.search(r"\bfrozen$", row(pane, "blocks[0]").rstrip())
        assert re.search(r"\bnot yet$", row(pane, "blocks[1]").rstrip())
        assert re.search(r"\bunused$", row(pane, "aux").rstrip())
        await mark(pilot, pane, "aux")
        await pilot.press("enter")
        await pilot.pause()
        assert pane.chosen is not None
        assert [top_of_row(pane, pane.chosen + below) for below in (1, 2)] == ["weight", "bias"]


async def test_orders(run: Recording) -> None:
    async with at(run, after_pass(run)) as (pilot, pane):
        by_code = top_of(pane)
        await pilot.press("comma")
        assert "by |grad|" in text(pilot.app)
        norms = [float(number) for line in rows(pane)[1:12] for number in re.findall(r"(\S+) +[█▏▎▍▌▋▊▉]", line)]
        assert len(norms) > 8
        assert norms == sorted(norms, reverse=True)
        await pilot.press("comma")
        assert "by |grad| / |value|" in text(pilot.app)
        await pilot.press("comma")
        assert "by memory" in text(pilot.app)
        assert rows(pane)[1].lstrip(" ▹").startswith("blocks[")  # 8 tensors, more than in tok.weight
        await pilot.press("comma")
        assert "by memory" not in text(pilot.app)
        assert top_of(pane) == by_code


async def test_filters(run: Recording) -> None:
    async with at(run, run.timeline.steps) as (pilot, pane):

        async def shown(typed: str) -> list[str]:
            await pilot.press("slash", *typed, "enter")
            await pilot.pause()
            assert f"/{typed}" in text(pilot.app)
            return [name.split(" = ")[0] for name in top_of(pane) if name[:1] not in "⎡⎢⎣["]  # no numbers

        names = {name for name in run.names() if name.startswith(("model.blocks[0].", "model.aux."))}
        assert set(await shown("none")) == names
        assert await shown("nan") == ["bad"]
        assert await shown("aux.w") == ["model.aux.weight"]
        assert set(await shown("exp_avg_sq of model.bn")) == {
            f"exp_avg_sq of model.bn.{name}" for name in ("weight", "bias")
        }
        assert await shown(">1000000") == ["nothing here matches >1000000: Esc shows all"]
        await pilot.press("escape")
        await pilot.pause()
        assert top_of(pane)[0] == "model"
        assert "ids" in await shown(">2")  # 3
        assert "ids" not in await shown(">3")


async def test_what_adam_keeps_is_under_the_name_of_the_parameter(run: Recording) -> None:
    async with at(run, run.timeline.steps, (120, 40)) as (pilot, pane):
        assert " 273 " in row(pane, "opt (Adam)")  # 3 for each of 91 parameters
        for name in ("opt (Adam)", "model.bn.bias"):
            await mark(pilot, pane, name)
            await pilot.press("enter")
            await pilot.pause()
        index = pane.chosen
        assert index is not None
        assert [top_of_row(pane, index + below) for below in (1, 2, 3)] == ["step", "exp_avg", "exp_avg_sq"]
        assert re.search(r"\b2\b", rows(pane)[index + 1])
        await pilot.press("down")
        assert pane.marked() == ("tensor", run.end.optimizers[1].tensors[run.names()["model.bn.bias"]]["step"])
        await pilot.press("enter")
        await pilot.pause()
        assert "step of model.bn.bias" in text(pilot.app)
        await pilot.press("escape")


async def test_into_a_branch_and_out_of_it(run: Recording) -> None:
    async with at(run, after_pass(run)) as (pilot, pane):
        step = screen_of(pilot.app).model.cursor
        await mark(pilot, pane, "blocks[3]")
        await pilot.press("i")
        await pilot.pause()
        assert pane.chosen is not None
        below = [top_of_row(pane, pane.chosen + index) for index in range(4)]
        assert below == ["blocks[3]", "norm", "mlp[0]", "mlp[2]"]
        await pilot.press("down", "down", "i", "down")
        await pilot.pause()
        assert top_of_row(pane, pane.chosen) == "weight"
        for name in ("mlp[0]", "blocks[3]", "model"):
            await pilot.press("o")
            await pilot.pause()
            assert top_of_row(pane, pane.chosen) == name
        assert screen_of(pilot.app).model.cursor == step
        await pilot.press("escape")
        assert not pane.check_action("open", (True,))  # nothing is selected: i and o are the keys of the walk


async def test_parameters_stay_in_sight_while_gradients_pass_through_results(run: Recording) -> None:
    begin, end = run.steps_of("backward")[0], after_pass(run)
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
    async with app.run_test(size=(80, 24)) as pilot:
        pane = screen_of(app).tensors
        screen_of(app).go_to(begin)
        await pilot.pause()
        pane.top = 0
        first = next(step for step in run.steps_of("accumulate") if begin < step < end)
        for step in range(begin + 1, first):
            screen_of(app).go_to(step)
            await pilot.pause()
            assert pane.top == 0
            assert top_of(pane)[0] == "model"


async def test_the_selected_matrix_is_written_below_its_row(run: Recording) -> None:
    async with at(run, after_pass(run), (120, 30)) as (pilot, pane):
        count = pane.count()
        await mark(pilot, pane, "tok.weight = head.weight")
        await pilot.pause()
        assert pane.chosen is not None
        assert top_of_row(pane, pane.chosen).startswith("tok.weight")
        assert pane.count() == count + 5
        state, number = run.timeline.state(after_pass(run)), run.names()["model.tok.weight"]
        grad = state.tensors[number].grad
        assert grad is not None
        figures = [
            float(figure)
            for line in rows(pane)[pane.chosen + 1 : pane.chosen + 6]
            for figure in re.findall(r"-?\d[\d.e-]*", line)
        ]
        wanted = [
            float(item)
            for y in range(5)
            for held in (number, grad)
            for item in (elements(state.tensors[held].value) or ())[4 * y : 4 * y + 4]
        ]
        assert figures == pytest.approx(wanted, rel=1e-4)
        assert pane.top <= pane.chosen <= pane.top + pane.page - 6
        await pilot.press("down")
        await pilot.pause()
        assert top_of_row(pane, pane.chosen).startswith("blocks[0]")
        assert pane.count() == count


async def test_the_mark_follows_a_name(run: Recording) -> None:
    async with at(run, after_pass(run)) as (pilot, pane):
        await mark(pilot, pane, "tok.weight = head.weight")
        for key in ("comma", "right", "n"):
            await pilot.press(key)
            await pilot.pause()
            assert pane.chosen is not None
            assert top_of_row(pane, pane.chosen).startswith("tok.weight")
            assert pane.marked() == ("tensor", run.names()["model.tok.weight"])


async def test_scalars_are_a_list(record: Forker) -> None:
    run = record(
        "import torch\nx = torch.tensor(2.0, requires_grad=True)\nw = torch.tensor(3.0, requires_grad=True)\n"
        "y = x * w\nloss = y ** 2\nloss.backward()\nlr = 0.5\ndone = True\n"
    )
    async with at(run, run.timeline.steps) as (pilot, pane):
        assert top_of(pane)[:4] == ["x", "w", "y", "loss"]
        assert not any("▾" in line or "▹" in line for line in rows(pane))
        assert re.search(r"\b2\b.*\b36$", row(pane, "x").rstrip())  # 2·x·w²
        assert "lr = 0.5" in "".join(rows(pane))
        assert "no gradient" not in text(pilot.app)


async def test_nan_in_a_gradient_is_its_norm(record: Forker) -> None:
    run = record(
        "import torch\nnet = torch.nn.Linear(2, 1)\nnet(torch.tensor([1.0, float('nan')])).sum().backward()\ndone = 1\n"
    )
    async with at(run, run.timeline.steps) as (pilot, pane):
        assert re.search(r"\] +nan\b", row(pane, "weight"))
        assert re.search(r"net +nan\b", row(pane, "net"))
        assert "largest: net.bias" in text(pilot.app)


PRODUCT = Path(__file__).parents[1] / "networks" / "pictures" / "product.py"


async def test_small_matrices_are_numbers_below_their_names(record: Forker) -> None:
    run = record(PRODUCT)
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = screen_of(app)
        screen.go_to(run.steps_of("node")[2])  # of X @ W, whose gradient passes through
        await pilot.pause()
        pane, lines = screen.tensors, rows(screen.tensors)
        begin = lines.index(row(pane, "W"))
        assert ["⎡ 1  -2 ⎤" in lines[begin], "⎣ 3   4 ⎦" in lines[begin + 1]] == [True, True]
        begin = lines.index(row(pane, "H"))
        assert ["⎛ 1  1 ⎞" in lines[begin], "⎜ 0  0 ⎟" in lines[begin + 1], "⎝ 1  0 ⎠" in lines[begin + 2]] == [
            True
        ] * 3
        screen.go_to(run.steps_of("accumulate")[0])
        await pilot.pause()
        begin = rows(pane).index(row(pane, "W"))
        assert "⎡ 3    1 ⎤" in rows(pane)[begin]  # Xᵀ·G = [[1 0 2] [2 -1 0.5]]·[[1 1] [0 0] [1 0]]
        assert "⎣ 2.5  2 ⎦" in rows(pane)[begin + 1]
        assert pane.top <= begin < begin + 1 < pane.top + pane.page  # all of what changed is in sight
        screen.tensors.focus()
        await pilot.press("up", "up", "up")
        names = []
        for _ in range(4):
            assert pane.chosen is not None
            names.append(top_of_row(pane, pane.chosen).split()[0])
            await pilot.press("down")
        assert names == ["X", "W", "H", "total"]


async def test_small_matrices_are_in_one_row_of_a_low_pane(record: Forker) -> None:
    run = record(PRODUCT)
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = screen_of(app)
        screen.go_to(run.steps_of("accumulate")[0])
        await pilot.pause()
        assert re.search(r"\[\[1 -2\] \[3 4\]\] +2×2 .* \[\[3 1\] \[2\.5 2\]\]", row(screen.tensors, "W"))


async def test_a_matrix_of_long_numbers_stays_in_its_columns(record: Forker) -> None:
    run = record(
        "import torch\nw = torch.tensor([[-1.2345e-10, float('nan')], [0.1 / 3, 123456.0]], requires_grad=True)\n"
        "(w * w).sum().backward()\ndone = 1\n"
    )
    app = GradtutorApp(TRACE, lessons=Path("lessons"), timeline=run.timeline)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = screen_of(app)
        screen.go_to(run.timeline.steps)
        await pilot.pause()
        lines = rows(screen.tensors)
        begin = lines.index(row(screen.tensors, "w"))
        assert len({len(line) for line in lines[begin : begin + 2]}) == 1
        assert "nan" in lines[begin]
        assert "0.033333" in lines[begin + 1]


SMALL = """\
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.outer = nn.Linear(4, 1)
    def forward(self, x):
        h = torch.tanh(self.inner(x))
        return self.outer(h)
net = Net()
x = torch.ones(2, 3)
net(x).sum().backward()
done = 1
"""


async def test_small_matrices_of_a_model_are_numbers_where_all_have_room(record: Forker) -> None:
    run = record(SMALL)
    async with at(run, run.timeline.steps, (120, 40)) as (_pilot, pane):
        begin = rows(pane).index(row(pane, "inner")) + 1
        assert top_of_row(pane, begin) == "weight"
        below = rows(pane)[begin + 1 : begin + 5]
        state, number = run.timeline.state(run.timeline.steps), run.names()["net.inner.weight"]
        wanted = [float(item) for item in elements(state.tensors[number].value) or ()]
        figures = [[float(text) for text in re.findall(r"-?\d[\d.e-]*", line)] for line in below]
        assert [item for line in figures for item in line[:3]] == pytest.approx(wanted, rel=1e-4)
        assert [len(line) for line in figures] == [6] * 4  # beside them the gradient
        assert pane.count() <= pane.page
    async with at(run, run.timeline.steps, (80, 16)) as (_pilot, pane):
        assert pane.count() > pane.page
        assert not any("⎡" in line for line in rows(pane))


async def test_memory_is_by_module_within_forward_too(record: Forker) -> None:
    run = record(SMALL)
    inside = run.line(11)
    async with at(run, inside, (120, 40)) as (pilot, pane):
        await pilot.press("comma", "comma", "comma")
        await pilot.pause(0.1)
        titles = pane.head(pane.inner)
        assert titles is not None
        assert "kept by autograd" in "".join(text for text, _role in titles)
        kept = re.findall(r"\d+", row(pane, "self"))
        assert kept[-1] == str(2 * 3 * 4 + 2 * 4 * 4)  # x, and what tanh gave
