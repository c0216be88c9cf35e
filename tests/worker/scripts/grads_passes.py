"""Several passes over one graph and over several, partial ones, given gradients, nan, and ones that fail."""

import torch

w = torch.tensor([1.0, -2.0], requires_grad=True)
v = torch.tensor([0.5, 3.0], requires_grad=True)

y = (w * v).sum() + w.prod()
y.backward(retain_graph=True)
y.backward(retain_graph=True)
y.backward(inputs=[v])
try:
    y.backward()
except RuntimeError:
    print("freed")

s = w * 3
s.backward(torch.tensor([1.0, 10.0]), retain_graph=True)
torch.autograd.backward([s, v.exp()], [torch.ones(2), torch.tensor([2.0, 0.0])])
torch.autograd.backward((w.sum(), v.sum()))

for epoch in range(3):
    w.grad = None
    loss = ((w * v.detach() - 1) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
v.grad.zero_()
(v * w.detach()).sum().backward()

zero = torch.zeros(2, requires_grad=True)
(zero.sqrt() * 0).sum().backward()
inf = torch.tensor([1e38, -1e38], requires_grad=True)
(inf * 10).pow(2).sum().backward()
undefined = (torch.tensor([0.0, 0.0], requires_grad=True) / zero).sum()
undefined.backward()

shared = (w * 2).exp()
one, two = shared.sum(), shared.prod()
one.backward(retain_graph=True)
two.backward()
w.backward(torch.tensor([7.0, 7.0]))
unused = torch.ones(2, requires_grad=True)
try:
    (w.detach() * 2).sum().backward()
except RuntimeError:
    print("nothing requires grad")
try:
    (w * 2).backward()
except RuntimeError:
    print("no scalar")
