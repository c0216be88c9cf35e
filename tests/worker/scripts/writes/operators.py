import torch

a = torch.zeros(2)
torch.ops.aten.add_(a, 1)
torch.ops.aten.add_.Tensor(a.data, torch.ones(2))
torch.ops.aten.mul.out(a, torch.full((2,), 3.0), out=a.data)
out = torch.empty(0)
torch.ops.aten.add.out(a, a, out=out)
values, indices = torch.empty(0), torch.empty(0, dtype=torch.long)
torch.max(torch.tensor([[1.0, 5.0]]), 1, out=(values, indices))
mean, var = torch.zeros(2), torch.ones(2)
torch.batch_norm(torch.arange(8.0).view(4, 2), None, None, mean, var, True, 0.5, 1e-5, False)
lists = [torch.ones(2), torch.zeros(3)]
torch._foreach_add_(lists, 2.0)
mapped = torch.ones(2)
mapped.map_(torch.tensor([2.0, 3.0]), lambda x, y: x + y)
mapped.apply_(lambda x: x * 2)
square = torch.arange(4.0).view(2, 2)
square.t_()
torch.ops.aten.as_strided_.default(square, [1, 1], [1, 1])
params = [torch.ones(2), torch.ones(2)]
torch._foreach_copy_([t.data for t in params], [torch.zeros(2), torch.full((2,), 4.0)])
ranged = torch.zeros(3)
torch.range(0, 2, out=ranged)
with torch.inference_mode():
    leaf = torch.ones(2, requires_grad=True)
    leaf.grad = torch.ones(2)
    held = leaf.grad
