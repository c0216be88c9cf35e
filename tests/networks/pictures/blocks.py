"""A network of blocks with a frozen stem and a head that nothing uses; in the first pass all numbers are exact."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 8)
        self.outer = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.outer(torch.relu(self.inner(x)))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 4)
        self.blocks = nn.Sequential(Block(), Block(), Block())
        self.head = nn.Linear(4, 1)
        self.spare = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)))


model = Network()
with torch.no_grad():
    for i, p in enumerate(model.parameters()):
        p.copy_(((torch.arange(p.numel()) * (3 + i)) % 5 - 2).reshape(p.shape) / 4)
model.stem.requires_grad_(False)
opt = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
inputs = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]])
target = torch.tensor([[1.0], [0.0]])
for epoch in range(2):
    output = model(inputs)
    loss = ((output - target) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
