import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(4, 1)

    def forward(self, x):
        h = self.act(self.fc1(x))
        return self.fc2(h)


model = Net()
loss_fn = nn.MSELoss()
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
x = torch.randn(8, 3)
t = torch.randn(8, 1)
losses = []
for epoch in range(3):
    opt.zero_grad()
    pred = model(x)
    loss = loss_fn(pred, t)
    loss.backward()
    opt.step()
    losses.append(loss.item())
print(losses)
