"""Hooks that look and hooks that change, retained gradients, autograd.grad, second order, custom functions."""

import torch
from torch.utils.checkpoint import checkpoint

seen = []
x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)

a = x * w
a.retain_grad()
a.register_hook(lambda g: g * 2)
a.register_hook(lambda g: seen.append(g.tolist()))
handle = w.register_hook(lambda g: g.clamp(max=1.5))
b = a + x
b.retain_grad()
b.sum().backward()
handle.remove()
(w * 5).sum().backward()

z = (x**3 * w).sum()
gx, gw = torch.autograd.grad(z, [x, w], create_graph=True)
(hx,) = torch.autograd.grad(gx.sum(), x, retain_graph=True)
(gx * gw).sum().backward()
(none, gx2) = torch.autograd.grad((x * 2).sum(), [w, x], allow_unused=True)
mid = x * 2
(gmid,) = torch.autograd.grad((mid**2).sum(), mid, grad_outputs=torch.tensor(3.0))

n = x.detach().clone().requires_grad_()
norm = (n**2).sum()
norm.backward(create_graph=True)
(n.grad.pow(2).sum()).backward()
kept = n.grad


class Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, limit):
        ctx.save_for_backward(t)
        ctx.limit = limit
        return t * 10, t.sum()

    @staticmethod
    def backward(ctx, grad, grad_sum):
        (t,) = ctx.saved_tensors
        changed = (grad * t).clamp(-ctx.limit, ctx.limit)
        return changed + grad_sum, None


out, added = Clip.apply(x, 2.5)
(out.sum() * added).backward()


def block(t):
    return torch.sin(t) * t


checkpoint(block, x, use_reentrant=False).sum().backward()
p = torch.nn.Parameter(torch.ones(2))
p.register_post_accumulate_grad_hook(lambda q: seen.append(q.grad.tolist()))
(p * w.detach()).sum().backward()
print(seen)
