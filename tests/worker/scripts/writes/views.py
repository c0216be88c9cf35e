import torch
from torch import nn

torch.manual_seed(0)
embedding = nn.Embedding(4, 2, padding_idx=1)
base = torch.zeros(4)
with torch.no_grad():
    part = base[:2]
base.requires_grad_()
with torch.no_grad():
    base.mul_(2)
    base[1:3].clamp_(min=1.0)
layer = nn.Linear(3, 2)
with torch.no_grad():
    layer.weight[:, 0].zero_()
    for row in layer.weight:
        row.div_(row.norm())
    layer.bias.data[0] = 7.0
x = torch.arange(4.0) * 1
first, *rest = x.unbind()
with torch.no_grad():
    x.mul_(3)
w = torch.ones(3)
face = w.data
face.view(-1)[0] = 9.0
alias = w.detach()
alias[1] = 4.0
moved = torch.rand(2, 3).requires_grad_()
former = moved.detach()[1]
former[..., 0] = 4.0
with torch.no_grad():
    moved.set_(moved.detach().clone())
    moved += 1
sparse = torch.eye(2).to_sparse()
sparse.values().add_(1)
whole = torch.ones(2, 3)
part_of_whole = whole[1]
part_of_whole.set_(torch.zeros(2))
