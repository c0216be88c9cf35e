"""A small CNN with batch norm, SGD with momentum and weight decay; an epoch is one training step."""

import os

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn(self.c1(x))), 2)
        return self.fc(x.flatten(1))


torch.manual_seed(1)
x, t = torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
for epoch in range(int(os.environ.get("EPOCHS", "200"))):
    out = model(x)
    loss = nn.CrossEntropyLoss()(out, t)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    print(epoch, round(loss.item(), 5))
