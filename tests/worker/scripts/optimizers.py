import torch

torch.manual_seed(1)
for make in (
    lambda p: torch.optim.Adam(p, lr=0.1),
    lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True),
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    lambda p: torch.optim.RMSprop(p, lr=0.1),
    lambda p: torch.optim.Adagrad(p),
):
    w = torch.randn(3, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    opt = make([w, b])
    for _ in range(3):
        opt.zero_grad()
        loss = ((w * 2 + b) ** 2).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([w, b], 1.0)
        opt.step()
    print(w.tolist(), b.tolist())

v = torch.randn(2, requires_grad=True)
lbfgs = torch.optim.LBFGS([v], max_iter=4)


def closure():
    lbfgs.zero_grad()
    out = (v**2).sum()
    out.backward()
    return out


lbfgs.step(closure)
print(v.tolist())
