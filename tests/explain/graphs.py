"""Random programs with small graphs: shared inputs, broadcasting, views, changes in place of what is no leaf."""

from __future__ import annotations

from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sampling import seed

HEAD = """\
import torch
import torch.nn.functional as F
def leaf(*shape):
    return (torch.rand(shape) + 0.5).requires_grad_()
def run(result, leaves):
    result = result.sum() if result.dim() else result
    if not result.requires_grad:
        return
    torch.autograd.grad(result, leaves, retain_graph=True, allow_unused=True)
    result.backward()
"""

SHAPES = ["", "1", "3", "2, 3", "1, 3", "2, 1", "3, 2", "2, 2, 3"]

ONE = """
-{x}
1 - {x}
2 / {x}
{x} * 0.5
{x} + 1
{x} / 3
{x} ** 2
{x} ** 3
2 ** {x}
({x} * 0.3).exp()
{x}.abs().log()
{x}.abs().log1p()
{x}.abs().sqrt()
({x} * {x} + 1).rsqrt()
{x}.abs()
{x}.reciprocal()
{x}.sin()
{x}.cos()
{x}.atan()
{x}.relu()
({x} - 1).relu()
F.leaky_relu({x} - 1)
F.gelu({x})
F.silu({x})
{x}.sigmoid()
{x}.tanh()
{x}.softmax(-1)
{x}.log_softmax(0)
{x}.mean()
{x}.mean(0)
{x}.mean(-1, keepdim=True)
{x}.sum()
{x}.sum(0)
{x}.sum(-1, keepdim=True)
{x}.amax(0)
{x}.max()
{x}.max(0)[0]
{x}.min(-1, keepdim=True)[0]
{x}.std(0)
{x}.var()
{x}.prod(0)
{x}.cumsum(0)
{x}.norm()
{x}.norm(dim=-1)
{x}.t()
{x}.transpose(0, -1)
{x}.reshape(-1)
{x}.view(-1, 1)
{x}.flatten()
{x}.squeeze()
{x}.unsqueeze(0)
{x}.expand(2, *{x}.shape)
{x}.clone()
{x}.clamp(0.7, 1.2)
{x}[0]
{x}[..., -1]
{x}[1:]
{x}[..., ::2]
{x}[None]
{x}[torch.tensor([0, 0, 1])]
{x}[{x} > 0.9]
{x}.masked_select({x} > 0.8)
{x}.index_select(0, torch.tensor([1, 0]))
{x}.gather(0, torch.zeros_like({x}, dtype=int))
{x}.split(1)[0]
{x}.chunk(2)[-1]
{x}.unbind(-1)[0]
torch.where({x} > 1, {x}, 0.5)
{x}.masked_fill({x} > 1, 2.)
F.mse_loss({x}, torch.ones_like({x}))
F.l1_loss({x}, torch.ones_like({x}))
F.binary_cross_entropy({x}.sigmoid(), torch.ones_like({x}))
F.binary_cross_entropy_with_logits({x}, torch.ones_like({x}))
F.cross_entropy({x}, torch.tensor([1, 0]))
{x}.double().sum().float()
""".strip().splitlines()

TWO = """
{x} + {y}
{x} - {y}
{x} * {y}
{x} / ({y} + 2)
{x}.abs() ** {y}
torch.add({x}, {y}, alpha=3)
{x} @ {y}
{x} @ {y}.t()
{x}.mm({y})
{x}.mv({y})
{x}.dot({y})
{x}.bmm({y})
torch.addmm({x}, {x}, {y})
F.linear({x}, {y})
torch.cat([{x}, {y}])
torch.stack([{x}, {y}])
torch.stack([{x}, {y}], -1)
torch.maximum({x}, {y})
torch.minimum({x}, {y})
torch.where({x} > {y}, {x}, {y})
{x}.clamp(min={y})
F.mse_loss({x}, {y}.expand_as({x}))
{x}.expand_as({y})
""".strip().splitlines()

# What changes something in place: a copy, so that it is no leaf; or what another operation made and does not keep.
INPLACE = """
{n} = {x}.clone(); {n}.mul_({y})
{n} = {x}.clone(); {n} += {y}
{n} = {x} * 2; {n} -= {y}
{n} = {x} + 1; {n}.relu_()
{n} = {x}.clone(); {n}.exp_()
{n} = {x}.clone(); {n}[0] = {y}
{n} = {x}.clone(); {n}[0].mul_(2)
{n} = {x} * 1; {n}[..., 0] += {y}
{n} = {x}.clone(); {n}.t().mul_(3)
{n} = {x}.clone(); {n}.copy_({y})
{n} = {x}.clone(); {n}.view(-1)[0].zero_()
{n} = {x}.clone(); {n}.fill_(1.0)
{n} = {x}.sigmoid(); {n}.add_(1)
""".strip().splitlines()
"""The last one fails in the pass: sigmoid has kept what is changed."""

_MOST = 60
"""Elements of a tensor."""


@st.composite
def programs(draw: st.DrawFn) -> str:
    """The body of a program whose last line is `run(…)`."""
    lines, names = [], []
    known: dict[str, Any] = {}
    exec(HEAD, known)
    for name in "abc"[: draw(st.integers(1, 3))]:
        line = f"{name} = leaf({draw(st.sampled_from(SHAPES))})"
        exec(line, known)
        lines.append(line)
        names.append(name)
    leaves = list(names)
    for number in range(draw(st.integers(2, 7))):
        name = f"v{number}"
        x, y = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        made = draw(st.sampled_from([ONE, ONE, TWO, TWO, TWO, INPLACE]))
        template = draw(st.sampled_from(made))
        line = template.format(x=x, y=y, n=name)
        line = line if made is INPLACE else f"{name} = {line}"
        try:
            exec(line, known)
        except (RuntimeError, IndexError, TypeError, ValueError):
            line = f"{name} = {x} * {x}"  # it does not fit these shapes
            exec(line, known)
        if not isinstance(known[name], torch.Tensor) or not 0 < known[name].numel() <= _MOST:
            line = f"{name} = {x}.sum()"
            exec(line, known)
        lines += line.split("; ")
        names.append(name)
    parts = [
        f"{name}.sum()" for name in dict.fromkeys([names[-1], *draw(st.lists(st.sampled_from(names), max_size=2))])
    ]
    lines.append(f"run({' + '.join(parts)}, [{', '.join(leaves)}])")
    return "\n".join(lines)


def gathered(many: int) -> list[str]:
    """So many programs."""
    found: list[str] = []

    @hypothesis.seed(f"graphs {seed()}")
    @settings(
        max_examples=many, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(programs())
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
