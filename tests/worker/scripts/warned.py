"""Warnings of C++ code, of torch's Python code and of the script's own, at every distance from where they are counted."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

weight = torch.ones(1, requires_grad=True)
print("%.1f" % weight)
double = weight * 2
print(float(double), int(double), bool(double), f"{double.item():.1f}")
x = torch.ones(2, 3)
F.log_softmax(x)
nn.LogSoftmax()(x)
F.softmax(x)
F.mse_loss(x, torch.zeros(3))
nn.L1Loss()(x, torch.zeros(3))
double.grad
torch.ones(2, 3, 4).T
torch.tensor(x)


class Layer(nn.Module):
    def forward(self, x):
        return F.softmin(x)


nn.Sequential(Layer(), nn.Softmax())(x)


def warns():
    warnings.warn("where it is called", stacklevel=2)
    warnings.warn("here")
    warnings.warn("further out", UserWarning, 3)


def calls():
    warns()


calls()
weight.register_hook(lambda g: warnings.warn("in a hook", stacklevel=1))
(weight * 3).sum().backward()
loss = (weight * 3).sum()
loss.backward(create_graph=True)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        F.softmax(x)
    except UserWarning as error:
        print("raised:", error)
