"""(a) The training of y = w*x + b in the curriculum: COUNT epochs of 3 samples."""

import os

import torch

xs = [1.0, 2.0, 3.0]
ys = [2.0, 4.0, 6.0]
w = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([2.0], requires_grad=True)
lr = 0.01
for epoch in range(int(os.environ.get("COUNT", "500"))):
    for x, y in zip(xs, ys):
        loss = (w * x + b - y) ** 2
        loss.backward()
        w.data -= lr * w.grad.data
        b.data -= lr * b.grad.data
        w.grad.data.zero_()
        b.grad.data.zero_()
