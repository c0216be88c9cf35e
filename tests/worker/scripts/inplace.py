"""All the ways in which a tensor changes under its name."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(5)
target = torch.empty(0)
torch.add(torch.ones(2, 3), 1, out=target)
values, places = torch.empty(0), torch.empty(0, dtype=torch.int64)
torch.max(torch.arange(6.0).view(2, 3), 1, out=(values, places))
turned = torch.arange(6).view(2, 3)
turned.t_()
sized = torch.ones(4)
sized.resize_(2, 2)
squeezed = torch.ones(1, 3, 1).squeeze_().unsqueeze_(0)
squeezed.transpose_(0, 1)

w = torch.ones(3, requires_grad=True)
d = w.data
d += 1
e = w.detach()
e[1] = 20
w.data[2] = 30
w.data.mul_(2).add_(1)
with torch.no_grad():
    w[0] = 5
    w.sub_(0.5)
    w.copy_(w * 2)
f = w.data.view(3, 1)
f.clamp_(max=40)
old = w.data
w.data = torch.arange(3.0)
old.zero_()

v = torch.ones(2, requires_grad=True)
v.grad = torch.tensor([1.0, 2.0])
v.grad += 1
v.grad.data.mul_(3)
g = v.grad
v.grad = None
(v * 2).sum().backward()
v.grad.zero_()
h = v.grad
(v * 3).sum().backward()
h.clamp_(max=1)
v.requires_grad_(False)
v.grad = None
u = torch.ones(2)
u.requires_grad = True
q = u * 2
q.detach_()

arr = np.arange(3.0)
shared = torch.from_numpy(arr)
half = shared[1:]
arr[1] = 50
arr += 1
also = torch.as_tensor(arr)
arr[:] = 3
mirror = torch.zeros(4)
window = mirror.numpy()
window[1:3] = 6
late = mirror.view(2, 2)
window[0] = -1
np.asarray(mirror)[3] = 11
raw = bytearray(8)
buffer = torch.frombuffer(raw, dtype=torch.uint8)
raw[3] = 255
weights = nn.Linear(2, 2, bias=False)
weights.weight.detach().numpy()[0] = 4

base = torch.zeros(3, 4)
row, column, block = base[1], base[:, 2], base[1:, 2:]
row.fill_(1)
column += 2
block[0, 0] = 9
base[base > 5] = -9
base.index_fill_(0, torch.tensor([0]), 4)
flat = base.view(-1)
flat[::5] = 0
diagonal = base.diagonal()
diagonal.copy_(torch.tensor([1.0, 2.0, 3.0]))

model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
nn.init.constant_(model[0].weight, 0.5)
nn.init.zeros_(model[2].bias)
model(torch.randn(4, 2)).sum().backward()
for p in model.parameters():
    p.data -= 0.1 * p.grad
    p.grad.zero_()
nn.utils.vector_to_parameters(torch.arange(float(sum(p.numel() for p in model.parameters()))), model.parameters())
with torch.no_grad():
    torch._foreach_mul_(list(model.parameters()), 2.0)
model[0].weight = nn.Parameter(torch.eye(2))
model[0].bias = None
model.half().float()
model.zero_grad(set_to_none=False)
nn.utils.clip_grad_value_(model.parameters(), 0.5)
a, b = torch.zeros(2), torch.ones(2)
a, b = b, a
a.swapaxes_(0, 0)
random = torch.empty(3).uniform_(0, 1)
ranked = torch.empty(0), torch.empty(0, dtype=torch.int64)
torch.sort(random.normal_(), out=ranked)
bits = torch.tensor([1, 2, 4])
bits <<= 1
bits |= 1
bits //= 2
counts = torch.zeros(3, dtype=torch.int64).scatter_add_(0, torch.tensor([0, 2, 2]), torch.ones(3, dtype=torch.int64))
