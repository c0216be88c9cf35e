"""Random programs, each with shared inputs, broadcasting, a view, a change in place of what is no leaf, and several
passes, hooks and second order through the same graph."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.explain.graphs import INPLACE, ONE, SHAPES, TWO
from tests.sampling import seed

HEAD = """\
import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
def leaf(*shape):
    return (torch.rand(shape) + 0.5).requires_grad_()
"""
OPERATIONS = [*ONE, *TWO]
"""Each is in some program: those of curriculum.md."""
_SHARED = ["{x} * {x} + {x}", "{x} * {x}.sin()", "torch.stack([{x}, {x}]).sum(0) * {x}", "{x}.exp() / {x}"]
_BROADCAST = ["{x} + {y}", "{y} * {x}", "{x} / ({y} + 1)", "{y} - {x}", "torch.maximum({x}, {y})", "{x} ** {y}"]
_VIEWS = [
    "{x}.reshape(-1)", "{x}.view(-1)", "{x}.transpose(0, -1)", "{x}[0]", "{x}.unsqueeze(0)", "{x}[..., ::2]", "{x}[1:]",
]  # fmt: skip
_PLACES = [
    *[line for line in INPLACE if "sigmoid" not in line],
    "{n} = {x}.clone(); {n}v = {n}.view(-1); {n}.mul_(2); {n} = {n}v * {n}v",
    "{n} = {x} * 1; {n}v = {n}[0]; {n}v.mul_(3); {n} = {n} + {n}v",
    "{n} = {x} * 2; {n}v = {n}.t() if {n}.dim() == 2 else {n}; {n}v += 1; {n} = {n} * {n}",
]
_BETWEEN = [
    "{t}.register_hook(lambda g: g * 2)",
    "{t}.register_hook(lambda g: g * 0.5)",
    "{t}.retain_grad()",
    "{t}.grad_fn.register_hook(lambda i, o: tuple(None if g is None else g * 3 for g in i))",
    "{t}.grad_fn.register_prehook(lambda o: tuple(None if g is None else g + 1 for g in o))",
    "{x}.register_hook(lambda g: g + 1)",
    "{x}.register_post_accumulate_grad_hook(lambda p: setattr(p, 'grad', p.grad * 2))",
    "{x}.grad = None",
    "{x}.grad = torch.ones_like({x})",
]
_PASSES = [
    "out.backward(retain_graph=True)",
    "out.backward(gradient=torch.tensor(0.5), retain_graph=True)",
    "torch.autograd.backward([out, {t}.sum()], retain_graph=True)",
    "torch.autograd.backward([{t}, out], [torch.rand({t}.shape), None], retain_graph=True)",
    "out.backward(retain_graph=True, inputs=[{x}])",
    "torch.autograd.grad(out, [{leaves}], retain_graph=True, allow_unused=True)",
    "torch.autograd.grad({t}, [{x}, {t}], torch.rand({t}.shape), retain_graph=True, allow_unused=True)",
    "out.backward(create_graph=True); {x}.grad.pow(2).sum().backward(retain_graph=True)",
    "g = torch.autograd.grad(out, {x}, create_graph=True)[0]; (g * g).sum().backward(retain_graph=True)",
    "(checkpoint(lambda t: (t * t).sin(), {t}, use_reentrant=False).sum() + out).backward(retain_graph=True)",
]
_SHAPES = [("2, 3", "3"), ("2, 3", "2, 1"), ("3, 2", "1, 2"), ("2, 2, 3", "2, 3"), ("3", "")]
"""The second is broadcast to the first."""
AGAIN = "again"
"""Marks the second pass through a graph that was not retained: most fail."""
_MOST = 60
"""Elements of a tensor."""


class _Writer:
    """Writes a program, running it as it goes, so that what does not fit these shapes is left out."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[str, Any] = {}
        exec(HEAD, self.known)

    def try_line(self, line: str, name: str) -> bool:
        """Whether the line could be run and gave a tensor of this name that is not too large."""
        known = dict(self.known)
        try:
            exec(line, known)
        except (RuntimeError, IndexError, TypeError, ValueError):
            return False
        made = known[name]
        if not isinstance(made, torch.Tensor) or not 0 < made.numel() <= _MOST or not made.requires_grad:
            return False
        self.known = known
        self.lines += line.split("; ")
        return True

    def leaf(self, name: str, shape: str) -> None:
        assert self.try_line(f"{name} = leaf({shape})", name)


@st.composite
def programs(draw: st.DrawFn, must: str) -> str:
    """The body of a program in which operation `must` stands."""
    writer = _Writer()
    whole, part = draw(st.sampled_from(_SHAPES))
    writer.leaf("a", whole)
    writer.leaf("b", part)
    leaves, names = ["a", "b"], ["s", "r"]
    assert writer.try_line("s = " + draw(st.sampled_from(_SHARED)).format(x="a"), "s")
    assert writer.try_line("r = " + draw(st.sampled_from(_BROADCAST)).format(x="s", y="b"), "r")
    for name, templates in (("v", _VIEWS), ("p", _PLACES)):
        order = draw(st.permutations(templates))
        fitting = (text.format(x="r", y="b", n=name) for text in order)
        assert any(writer.try_line(f"v = {text}" if name == "v" else text, name) for text in fitting)
        names.append(name)
    if not any(writer.try_line(f"m = {must.format(x=x, y=y)}", "m") for x, y in product(names, names)):
        first, second = _fitting(must)
        writer.leaf("c", first)
        writer.leaf("d", second)
        leaves += ["c", "d"]
        assert writer.try_line(f"m = {must.format(x='c', y='d')}", "m")
    names.append("m")
    for number in range(draw(st.integers(0, 3))):
        template = draw(st.sampled_from([*OPERATIONS, *_PLACES]))
        x, y, n = draw(st.sampled_from([*names, *leaves])), draw(st.sampled_from([*names, *leaves])), f"e{number}"
        line = template.format(x=x, y=y, n=n)
        if writer.try_line(line if template in _PLACES else f"{n} = {line}", n):
            names.append(n)
    writer.lines.append("out = " + " + ".join(f"{name}.sum()" for name in names))
    for round_ in range(draw(st.integers(1, 3))):
        chosen = {"t": draw(st.sampled_from(names)), "x": draw(st.sampled_from(leaves)), "leaves": ", ".join(leaves)}
        if round_:
            writer.lines.append(draw(st.sampled_from(_BETWEEN)).format(**chosen))
        writer.lines += draw(st.sampled_from(_PASSES)).format(**chosen).split("; ")
    return "\n".join([*writer.lines, "out.backward()", f"out.backward()  # {AGAIN}"])


@cache
def _fitting(must: str) -> tuple[str, str]:
    """Shapes of two leaves that an operation takes."""
    for first, second in product([*SHAPES, "2, 2", "3, 3", "2, 3, 2"], repeat=2):
        trial = _Writer()
        trial.leaf("c", first)
        trial.leaf("d", second)
        if trial.try_line(f"m = {must.format(x='c', y='d')}", "m"):
            return first, second
    raise ValueError(must)


def gathered(operations: list[str], rounds: int) -> list[str]:
    """So many programs for each of these operations."""
    found: list[str] = []
    for must in operations:

        @hypothesis.seed(f"passes {seed()} {must}")
        @settings(
            max_examples=rounds, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(programs(must))
        def gather(program: str) -> None:
            found.append(program)

        gather()
    return found


def script(programs: list[str]) -> str:
    """All of them, one after the other; what fails in one is printed."""
    text = HEAD
    for number, program in enumerate(programs):
        body = "\n".join(f"    {line}" for line in program.splitlines())
        text += f"print('program {number}')\ntorch.manual_seed({number})\ntry:\n{body}\n"
        text += "except RuntimeError as error:\n    print(str(error)[:60])\n"
    return text
