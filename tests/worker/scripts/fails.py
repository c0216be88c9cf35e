import torch


def inner(w):
    y = w * 2
    z = y + torch.ones(3)
    return z.backward()


w = torch.ones(3, requires_grad=True)
print("before")
inner(w)
print("after")
