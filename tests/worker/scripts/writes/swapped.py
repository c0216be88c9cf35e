import torch

torch.manual_seed(0)
a, b = torch.ones(2), torch.zeros(3)
torch.utils.swap_tensors(a, b)
a += 1
torch.__future__.set_swap_module_params_on_conversion(True)
net = torch.nn.Linear(2, 1)
net.double()
