"""Calls that write to a tensor and that no schema tells of, or not alone: initialisers, `inplace=True`, modules with
buffers, assignments to parts, memory shared with numpy, what replaces a tensor's memory."""

from __future__ import annotations

import inspect
from typing import Any

from tests.worker.mutating_cases import Case

_X = "x = torch.tensor([[0.5, -1.5, 2.0], [-0.25, 3.0, 0.75]])"
_CUBE = "x = torch.arange(24.0).reshape(2, 3, 4) - 11.5"
_LEAF = "w = torch.tensor([[0.5, -1.5], [2.0, 1.0]], requires_grad=True)"
_GRAD = (_LEAF, "(w * w).sum().backward()")
_NET = ("net = nn.Linear(2, 1)", "other = nn.Linear(2, 1)")

_INIT_ARGUMENTS = {"constant_": ", 0.3", "sparse_": ", 0.5"}
_INPLACE_ARGUMENTS = {"threshold": ", 0.1, 20.0", "rrelu": ", training=True"}
_MODULE_ARGUMENTS = {"Threshold": "0.1, 20.0, "}

BY_HAND: list[tuple[tuple[str, ...], str]] = [
    # assignments to parts
    ((_X,), "x[0] = 5.0"),
    ((_X,), "x[0, 1] = torch.tensor(9.0)"),
    ((_X,), "x[:, ::2] = torch.ones(2, 2)"),
    ((_X,), "x[x > 0] = 0.0"),
    ((_X,), "x[torch.tensor([0, 1]), torch.tensor([2, 0])] = torch.tensor([7.0, 8.0])"),
    ((_X,), "x[..., None, 1] += 1"),
    ((_X, "y = x[0]"), "y[1:] = 4.0"),
    ((_X, "y = x.t()", "z = y[1]"), "z *= 10"),
    ((_X, "y = x.view(-1)"), "y[::2].fill_(1.5)"),
    ((_X, "parts = x.unbind()"), "parts[1].zero_()"),
    ((_X, "left, right = x.split([1, 2], dim=1)"), "right.neg_()"),
    ((_X, "y = x.expand(2, 2, 3)"), "x.mul_(2)"),
    ((_X, "y = x.diagonal()"), "y.fill_(0)"),
    ((_X, "y = x.detach()"), "y.add_(1)"),
    ((_X, "y = x.detach().clone().view(-1)[1:]"), "y.add_(1)"),
    ((_X, "y = x.view(torch.int32)"), "y.zero_()"),
    (("z = torch.tensor([1 + 2j, 3 - 1j])", "y = torch.view_as_real(z)", "r = z.real"), "r.mul_(2)"),
    (("z = torch.tensor([1 + 2j, 3 - 1j])", "y = z.conj()"), "z.imag = torch.tensor([5.0, 6.0])"),
    # the memory under a tensor
    ((_X,), "x.data = torch.ones(3)"),
    ((_X,), "x.data.add_(1)"),
    ((_X,), "x.data[0] = 3.0"),
    ((_X, "y = x[0]"), "x.data = torch.zeros(2, 3)"),
    ((_X,), "x.set_(torch.ones(4))"),
    ((_X, "y = torch.zeros(2)"), "y.set_(x.untyped_storage(), 1, (2, 2), (3, 1))\ny.add_(1)"),
    ((_X, "y = torch.empty(0)"), "torch.add(x, 1, out=y)"),
    ((_X, "y = torch.empty(0)"), "y.resize_(2, 3).copy_(x)"),
    ((_X,), "x.resize_(1, 2)"),
    ((_X,), "x.untyped_storage().fill_(0)"),
    ((_X, "y = torch.ones(2, 3)"), "x.untyped_storage().copy_(y.untyped_storage())"),
    ((_X,), "x.storage()[0] = 42.0"),
    ((_X, "y = torch.ones(3)"), "torch.utils.swap_tensors(x, y)"),
    ((_X,), "x.share_memory_()\nx.add_(1)"),
    ((_X,), "x.swapaxes_(0, 1)"),
    ((_X,), "x.t_().add_(1)"),
    ((_X,), "x.squeeze_().unsqueeze_(0)"),
    # numpy and others who share the memory
    ((_X, "a = x.numpy()"), "a[0] = 6.0"),
    ((_X, "a = x.numpy()"), "np.add(a, 1, out=a)"),
    ((_X, "a = np.asarray(x)"), "a *= 2"),
    ((_X, "a = x.detach().numpy()[0]"), "a.fill(4)"),
    (("a = np.zeros(3, dtype=np.float32)", "x = torch.from_numpy(a)", "y = x[1:]"), "a += 1"),
    (("a = np.zeros(3, dtype=np.float32)", "x = torch.from_numpy(a)"), "x += 1\na[0] = 9"),
    (("a = np.zeros((2, 2))", "x = torch.as_tensor(a)"), "a[0, 1] = 3"),
    (("b = bytearray(8)", "x = torch.frombuffer(b, dtype=torch.uint8)"), "b[2] = 7"),
    ((_X, "y = torch.from_dlpack(x)"), "y.add_(1)"),
    ((_X, "a = np.from_dlpack(x)"), "x.add_(1)"),
    ((_LEAF, "a = w.detach().numpy()"), "a[0] = 0"),
    ((*_GRAD, "a = w.grad.numpy()"), "a *= 0.5"),
    ((_X,), "x.apply_(lambda t: t + 1)"),
    ((_X, "y = torch.ones(2, 3)"), "x.map_(y, lambda s, t: s + t)"),
    ((_X, "y = torch.ones(2, 3)"), "x.map2_(y, y, lambda s, t, u: s + t + u)"),
    # leaves and their gradients
    ((_LEAF,), "w.grad = torch.ones(2, 2)"),
    (_GRAD, "w.grad.zero_()"),
    (_GRAD, "w.grad.data.mul_(2)"),
    (_GRAD, "w.grad[0] = 0"),
    (_GRAD, "w.grad = None"),
    (_GRAD, "w.data -= 0.1 * w.grad"),
    (_GRAD, "w.data = w.data - 0.1 * w.grad"),
    (_GRAD, "w.detach().sub_(w.grad)"),
    (_GRAD, "w.grad, kept = w.grad * 2, w.grad"),
    (_GRAD, "torch.nn.utils.clip_grad_norm_([w], 0.1)"),
    (_GRAD, "torch.nn.utils.clip_grad_norm_([w], 0.1, foreach=True)"),
    (_GRAD, "torch.nn.utils.clip_grad_value_([w], 0.1)"),
    (_GRAD, "torch.nn.utils.clip_grad_value_([w], 0.1, foreach=True)"),
    (_GRAD, "torch.nn.utils.clip_grads_with_norm_([w], 0.1, torch.tensor(3.0))"),
    ((*_GRAD, "part = w.grad[0]"), "part.neg_()"),
    ((_LEAF, "part = w.detach()[0]"), "with torch.no_grad():\n    w[0].fill_(5.0)"),
    ((_LEAF,), "with torch.no_grad():\n    w[0].fill_(5.0)\n    w[:, 1].clamp_(max=0)"),
    ((_LEAF, "with torch.no_grad():", "    part = w[0]"), "part.add_(1)"),
    (("w = torch.ones(2, 2)", "with torch.no_grad():", "    part = w[:1]", "w.requires_grad_()"), "part.add_(1)"),
    ((_LEAF,), "with torch.no_grad():\n    for row in w:\n        row /= row.norm()"),
    ((_LEAF,), "w.requires_grad_(False).add_(1)"),
    ((_LEAF, "v = w * 2"), "v.detach_()\nv.add_(1)"),
    ((_LEAF, "v = w * 2", "u = v[0]"), "u.mul_(3)"),
    # modules
    (_NET, "net.load_state_dict(other.state_dict())"),
    (_NET, "net.load_state_dict(other.state_dict(), assign=True)"),
    (_NET, "net.double()"),
    (_NET, "net.to(torch.float16)"),
    (_NET, "net.reset_parameters()"),
    (_NET, "net.apply(lambda m: nn.init.zeros_(m.weight))"),
    (_NET, "net.requires_grad_(False)"),
    (_NET, "net.weight = nn.Parameter(torch.ones(1, 2))"),
    (_NET, "net.weight.data.fill_(2)"),
    (_NET, "nn.utils.vector_to_parameters(torch.arange(3.0), net.parameters())"),
    (_NET, "net(torch.ones(1, 2)).sum().backward()\nnet.zero_grad(set_to_none=False)"),
    (_NET, "net.weight.data = other.weight.data\nother.weight.data.add_(1)"),
    (_NET, "for p, q in zip(net.parameters(), other.parameters()):\n    p.data.lerp_(q.data, 0.1)"),
    (_NET, "with torch.no_grad():\n    for p, q in zip(net.parameters(), other.parameters()):\n        p.copy_(q)"),
    (("net = nn.BatchNorm1d(3)", _X), "y = net(x)"),
    (("net = nn.BatchNorm1d(3, momentum=None)", _X), "y = net(x)\ny = net(x)"),
    (("net = nn.BatchNorm2d(3)", "x = torch.rand(2, 3, 2, 2)"), "y = net(x)"),
    (("net = nn.BatchNorm3d(3)", "x = torch.rand(2, 3, 2, 2, 2)"), "y = net(x)"),
    (("net = nn.BatchNorm1d(3).eval()", _X), "y = net(x)"),
    (("net = nn.InstanceNorm1d(3, track_running_stats=True)", _CUBE), "y = net(x)"),
    (("net = nn.LazyLinear(2)", _X), "y = net(x)"),
    (("net = nn.LazyBatchNorm1d()", _X), "y = net(x)"),
    (("net = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))", _X), "y = net(x)"),
    (("net = nn.utils.spectral_norm(nn.Linear(3, 2))", _X), "y = net(x)"),
    (("net = nn.utils.weight_norm(nn.Linear(3, 2))", _X), "y = net(x)"),
    (("net = nn.Linear(3, 2)",), "nn.utils.prune.l1_unstructured(net, 'weight', 2)"),
    (("net = nn.Linear(3, 2)", "average = torch.optim.swa_utils.AveragedModel(net)"),
     "nn.init.ones_(net.weight)\naverage.update_parameters(net)\naverage.update_parameters(net)"),
    (("net = nn.BatchNorm1d(3)", _X), "torch.optim.swa_utils.update_bn([x], net)"),
    (("net = nn.Embedding(3, 2, max_norm=0.1)", "i = torch.tensor([0, 2])"), "y = net(i)"),
    (("net = nn.EmbeddingBag(3, 2, max_norm=0.1)", "i = torch.tensor([[0, 2]])"), "y = net(i)"),
    (("w = torch.ones(3, 2)", "i = torch.tensor([0, 2])"), "y = F.embedding(i, w, max_norm=0.1)"),
    (("w = torch.ones(3, 2)", "i = torch.tensor([[0, 2]])"), "y = F.embedding_bag(i, w, max_norm=0.1)"),
    (("m, v = torch.zeros(3), torch.ones(3)", _X), "y = F.batch_norm(x, m, v, training=True)"),
    (("m, v = torch.zeros(3), torch.ones(3)", _X), "y = torch.batch_norm(x, None, None, m, v, True, 0.1, 1e-5, False)"),
    (("m, v = torch.zeros(3), torch.ones(3)", _X), "y = torch.native_batch_norm(x, None, None, m, v, True, 0.1, 1e-5)"),
    (("m, v = torch.zeros(3), torch.ones(3)", _CUBE), "y = F.instance_norm(x, m, v)"),
    (("m, v = torch.zeros(3), torch.ones(3)", _CUBE),
     "y = torch.instance_norm(x, None, None, m, v, True, 0.1, 1e-5, False)"),
    (("m, v = torch.zeros(2, 3), torch.ones(2, 3)", _X), "y = F.batch_norm(x, m[0], v[1], training=True)"),
    (("net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))", _X), "y = net(x)"),
    # several at once
    (("x, y = torch.ones(2), torch.ones(3)",), "torch._foreach_add_([x, y], 1)"),
    (("x, y = torch.ones(2), torch.ones(3)",), "torch._foreach_zero_([x, y])"),
    (("xs = [torch.ones(2), torch.ones(3)]",), "torch._foreach_mul_(xs, [2.0, 3.0])"),
    (("xs = [torch.ones(2), torch.ones(2)]", "ys = {'a': torch.zeros(2), 'b': torch.zeros(2)}"),
     "torch._foreach_copy_(list(ys.values()), xs)"),
    (("x = torch.ones(3)", "i, v = torch.zeros(3, dtype=torch.int64), torch.zeros(3)"),
     "torch.sort(-x + torch.arange(3), out=(v, i))"),
    (("x = torch.tensor([3.0, 1.0, 2.0])", "i, v = torch.zeros(2, dtype=torch.int64), torch.zeros(2)"),
     "torch.topk(x, 2, out=[v, i])"),
    (("a, o = torch.ones(2), torch.zeros(2, 2)",), "torch.add(a, 1, out=o[1])"),
    (("a, o = torch.ones(2), torch.zeros(2, 2)",), "torch.add(a, 1, out=o.data[1])"),
    (("s = torch.eye(2).to_sparse()",), "s.mul_(2)\nd = s.to_dense()"),
    (("s = torch.eye(2).to_sparse()",), "s.values().add_(1)\nd = s.to_dense()"),
    (("x = torch.zeros(4)", "m = torch.tensor([True, False, True, False])"), "x.masked_scatter_(m, torch.ones(2))"),
    (("x = torch.zeros(4)",), "x.index_put_((torch.tensor([1]),), torch.tensor([2.0]))"),
    (("x = torch.zeros(4)",), "torch.index_put_(x, (torch.tensor([1]),), torch.tensor([2.0]))"),
    (("x = torch.zeros(4)",), "x.normal_()\nx.uniform_(0, 1)\nx.bernoulli_(0.5)"),
    (("x = torch.zeros(3)", "y = copy.deepcopy(x)"), "y += 1"),
    (("x = torch.zeros(3)", "y = x"), "y += 1"),
]  # fmt: skip


def cases_by_hand() -> list[Case]:
    """All of the table, and every initialiser and `inplace` argument that torch has."""
    table = [*BY_HAND, *_initialisers(), *_inplace_functions(), *_inplace_modules()]
    return [
        Case(f"by hand {number}", mode, setup, call)
        for number, (setup, call) in enumerate(table)
        for mode in ("default", "no_grad", "inference")
    ]


def _initialisers() -> list[tuple[tuple[str, ...], str]]:
    import torch

    names = [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]
    return [
        ((_CUBE if name == "dirac_" else _X,), f"nn.init.{name}(x{_INIT_ARGUMENTS.get(name, '')})") for name in names
    ]


def _inplace_functions() -> list[tuple[tuple[str, ...], str]]:
    import torch

    names = [
        name
        for name in dir(torch.nn.functional)
        if name[0] != "_" and _takes_inplace(getattr(torch.nn.functional, name))
    ]
    return [
        ((_CUBE if "dropout" in name else _X,), f"F.{name}(x{_INPLACE_ARGUMENTS.get(name, '')}, inplace=True)")
        for name in names
    ]


def _inplace_modules() -> list[tuple[tuple[str, ...], str]]:
    import torch

    names = [name for name in dir(torch.nn) if isinstance(getattr(torch.nn, name), type)]
    names = [name for name in names if _takes_inplace(getattr(torch.nn, name).__init__)]
    return [
        ((_CUBE if "Dropout" in name else _X,), f"y = nn.{name}({_MODULE_ARGUMENTS.get(name, '')}inplace=True)(x)")
        for name in names
    ]


def _takes_inplace(function: Any) -> bool:
    try:
        return "inplace" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
