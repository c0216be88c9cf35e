"""A residual network of 49 parameters, weight decay as a sum of squares over all of them, and Adam."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=outputs // inputs, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if outputs != inputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(2)
        self.layer1 = nn.Sequential(Residual(2, 2), Residual(2, 2), Residual(2, 2))
        self.layer2 = nn.Sequential(Residual(2, 4), Residual(4, 4))
        self.layer3 = nn.Sequential(Residual(4, 8), Residual(8, 8))
        self.fc = nn.Linear(8, 3)

    def forward(self, images):
        x = F.relu(self.bn(self.stem(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


model = ResNet()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
images = torch.randn(3, 1, 8, 8)
labels = torch.tensor([0, 2, 1])
for epoch in range(2):
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    decay = sum(p.pow(2).sum() for p in model.parameters())
    total = loss + 1e-3 * decay
    opt.zero_grad()
    total.backward()
    opt.step()
print(f"loss {loss.item():.4f}")
