import torch

w = torch.tensor([1.0, 2.0], requires_grad=True)
y = w * 3
z = y.exp()
z.sum().backward(inputs=[y], retain_graph=True)
z.sum().backward(inputs=[y, w], retain_graph=True)
torch.autograd.backward([z.sum()], inputs=[y])
y.grad.mul_(2)
