"""Leaves as roots, operations of several results, layers of every kind, complex and sparse, functional calls."""

import torch
from torch import nn

torch.manual_seed(2)
x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
y = (x * w).sum()
# leaf as root
w.sum().backward()
w.backward(torch.tensor([5.0, 5.0]))
torch.autograd.backward([w, (w * 2).sum()], [torch.ones(2), None])
# same tensor twice as root and as input
z = (x * 3).sum()
torch.autograd.backward([z, z], retain_graph=True)
ga, gb = torch.autograd.grad(z, [x, x])
# gradient that requires grad
v = torch.tensor([1.0, 1.0], requires_grad=True)
q = x * w
q.backward(v, create_graph=True)
(x.grad * 1).sum().backward()
x.grad = w.grad = None
# unused, materialized
# multi-output ops
a, b = (x * w).split(1)
m, i = torch.stack([x, w]).max(0)
u, s, vt = torch.linalg.svd(torch.stack([x, w]))
(a.sum() + m.sum() + s.sum()).backward()
e, ev = torch.linalg.eigh(torch.stack([x, w]) @ torch.stack([x, w]).T)
e.sum().backward()
# RNN, conv, batchnorm, layernorm, dropout, embedding, attention
lstm = nn.LSTM(2, 3)
o, (h, c) = lstm(torch.stack([x, w])[:, None])
(o.sum() + c.sum()).backward()
net = nn.Sequential(nn.Conv1d(1, 2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Flatten())
net(torch.stack([x, w])[:, None]).sum().backward()
ln = nn.LayerNorm(2)
ln(x * w).pow(2).sum().backward()
att = nn.functional.scaled_dot_product_attention(x[None, :, None], w[None, :, None], x[None, :, None])
att.sum().backward()
mha = nn.MultiheadAttention(2, 1)
out, weights = mha(*[torch.stack([x, w])[:, None]] * 3)
out.sum().backward()
# complex
k = torch.complex(x, w)
(k * k.conj()).real.sum().backward(retain_graph=True)
(k.abs() ** 2).sum().backward()
# float64, half, int index
d = x.double() ** 2
d.sum().backward()
# sparse
sp = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 0]]), x, (2, 2))
torch.sparse.mm(sp, w[:, None]).sum().backward()
# nested grads via functional higher-order
hess = torch.autograd.functional.hessian(lambda t: (t**3 * w.detach()).sum(), x.detach())
hvp = torch.autograd.functional.hvp(lambda t: (t**3).sum(), x.detach(), torch.ones(2))
jv = torch.autograd.functional.jacobian(lambda s, t: s * t, (x, w), vectorize=True)
jc = torch.autograd.functional.jacobian(lambda s, t: s * t, (x, w), create_graph=True)
jc[0].sum().backward()
# set_grad, accumulate into shared grad
x.grad = w.grad
(x * 1).sum().backward()
x.grad = None
# detect anomaly
# grad mode decorators
with torch.autograd.set_multithreading_enabled(False):
    (x * w).exp().sum().backward()
# inputs= non leaf
r = x * 2
t = r * w
r.retain_grad()
torch.autograd.backward(t.sum(), inputs=[r, w])
# parametrize / weight norm
lin = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
lin(x).sum().backward()
spec = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))
spec(x).sum().backward()
nn.utils.clip_grad_norm_(lin.parameters(), 0.5)
# detached inplace shared views + version
vv = x * 1
alias = vv.detach()
alias += 1
(vv * 2).sum().backward()
# inplace on view of leaf under no_grad
with torch.no_grad():
    x[0] = 7.0
(x * w).sum().backward()


# custom vmap-able Function through torch.func
class Sq(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(t):
        return t * t

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        (t,) = ctx.saved_tensors
        return 2 * g * t


fg = torch.func.grad(lambda t: Sq.apply(t).sum())(torch.ones(2))
vg = torch.vmap(torch.func.grad(lambda t: Sq.apply(t).sum()))(torch.ones(3, 2))
Sq.apply(x).sum().backward()
gg = torch.autograd.grad(Sq.apply(x).sum(), x, create_graph=True)[0]
gg.sum().backward()
# memory format, strides of grads
im = torch.rand(1, 2, 2, 2).to(memory_format=torch.channels_last).requires_grad_()
(im * 2).sum().backward()
tr = torch.rand(3, 2).t().requires_grad_()
(tr * tr).sum().backward()
ex = torch.rand(1).expand(3).clone().requires_grad_()
(ex * 2).sum().backward()
