import torch
from helper_module import scaled

import helper_module

w = torch.ones(2, requires_grad=True)
y = scaled(w)
y.sum().backward()
print(helper_module.__doc__, w.grad)
