"""Operations of every family, for the tests of their rules."""

from __future__ import annotations

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

RULED = """
torch.add(a, b, alpha=2)
torch.sub(a, b, alpha=0.5)
a.add(b, alpha=c)
a + row
row * a
a / row
1 - a
2 / a
a ** 2
a ** b
2 ** a
a.pow(1.5)
a.square()
a.exp()
a.log()
a.log2()
a.log10()
a.log1p()
a.expm1()
a.sqrt()
a.rsqrt()
(a - 1).abs()
a.reciprocal()
a.sin()
a.cos()
a.tan()
(a * 0.4).asin()
(a * 0.4).acos()
a.atan()
a.sinh()
a.cosh()
a.exp2()
torch.atan2(a, b)
(a - 1).relu()
F.relu(a - 1)
F.leaky_relu(a - 1)
F.leaky_relu(a - 1, 0.2)
F.gelu(a)
F.gelu(a, approximate='tanh')
F.elu(a - 1)
F.silu(a)
F.softplus(a)
F.hardtanh(a - 1, -0.2, 0.2)
F.relu6(a)
F.logsigmoid(a)
a.erf()
a.sigmoid()
a.tanh()
a.softmax(1)
F.softmax(a, dim=0)
torch.log_softmax(a, -1)
a.mean()
a.mean(0)
a.mean(1, keepdim=True)
a.sum()
a.sum(dim=1)
a.sum((0, 1))
a.sum(0, keepdim=True)
a @ m
a.mm(m)
a.mv(row)
a @ row
row @ m
row.dot(row2)
row @ row2
T.bmm(U)
T @ U
T @ m3
T @ row4
torch.addmm(bias, a, m)
torch.addmm(bias, a, m, beta=0.5, alpha=2)
F.linear(a, W, bias)
F.linear(a, W)
F.linear(row, W, bias)
F.linear(T, W4, bias2)
net(a)
torch.cat([a, b])
torch.cat((a, b), dim=1)
torch.stack([a, b])
torch.stack([a, b], 1)
torch.hstack([a, b])
torch.vstack([row, row2])
a.chunk(2, 1)[1]
torch.split(a, 1)[0]
torch.split(a, [1, 2], 1)[1]
a.unbind(0)[1]
a.unbind(1)[0]
a[0]
a[:, 1]
a[0, 1]
a[1:]
a[:, ::2]
a[0:1, 1:]
a[..., -1]
a[None]
a[:, None, 1]
a[idx]
a[[1, 0, 1]]
a[:, idx]
a[idx, idx2]
a[mask]
a[a > 1]
a.masked_select(mask)
a.index_select(1, idx)
a.gather(1, gi)
a.take(gi)
a.take_along_dim(gi, 1)
a.narrow(1, 1, 2)
a.select(1, 2)
a.flip(0)
F.embedding(idx, a)
a.reshape(3, 2)
a.view(-1)
a.flatten()
a.t().reshape(-1)
a.T
a.transpose(0, 1)
T.permute(2, 0, 1)
T.mT
T.swapaxes(0, 2)
T.movedim(0, 2)
one.squeeze()
one.squeeze(0)
a.unsqueeze(1)
row.expand(2, 3)
one.expand(4, 3)
row.expand_as(a)
row.repeat(2, 2)
row.broadcast_to(2, 3)
a.unflatten(1, (3, 1))
a.clone()
a.contiguous()
torch.where(mask, a, b)
torch.where(a > b, a, 0.)
a.masked_fill(mask, 0.)
a.clamp(0.8, 1.2)
a.clamp(min=1)
a.clamp(max=b)
torch.maximum(a, b)
torch.minimum(a, row)
torch.fmax(a, b)
a.max()
a.min()
a.max(1).values
a.max(0)[0]
a.min(1, keepdim=True)[0]
a.amax(1)
a.amin()
a.amax((0, 1))
a.sort(1)[0]
a.topk(2, 1)[0]
a.median()
F.mse_loss(a, b)
F.mse_loss(a, b, reduction='sum')
F.mse_loss(a, t, reduction='none')
F.l1_loss(a, b)
F.l1_loss(a, t, reduction='sum')
F.smooth_l1_loss(a, t)
F.huber_loss(a, t)
F.binary_cross_entropy(a.sigmoid(), y01)
F.binary_cross_entropy(a.sigmoid(), y01, reduction='sum')
F.binary_cross_entropy_with_logits(a, y01)
F.binary_cross_entropy_with_logits(a, y01, reduction='none')
F.nll_loss(a, cls)
F.nll_loss(a, cls, reduction='sum')
F.nll_loss(a, cls, reduction='none')
F.cross_entropy(a, cls)
F.cross_entropy(a, cls, reduction='sum')
F.cross_entropy(a, cls, weight=cw)
F.cross_entropy(row, cls0)
a.double()
a.to(torch.float64)
a.float()
a.half()
a.var()
a.std()
a.var(1)
a.var(0, unbiased=False)
a.std(1, keepdim=True)
a.prod()
a.prod(1)
a.cumsum(0)
a.cumsum(1)
a.norm()
a.norm(dim=1)
a.norm(p=1)
torch.linalg.norm(a)
torch.linalg.vector_norm(a, dim=0)
a.logsumexp(1)
F.dropout(a, 0.5)
a.sign()
a.floor()
a.round()
torch.lerp(a, b, 0.3)
torch.addcmul(a, b, b, value=0.5)
torch.addcdiv(a, b, b, value=0.5)
torch.baddbmm(T0, T, U)
torch.outer(row, row2)
torch.fmin(a, b)
a.ceil()
a.median(1)[0]
a.kthvalue(2, 1)[0]
a.mode(1)[0]
a.sort(dim=1, stable=True)[0]
a.T.T
T.mean((0, 2))
T.sum((1, 2), keepdim=True)
T.amax((0, 2))
T.softmax(1)
T[1, :, 2:]
T[:, 1, ::3]
T[idx]
T[idx, :, idx2]
T.flip((0, 2))
T.view(2, 12).t()
T.transpose(1, 2).reshape(6, 4)
torch.cat([T, T], 2)
torch.stack([row, row2, row], 1)
T.split([1, 2], 1)[1]
T.unbind(2)[3]
T.prod(1)
T.cumsum(2)
T.std((0, 2))
F.cross_entropy(image, pixels)
F.nll_loss(image, pixels)
F.cross_entropy(a, torch.tensor([2, -100]))
F.mse_loss(a[0, 0], b[1, 1])
torch.clamp(a, row * 0.3 + 0.6, b * 0.1 + 1)
a.clamp_min(1)
a.clamp_max(1)
a.square().mean().sqrt()
torch.squeeze(one, (0,))
torch.special.expit(a)
F.dropout(a)
torch.max(a, b)
torch.pow(2, a)
a / 4 - 1
torch.rsub(a, b)
5 - a
-a
T.numpy_T if hasattr(T, 'numpy_T') else T.mH
inplace_zero(a)
inplace_whole(a)
inplace_fill_with(a)
torch.fill(a, 1.)
torch.fill(a, b[1, 2])
F.mse_loss(a, row)
F.mse_loss(one, U3[0].T)
inplace_add(a)
inplace_relu(a)
inplace_mul(a)
inplace_copy(a)
torch.trace(S)
a.detach() * a
""".strip().splitlines()
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
