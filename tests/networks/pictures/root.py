"""A square root that gets negative numbers: nan from the first iteration on."""

import torch

X = torch.tensor([[1.0, 2.0], [0.0, -1.0], [2.0, 0.5], [-1.0, 0.25]])
w = torch.tensor([1.0, 0.5], requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.5)
for epoch in range(3):
    s = X @ w + b
    y = torch.sqrt(s)
    loss = (y - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
