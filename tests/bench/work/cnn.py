"""(e) A small convolutional network, COUNT steps of SGD with momentum and weight decay."""

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
x, y = torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
for epoch in range(int(os.environ.get("COUNT", "200"))):
    loss = nn.CrossEntropyLoss()(net(x), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    print(epoch, round(loss.item(), 5))
