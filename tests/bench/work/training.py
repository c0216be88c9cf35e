"""A small network with an optimizer, a hook and a retained gradient; an epoch is one training step."""

import os

import torch

torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
x, y = torch.randn(8, 2), torch.randn(8, 1)
for epoch in range(int(os.environ.get("COUNT", "500"))):
    hidden = net[1](net[0](x))
    hidden.retain_grad()
    hidden.register_hook(lambda grad: grad * 1.0)
    loss = ((net[2](hidden) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
