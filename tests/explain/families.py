"""Operations of every family, for the tests of their rules."""

from __future__ import annotations

from pathlib import Path

SETUP = """\
import torch
import torch.nn.functional as F
torch.manual_seed(SEED)
def leaf(*shape):
    return (torch.rand(shape) + 0.5).requires_grad_()
def inplace_add(a):
    h = a * 2
    h += a
    return h
def inplace_mul(a):
    h = a + 2
    h *= 3
    return h
def inplace_set(a):
    h = a * 2
    h[0, 1] = a[1, 1]
    return h
def inplace_row(a):
    h = a * 2
    h[0].mul_(a[1])
    return h
def inplace_relu(a):
    h = a - 1
    h.relu_()
    return h
def inplace_fill(a):
    h = a * 2
    h[1].fill_(1.)
    return h
def inplace_zero(a):
    h = a * 2
    h.zero_()
    return h
def inplace_whole(a):
    h = a * 2
    h.fill_(1.)
    return h
def inplace_fill_with(a):
    h = a * 2
    h.fill_(a[0, 1])
    return h
def inplace_copy(a):
    h = torch.zeros(2, 3)
    h.copy_(a)
    return h
torch.set_default_dtype(torch.DTYPE)
a, b, t = leaf(2, 3), leaf(2, 3), torch.rand(2, 3)
row, row2, m, bias, W = leaf(3), leaf(3), leaf(3, 4), leaf(4), leaf(4, 3)
T, U, m3, row4 = leaf(2, 3, 4), leaf(2, 4, 2), leaf(4, 2), leaf(4)
U3, W4, bias2, T0 = leaf(2, 3, 4), leaf(2, 4), leaf(2), leaf(2, 3, 2)
S = leaf(3, 3)
one = leaf(1, 3)
c = 1.5
net = torch.nn.Linear(3, 4)
idx, idx2, gi = torch.tensor([1, 0]), torch.tensor([2, 2]), torch.tensor([[0, 2], [1, 1]])
mask = torch.tensor([[True, False, True], [False, True, True]])
y01, probs, cw = (torch.rand(2, 3) > 0.5) * torch.ones(2, 3), torch.softmax(torch.rand(2, 3), 1), torch.rand(3)
cls, cls0, image, pixels = torch.tensor([2, 0]), torch.tensor(1), leaf(2, 3, 2, 2), torch.ones(2, 2, 2, dtype=int)
"""

RULED = Path(__file__).with_name("families.txt").read_text(encoding="utf-8").splitlines()
"""What has a rule for each of its nodes."""

REST = """
a @ U3
a.diagonal()
a.roll(1, 1)
a.tril()
a.triu()
F.pad(a, (1, 2))
F.cross_entropy(a, cls, label_smoothing=0.1)
F.cross_entropy(a, probs)
a.cumprod(1)
torch.einsum('ij,jk->ik', a, m)
torch.linalg.det(S)
S.inverse()
inplace_set(a)
inplace_row(a)
inplace_fill(a)
F.kl_div(a.log_softmax(1), probs, reduction='sum')
F.normalize(a)
F.layer_norm(a, (3,))
""".strip().splitlines()
"""What has no rule for some of its nodes."""


def script(operations: list[str], seed: int, dtype: str = "float32") -> str:
    """Each operation with a backward pass from a random gradient."""
    lines = [SETUP.replace("SEED", str(seed)).replace("DTYPE", dtype)]
    for operation in operations:
        lines.append(f"r = {operation}\n")
        lines.append("if r.requires_grad:\n    r.backward(torch.rand(r.shape, dtype=r.dtype) - 0.3)\n")
    return "".join(lines)
