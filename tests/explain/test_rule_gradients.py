"""Rules of matrices, shapes and layers on what torch's nodes saved, against torch's gradients, without a recording."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import Explanation, NodeView, Operand, apply_rule


def grid_of(tensor: torch.Tensor) -> Grid:
    return Grid.of(tuple(tensor.shape), tensor.detach().double().flatten().tolist())


def signed(value: Any) -> Any:
    """A saved number as Python means it: `dim=-1` is read as 2⁶⁴ - 1."""
    if isinstance(value, list | tuple):
        return [signed(item) for item in value]
    return value - 2**64 if type(value) is int and value >= 2**63 else value


def attributes_of(node: Any) -> dict[str, Any]:
    saved = {name.removeprefix("_saved_"): getattr(node, name) for name in dir(node) if name.startswith("_saved_")}
    return {name: signed(value) for name, value in saved.items() if not _has_tensors(value)}


def _has_tensors(value: Any) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, torch.Tensor) for item in items)


def operand(name: str, tensor: torch.Tensor | None) -> Operand:
    if tensor is None:
        return Operand("None", (), None)
    return Operand(name, tuple(tensor.shape), grid_of(tensor), id(tensor))


OPERATIONS = """
a.flip(1)
a.flip((0, -1))
a.roll(1)
a.roll(-2, 1)
a.roll((1, -1), (0, 1))
a.rot90()
a.rot90(-1)
a.rot90(2)
t.rot90(1, (2, 0))
a.t()
t.transpose(0, -1)
t.permute(2, 0, -2)
t.select(1, -1)
a[:, ::2]
a[-1:]
a.diagonal(1)
a.diagonal(-1)
t.diagonal(1, 2, 0)
torch.diag_embed(a, -1, 0, 2)
a.tril(1)
a.tril(-1)
t.triu(-1)
F.pad(a, (1, -1, 2, 0))
F.pad(a, (1, 2), value=3.0)
F.pad(t, (2, 1), mode="reflect")
F.pad(t, (2, 1), mode="replicate")
t.unfold(-1, 2, 2)
a.repeat(2, 1, 2)
a.view(-1)
a.split(2, 1)
a.split([1, 2], -1)
t.unbind(-2)
t.chunk(2, -1)
F.interpolate(t, scale_factor=1.5)
F.interpolate(t, size=7)
torch.cat((a, b), -1)
torch.stack((a, b), -2)
a.mm(m)
a.mv(v)
v.dot(w)
t.bmm(u)
torch.addmm(c, a, m, beta=2, alpha=3)
torch.addmv(r, a, v, beta=2, alpha=3)
torch.addr(s, v, w, beta=2, alpha=3)
torch.baddbmm(z, t, u, beta=2, alpha=3)
torch.linalg.cross(s, p, dim=0)
torch.linalg.cross(s, p)
a.trace()
s.inverse()
k.inverse()
s.det()
k.det()
torch.linalg.slogdet(s)
torch.linalg.solve(s, o)
torch.linalg.solve(s, v)
torch.linalg.solve(s, a, left=False)
torch.linalg.solve_triangular(s, o, upper=True)
torch.linalg.solve_triangular(s, o, upper=False, unitriangular=True)
torch.linalg.cholesky(y)
torch.linalg.cholesky(y, upper=True)
torch.linalg.eigh(y)
torch.linalg.svd(a)
torch.linalg.pinv(a)
torch.linalg.matrix_exp(s)
F.conv2d(x, k4)
F.conv2d(x, k4, c3, stride=(2, 1), padding=(0, 1))
F.conv2d(x, k4, dilation=(1, 2))
F.conv2d(x, g4, groups=2, padding=1)
F.conv1d(t, k3, stride=2, padding=1)
F.conv_transpose2d(x, n4, stride=2, padding=1, output_padding=1)
F.max_pool2d(x, 2, stride=1, dilation=2)
F.max_pool2d(x, (3, 2), stride=2, padding=1)
F.max_pool2d(x, 2, ceil_mode=True)
F.avg_pool2d(x, 3, stride=2, padding=1)
F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
F.avg_pool2d(x, 2, ceil_mode=True)
F.avg_pool2d(x, 2, divisor_override=3)
F.avg_pool3d(x, 2, padding=1)
F.max_pool3d(x, 2, stride=1)
F.adaptive_avg_pool2d(x, (2, 3))
F.adaptive_max_pool2d(x, 3)
F.adaptive_avg_pool3d(x, (1, 2, 3))
F.adaptive_max_pool3d(x, 2)
""".strip().splitlines()
SHAPES = {
    "a": (2, 3), "b": (2, 3), "t": (2, 3, 4), "u": (2, 4, 2), "m": (3, 4), "v": (3,), "w": (3,), "c": (4,), "r": (2,),
    "s": (3, 3), "p": (3, 3), "z": (2, 3, 2), "k": (2, 3, 3), "o": (3, 2), "x": (1, 2, 5, 5), "k4": (3, 2, 3, 2),
    "c3": (3,), "g4": (4, 1, 2, 2), "k3": (2, 3, 3), "n4": (2, 3, 2, 2),
}  # fmt: skip


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    made = {name: torch.rand(shape, dtype=torch.float64) + 0.5 for name, shape in SHAPES.items()}
    for name in ("s", "k"):
        made[name] += 2 * torch.eye(3)
    made["y"] = made["s"] @ made["s"].T
    return {name: tensor.requires_grad_() for name, tensor in made.items()}


def explained(
    results: Any, inputs: list[tuple[str, torch.Tensor | None]], grads: list[torch.Tensor | None]
) -> tuple[NodeView, Explanation]:
    """What the rule of a node says of its results and inputs, with these incoming gradients."""
    results = results if isinstance(results, tuple) else (results,)
    node = results[0].grad_fn
    flat = [
        x
        for result, g in zip(results, grads, strict=True)
        for x in grid_of(torch.zeros_like(result) if g is None else g).flat
    ]
    incoming = Grid((len(flat),), tuple(flat)) if len(results) > 1 else grid_of(grads[0])  # type: ignore[arg-type]
    operands = [operand(name, tensor) for name, tensor in inputs]
    made = [operand(f"y{i}", result) for i, result in enumerate(results)]
    view = NodeView(
        type(node).__name__, "", operands, made[0], incoming, operands, made, attributes=attributes_of(node)
    )
    explanation = apply_rule(view)
    assert explanation is not None
    return view, explanation


@pytest.mark.parametrize("code", OPERATIONS)
def test_a_rule_gives_what_torch_gives(code: str) -> None:
    known = tensors()
    used = {node.id: node.col_offset for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    names = sorted(used.keys() & known.keys(), key=used.__getitem__)
    inputs = [known[name] for name in names]
    results = eval(code, {"torch": torch, "F": F, **known})
    results = results if isinstance(results, tuple) else (results,)
    grads: list[torch.Tensor | None] = [torch.rand_like(result) - 0.3 for result in results]
    if "svd" in code:
        grads = [None, grads[1], None]
    if "slogdet" in code:
        grads[0] = None
    view, explanation = explained(results, list(zip(names, inputs, strict=True)), grads)
    pairs = [(result, g) for result, g in zip(results, grads, strict=True) if g is not None]
    expected = torch.autograd.grad([result for result, _ in pairs], inputs, [g for _, g in pairs])
    assert explanation.equation
    shares = [share for share in explanation.shares if share is not None]
    assert len(shares) == len(inputs)
    for share, gradient in zip(shares, expected, strict=True):
        given = share.vjp(view.incoming)
        assert share.formula
        assert given.shape == gradient.shape
        assert given.flat == pytest.approx(grid_of(gradient).flat, rel=1e-9, abs=1e-9), share.formula


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("states", [False, True])
def test_an_lstm(*, reverse: bool, states: bool) -> None:
    torch.manual_seed(1)
    layer = torch.nn.LSTM(3, 2, bidirectional=reverse)
    x = torch.randn(3, 2, 3, requires_grad=True)
    first = [torch.randn(1 + reverse, 2, 2, requires_grad=True) for _ in range(2)] if states else None
    output = layer(x, first)[0]
    grad = torch.rand_like(output) - 0.3
    node: Any = output.grad_fn
    if reverse:  # one node for each direction
        node, grad = node.next_functions[1][0], grad[..., 2:]
    assert type(node).__name__ == "MkldnnRnnLayerBackward0"
    suffix = "_reverse" if reverse else ""
    weights = [getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    state = [torch.zeros(2, 2)] * 2 if first is None else [tensor[-1] for tensor in first]
    inputs = [x, *weights, *state]
    sent = node(grad.contiguous(), None, None)
    operands = [operand(f"i{place}", tensor) for place, tensor in enumerate(inputs)]
    view = NodeView(
        "MkldnnRnnLayerBackward0", "lstm", operands, operand("y", output), grid_of(grad), inner=True,
        attributes=attributes_of(node),
    )  # fmt: skip
    explanation = apply_rule(view)
    assert explanation is not None
    compared = 0
    for share, gradient in zip(explanation.shares, sent, strict=True):
        if gradient is not None:
            assert share is not None
            assert share.vjp(view.incoming).flat == pytest.approx(grid_of(gradient).flat, abs=1e-5)
            compared += 1
    assert compared == 5 + 2 * states
