"""A training that uses all that may hold on to something, and that counts what lives."""

import gc
import json

import torch
from torch.utils.checkpoint import checkpoint

# A text, so that the counting itself is not recorded.
COUNTING = """
def count():
    gc.collect()
    found = {"tensors": 0}
    for thing in gc.get_objects():
        kind = type(thing)
        if str(kind.__module__).startswith("tutor."):
            found[kind.__qualname__] = found.get(kind.__qualname__, 0) + 1
        elif issubclass(kind, torch.Tensor):
            found["tensors"] += 1
        elif kind.__name__ == "function" and thing.__qualname__.rpartition(".")[2].startswith("gradtutor"):
            name = thing.__qualname__.rpartition(".")[2]
            found[name] = found.get(name, 0) + 1
    return found
"""

torch.manual_seed(5)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
momentum = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
adam = torch.optim.Adam(net.parameters(), lr=0.01)
net[0].bias.register_post_accumulate_grad_hook(lambda p: None)
net[2].register_full_backward_hook(lambda module, sent, arrived: None)
w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
kept = (w * 2).sum()


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t * 2

    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        return grad * 2 + 0 * t


def block(t):
    inner = t.sin()
    return inner * t


def refuse(grad):
    raise ValueError


def train():
    hidden = net[0](torch.randn(5, 3))
    hidden.retain_grad()
    hidden.register_hook(lambda g: g * 1)
    hidden.grad_fn.register_hook(lambda sent, arrived: None)
    hidden.grad_fn.register_prehook(lambda arrived: None)
    loss = net[2](net[1](hidden)).pow(2).mean()
    momentum.zero_grad()
    loss.backward()
    momentum.step()
    adam.step()
    w.grad = None
    (checkpoint(block, w, use_reentrant=False) + checkpoint(block, w, use_reentrant=True)).sum().backward()
    Double.apply(w).sum().backward()
    (g,) = torch.autograd.grad((w**3).sum(), w, create_graph=True)
    g.sum().backward()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        packed = (w * w).exp()
    packed.sum().backward()
    torch.func.grad(lambda t: (t * t).sum())(torch.ones(3))
    torch.vmap(torch.sin)(torch.ones(2, 3))
    bad = w * 2
    bad.register_hook(refuse)
    try:
        bad.sum().backward()
    except ValueError:
        pass
    handle = w.register_hook(lambda g: g)
    late = w.register_post_accumulate_grad_hook(lambda p: None)
    (w * 2).sum().backward()
    handle.remove()
    late.remove()
    view = torch.zeros(3)
    view[1:].add_(w[1:])
    view.sum().backward()
    with torch.no_grad():
        w.sub_(w.grad, alpha=0.0)


exec(COUNTING)
for turn in range(80):
    train()
    if turn in (9, 19, 39, 79):
        print(json.dumps(count()))
