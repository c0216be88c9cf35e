"""A convolutional network with a frozen stem and an auxiliary classifier that is left out; SGD with momentum."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(6, 3)
        self.auxiliary_classifier = nn.Linear(4, 3)

    def forward(self, images):
        x = self.pool(F.relu(self.stem(images)))
        x = self.pool(F.relu(self.bn(self.conv(x))))
        x = x.mean((2, 3))
        return self.classifier(x)


model = Net()
for p in model.stem.parameters():
    p.requires_grad_(False)
opt = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
images = torch.randn(4, 1, 8, 8)
labels = torch.tensor([0, 1, 2, 1])
for epoch in range(3):
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(f"loss {loss.item():.4f}")
