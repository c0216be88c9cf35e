"""Inputs used more than once, broadcasting, reductions, and what sends no gradient."""

import torch
from torch import nn

torch.manual_seed(11)
x = torch.randn(3, requires_grad=True)
w = torch.randn(4, 3, requires_grad=True)
b = torch.randn(4, 1, requires_grad=True)
k = torch.randn(3)

y = (x * x + x / (x.abs() + 1) - k * x).sum()
y.backward()

rows = w @ x
grid = torch.tanh(w * k + b) * rows.unsqueeze(1)
z = grid.mean() + (b**2).sum() + w.max()
z.backward()

h = x.exp()
left, right = h * 2, torch.sigmoid(h)
total = torch.cat([left, right, h]).logsumexp(0) + torch.stack([left, right]).sum()
total.backward()

net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
tied = nn.Linear(3, 4)
tied.weight = net[0].weight
logits = net(torch.randn(5, 3)) + tied(torch.randn(5, 3))[:, :2]
loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1, 1, 0, 1]))
loss.backward()

a = torch.tensor(3.0, requires_grad=True)
c = a.detach() * a + (a > 1) * a
c.backward()

big = torch.randn(40, 30, requires_grad=True)
(big.relu() * torch.where(big > 0, big, -big)).sum().backward()
wide = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
(wide.float() * w[:2] + wide[:, :1].to(torch.float32)).pow(3).sum().backward()
