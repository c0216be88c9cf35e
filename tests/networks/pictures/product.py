"""A product of matrices, a bend, a sum: all numbers are exact."""

import torch

X = torch.tensor([[1.0, 2.0], [0.0, -1.0], [2.0, 0.5]])
W = torch.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
H = X @ W
total = torch.relu(H).sum()
total.backward()
