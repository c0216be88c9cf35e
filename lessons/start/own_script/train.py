"""Fit a small network to the absolute value."""

import argparse

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.hidden = nn.Linear(1, width)
        self.output = nn.Linear(width, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x)))


def make_data():
    x = torch.linspace(-3, 3, 16).unsqueeze(1)
    return TensorDataset(x, x.abs())


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--width", type=int, default=4)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    loader = DataLoader(make_data(), batch_size=8)
    model = Net(args.width)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)

    losses = []
    for epoch in range(args.epochs):
        for x, target in loader:
            prediction = model(x)
            loss = F.mse_loss(prediction, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {losses[-1]:.4f}")
    return losses


if __name__ == "__main__":
    main()
