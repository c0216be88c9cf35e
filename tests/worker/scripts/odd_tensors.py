import torch

nan = torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0])
empty = torch.zeros(0, 3)
scalar = torch.tensor(3)
flag = torch.tensor([True, False])
comp = torch.tensor([1 + 2j, 3j])
half = torch.tensor([1.5, 2.5], dtype=torch.float16)
bf = torch.ones(30, dtype=torch.bfloat16)
f8 = torch.ones(2).to(torch.float8_e4m3fn)
sparse = torch.eye(3).to_sparse()
csr = torch.eye(3).to_sparse_csr()
meta = torch.ones(2, 2, device="meta")
big = torch.arange(5000, dtype=torch.float32)
mid = torch.arange(100)
unsigned = torch.tensor([1, 255], dtype=torch.uint8)
t3 = torch.arange(24).reshape(2, 3, 4)
strided = t3.transpose(0, 2)
expanded = torch.ones(1, 3).expand(2, 3)
view = t3[0]
conj = comp.conj()
neg = comp.imag
param = torch.nn.Parameter(torch.ones(2))
buf = torch.Tensor([1, 2])
log = torch.log(torch.tensor([0.0, -1.0]))
s2 = (sparse * 2).to_dense()
inf_grad = torch.zeros(1, requires_grad=True)
torch.sqrt(inf_grad).backward()
print(inf_grad.grad)
with torch.inference_mode():
    inf = torch.ones(2) * 2
with torch.no_grad():
    ng = param * 2
detached = (param * 3).detach()
