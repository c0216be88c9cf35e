"""A network whose square root gets a negative number after some iterations: from there on all is nan."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
with torch.no_grad():
    model[2].bias.fill_(1.2)
opt = torch.optim.SGD(model.parameters(), lr=0.5)
inputs = torch.randn(6, 3)
for epoch in range(6):
    score = model(inputs)
    root = torch.sqrt(score)
    loss = root.mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(f"loss {loss.item():.4f}")
