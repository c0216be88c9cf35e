import torch

z = torch.zeros(2, dtype=torch.complex64)
z.real = torch.ones(2)
z.imag[0] = 3
z.imag += 1
view = z[:1]
view.real = torch.tensor([5.0])
