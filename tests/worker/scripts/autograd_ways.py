import torch
from torch.utils.checkpoint import checkpoint

torch.manual_seed(3)
x = torch.randn(3, requires_grad=True)
w = torch.randn(3, requires_grad=True)

y = (x * w).sum()
y.backward(retain_graph=True)
y.backward()
g1 = w.grad.clone()

v = x * 2
v.retain_grad()
v.register_hook(lambda g: g * 10)
(v * w).backward(gradient=torch.tensor([1.0, 2.0, 3.0]))
print(v.grad, x.grad)

z = (x**3).sum()
(gx,) = torch.autograd.grad(z, x, create_graph=True)
(hx,) = torch.autograd.grad(gx.sum(), [x])
torch.autograd.backward([(x * 2).sum(), (w * 3).sum()])
x2 = x.detach().clone().requires_grad_()
loss2 = (x2.exp()).sum()
loss2.backward(create_graph=True)
second = x2.grad


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t**3

    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        local = 3 * t**2
        return grad * local


q = torch.tensor([2.0], requires_grad=True)
cubed = Cube.apply(q)
cubed.backward()


def block(t):
    inner = torch.sin(t)
    return inner * 2


r = torch.randn(2, requires_grad=True)
c = checkpoint(block, r, use_reentrant=False).sum()
c.backward()
c2 = checkpoint(block, r, use_reentrant=True).sum()
c2.backward()
fg = torch.func.grad(lambda t: (t**2).sum())(torch.ones(2))
vm = torch.func.vmap(lambda t: t * 2)(torch.ones(3, 2))
jac = torch.func.jacrev(lambda t: t**2)(torch.ones(2))
m = torch.ones(2, requires_grad=True)
inp = m * 2
inp += 1
inp[0] = 5
inp.sum().backward()
data_alias = m.data
m.data -= 1
m.data = torch.zeros(2)
m.grad.zero_()
m.grad = None
h = torch.ones(2, requires_grad=True)
h.register_post_accumulate_grad_hook(lambda p: None)
(h * 2).sum().backward()
import numpy as np

arr = np.ones(3)
shared = torch.from_numpy(arr)
arr[0] = 9
out_np = torch.zeros(2)
out_np.numpy()[1] = 4
try:
    y.backward()
except RuntimeError as e:
    print(str(e)[:60])
base = torch.zeros(4)
part = base[1:3]
part.fill_(2)
base.add_(1)
