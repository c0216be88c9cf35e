"""Views, indexing, and in-place operations on what is no leaf."""

import torch

torch.manual_seed(12)
x = torch.randn(2, 3, requires_grad=True)

t = x.t()
flat = x.view(-1)
row = x[1]
picked = x[[0, 1], [2, 0]]
(t.sum(0) @ row.new_ones(2) + (flat * flat).sum() + row.prod() + picked.sum()).backward()

m = x * 2
m += 1
m[0] = 5.0
m[1, 1:] *= 3
m.mul_(x.detach()).add_(x)
m.sum().backward()

base = x.clone()
view = base[:, 1]
view.mul_(10)
base.sigmoid_()
base[:, 0].copy_(torch.ones(2))
(base * view.sum()).sum().backward()

chunks = x.split(1)
first, second = chunks
joined = torch.cat([second, first]).permute(1, 0).contiguous()
joined.expand(2, 3, 2).reshape(-1).cumsum(0).sum().backward()

masked = x.masked_fill(x > 0, 0.0)
got = masked.gather(1, torch.tensor([[0], [2]])) + x.index_select(0, torch.tensor([1]))
got.sum().backward()

frame = torch.zeros(3, 4)
frame[1:, :3] = x
frame.diagonal().add_(1)
frame.pow(2).sum().backward()

u, v = torch.unbind(x * 3)
(u * v).sum().backward()
