"""A run that fails: a layer gets rows of another length than its weights have."""

import torch
from torch import nn

layer = nn.Linear(3, 1)
nn.init.constant_(layer.weight, 0.5)
nn.init.zeros_(layer.bias)
points = torch.tensor([[1.0, 2.0]])
print(layer(points))
