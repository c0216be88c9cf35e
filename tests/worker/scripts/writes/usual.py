"""Usual ways to write to what a name holds, each once."""

import numpy
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
table = torch.ones(3, 2, requires_grad=True)
F.embedding(torch.tensor([0, 1]), table, max_norm=0.5)
w = torch.ones(4, requires_grad=True)
w.data[0] = 2.0
w.detach()[1] = 3.0
with torch.no_grad():
    w.view(2, 2)[1].mul_(4.0)
with torch.inference_mode():
    w.add_(1.0)
w.data.view(-1).sub_(0.5)
(w * w).sum().backward()
w.grad.data.mul_(2.0)
nn.utils.clip_grad_norm_([w], 1.0, foreach=True)
net = nn.Sequential(nn.utils.spectral_norm(nn.Linear(2, 2)), nn.BatchNorm1d(2), nn.Linear(2, 1))
shadow = torch.optim.swa_utils.AveragedModel(net)
opt = torch.optim.AdamW(net.parameters(), lr=0.1, fused=True)
for _ in range(2):
    loss = net(torch.randn(4, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    shadow.update_parameters(net)
torch.optim.swa_utils.update_bn([torch.randn(4, 2)], shadow)
moment = opt.state[net[2].weight]["exp_avg"]
nn.utils.vector_to_parameters(torch.arange(3.0), net[2].parameters())
rows = numpy.zeros((2, 2), dtype=numpy.float32)
data = torch.utils.data.TensorDataset(torch.from_numpy(rows))
held = [torch.from_numpy(rows), torch.from_numpy(rows[0])]
total = held[0].sum()
rows[1] = 7.0
part = data[1][0]
nested = [[torch.zeros(2)]]
nested[0][0] += 1
state = {"ema": torch.zeros(4)}
state["ema"].lerp_(w.detach(), 0.5)
torch.lerp(state["ema"], w.detach(), 0.5, out=state["ema"])
packed = torch.zeros(2, 3)
torch.stack([torch.ones(3), torch.full((3,), 2.0)], out=packed)
packed[:, 1] = 5.0
packed[packed > 4] = -1.0
packed.T[0] += 10.0
left, right = packed.chunk(2, 1)
left.zero_()
nn.init.constant_(right, 8.0)
lstm = nn.LSTM(2, 2)
lstm.flatten_parameters()
lstm.load_state_dict({name: value * 0 + 1 for name, value in lstm.state_dict().items()})
