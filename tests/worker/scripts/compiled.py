import torch


def f(x):
    y = torch.sin(x)
    return y * 2


g = torch.compile(f, backend="eager")
w = torch.ones(3, requires_grad=True)
out = g(w)
out.sum().backward()
scripted = torch.jit.trace(f, torch.ones(3))
s = scripted(torch.ones(3))
print(out, w.grad)
