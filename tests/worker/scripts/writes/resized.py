import torch

t = torch.zeros(20)
t.resize_(50).fill_(1.0)
s = torch.arange(300.0)
s.untyped_storage().resize_(4 * 400)
u = torch.conj(torch.arange(20.0) * 1j).imag
