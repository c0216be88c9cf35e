"""All the ways into, through and around a backward pass, one after the other."""

import contextlib

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

torch.manual_seed(21)
seen = []
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
w = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
b = torch.tensor(0.25, requires_grad=True)


# ---------------------------------------------------------------- calls
y = x * w + b
y.backward(gradient=torch.tensor([1.0, 10.0, 100.0]), retain_graph=True)
y.backward(torch.ones(3), True)
y.backward(torch.ones(3), inputs=[b])
z = (x**3).sum()
z.backward(create_graph=True)
(x.grad * w).sum().backward()
x.grad = w.grad = b.grad = None
torch.autograd.backward([x.sum(), (x * w).sum(), (w * b).prod()], retain_graph=True)
torch.autograd.backward((x * w, w), grad_tensors=(torch.ones(3), torch.tensor([0.0, 1.0, 2.0])))
torch.autograd.backward(tensors=(x * b).sum(), inputs=(b,))
gx, gw, none = torch.autograd.grad((x * w).sum(), [x, w, b], allow_unused=True)
zeros = torch.autograd.grad((x * 2).sum(), (x, b), materialize_grads=True)
(twice,) = torch.autograd.grad([x.sum(), x.prod()], x, grad_outputs=[torch.tensor(3.0), None])
cube = x**3
rows = torch.autograd.grad(cube, x, torch.eye(3), is_grads_batched=True, retain_graph=True)[0]
by_node = torch.autograd.grad(cube.sum(), x, retain_graph=True)
(first,) = torch.autograd.grad(cube.sum(), x, create_graph=True)
(second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
(third,) = torch.autograd.grad(second.sum(), x)
mid = x * 2
out = mid.sin()
grads = torch.autograd.grad(out.sum(), [mid, out, x], retain_graph=True, allow_unused=True)
mid.retain_grad()
out.retain_grad()
out.sum().backward(retain_graph=True)
out.sum().backward()
with contextlib.suppress(RuntimeError):
    out.sum().backward()

# ---------------------------------------------------------------- hooks
h = x * w
handles = [h.register_hook(lambda g: g * 2), h.register_hook(lambda g: None)]
h.retain_grad()
handles.append(h.register_hook(lambda g: g + 1))
handles.append(h.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, inputs[1])))
handles.append(h.grad_fn.register_prehook(lambda outputs: (outputs[0] - 0.5,)))
handles.append(x.register_hook(lambda g: g.clamp(max=4)))
handles.append(w.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist())))
total = (h * h).sum()
total.backward(retain_graph=True)
gh, ghx = torch.autograd.grad(total, [h, x], retain_graph=True)
for handle in handles:
    handle.remove()
total.backward()


def step_and_forget(p):
    with torch.no_grad():
        p -= 0.1 * p.grad
    p.grad = None


free = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
free.register_post_accumulate_grad_hook(step_and_forget)
for _ in range(2):
    (free * free).sum().backward()
writer = (x * 1).grad_fn.next_functions[0][0]
on_writer = writer.register_hook(lambda inputs, outputs: seen.append(outputs[0].tolist()))
before_writer = writer.register_prehook(lambda outputs: (outputs[0] * 3,))
(x * 2).sum().backward()
on_writer.remove()
before_writer.remove()
scaled = torch.autograd.graph.register_multi_grad_hook((x, w), lambda gs: seen.append(len(gs)))
(x * w).sum().backward()
scaled.remove()
net = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
full = net[0].register_full_backward_hook(lambda m, gi, go: tuple(None if g is None else g * 2 for g in gi))
pre = net[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 5,))
net(x).sum().backward()
full.remove()
pre.remove()
net(x).sum().backward()


def replaces(g):
    inner = torch.tensor([2.0], requires_grad=True)
    with torch.enable_grad():
        (inner * inner).sum().backward()
    return g * inner.grad.item()


nested = x * 3
nested.register_hook(replaces)
nested.sum().backward()


def in_place(g):
    g.mul_(2)


changed = x * 3
changed.register_hook(in_place)
(changed * 1).sum().backward()

# ---------------------------------------------------------------- custom functions


class Power(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, n):
        ctx.save_for_backward(t)
        ctx.n = n
        return t**n

    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        slope = torch.ones_like(t)
        for _ in range(ctx.n - 1):
            slope = slope * t
        return grad * ctx.n * slope, None


class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, c, scale=2.0):
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(a, c)
        ctx.scale = scale
        indices = a.argsort()
        ctx.mark_non_differentiable(indices)
        return a * c, a + scale * c, indices

    @staticmethod
    @once_differentiable
    def backward(ctx, product, added, _):
        a, c = ctx.saved_tensors
        to_a = to_c = None
        if ctx.needs_input_grad[0]:
            to_a = (0 if product is None else product * c) + (0 if added is None else added)
        if ctx.needs_input_grad[1]:
            to_c = (0 if product is None else product * a) + (0 if added is None else ctx.scale * added)
        return to_a, to_c, None


class Setup(torch.autograd.Function):
    @staticmethod
    def forward(t, s):
        return t * s

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        t, s = ctx.saved_tensors
        return grad * s, (grad * t).sum()

    @staticmethod
    def jvp(ctx, t_t, s_t):
        return t_t


class Within(torch.autograd.Function):
    """Runs a backward pass of its own in its backward."""

    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t.exp()

    @staticmethod
    def backward(ctx, grad):
        with torch.enable_grad():
            t = ctx.saved_tensors[0].detach().requires_grad_()
            e = t.exp()
        e.backward(grad)
        return t.grad


class Doubles(torch.autograd.Function):
    """Writes in place."""

    @staticmethod
    def forward(ctx, t):
        t.mul_(2)
        ctx.mark_dirty(t)
        return t

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Refuses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        return t * 2

    @staticmethod
    def backward(ctx, grad):
        raise ValueError("not today")


powered = Power.apply(x, 3)
powered.sum().backward()
(slope,) = torch.autograd.grad(Power.apply(x, 4).sum(), x, create_graph=True)
(bend,) = torch.autograd.grad(slope.sum(), x)
Power.apply(Power.apply(x, 2), 2).sum().backward()
product, added, order = Both.apply(x, w)
(product.sum() + 2 * added.sum()).backward()
Both.apply(x, w.detach(), 3.0)[1].sum().backward()
Both.apply(x.detach(), w)[0].sum().backward()
once = Both.apply(x, w)[0].sum()
(g_once,) = torch.autograd.grad(once, x, create_graph=True)
with contextlib.suppress(RuntimeError):
    g_once.sum().backward()
Setup.apply(x, b).sum().backward()
Within.apply(x).sum().backward()
Doubles.apply(x * 1).sum().backward()
with contextlib.suppress(ValueError):
    Refuses.apply(x).sum().backward()
(x * w).sum().backward()

# ---------------------------------------------------------------- modes
with torch.no_grad():
    quiet = x * 2
    with torch.enable_grad():
        loud = x * 3
with torch.set_grad_enabled(False):
    off = x * 4
with torch.inference_mode():
    inferred = x * 5
(loud * off * quiet * inferred.clone()).sum().backward()
part = (x.detach() * w).sum() + (x * w.detach()).sum()
part.backward()


@torch.no_grad()
def update(p):
    p -= 0.01 * p.grad


update(x)

# ---------------------------------------------------------------- checkpoints and saved tensors


def block(t):
    inner = torch.sin(t)
    return inner * t


for reentrant in (False, True):
    checkpoint(block, x, use_reentrant=reentrant).sum().backward()
    checkpoint(lambda t: checkpoint(block, t, use_reentrant=reentrant) * 2, x, use_reentrant=reentrant).sum().backward()
checkpoint_sequential(net, 2, x * 1, use_reentrant=False).sum().backward()
(gc,) = torch.autograd.grad(checkpoint(block, x, use_reentrant=False).sum(), x, create_graph=True)
gc.sum().backward()
with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t + 0):
    packed = (x * w).exp()
packed.sum().backward()
with torch.autograd.graph.save_on_cpu():
    kept = x.tanh() * w
kept.sum().backward()

# ---------------------------------------------------------------- transforms


def f(t):
    u = t * t
    return (u * w.detach()).sum()


p = x.detach()
tg = torch.func.grad(f)(p)
tgv = torch.func.grad_and_value(f)(p)
tgg = torch.func.grad(lambda t: torch.func.grad(f)(t).sum())(p)
tv = torch.vmap(lambda t: t.sin() * 2)(torch.randn(4, 3))
tvg = torch.vmap(torch.func.grad(f))(torch.randn(2, 3))
tj = torch.func.jvp(f, (p,), (torch.ones(3),))
tout, pull = torch.func.vjp(f, p)
tback = pull(torch.tensor(2.0))
tjr, tjf, th = torch.func.jacrev(torch.sin)(p), torch.func.jacfwd(torch.sin)(p), torch.func.hessian(f)(p)
weights = {name: value.detach() for name, value in net.named_parameters()}
tfc = torch.func.functional_call(net, weights, (p,))
tfg = torch.func.grad(lambda ws: torch.func.functional_call(net, ws, (p,)).sum())(weights)
through = torch.vmap(lambda t: t * x)(torch.ones(2, 3)).sum()
through.backward()
inside = (torch.func.grad(f)(x) * w).sum()
inside.backward()
fj = torch.autograd.functional.jacobian(lambda t: t**2 * w, x)
fh = torch.autograd.functional.hessian(f, p)
fv = torch.autograd.functional.vjp(lambda t: t**2, p, torch.ones(3))
fp = torch.autograd.functional.jvp(lambda t: t**2, p, torch.ones(3))
with forward_ad.dual_level():
    dual = forward_ad.make_dual(p, torch.ones(3))
    made = dual.sin() * x
    tangent = forward_ad.unpack_dual(made).tangent
    made.sum().backward()
    over = forward_ad.make_dual(torch.ones(3), x)
    forward_ad.unpack_dual(over * over).tangent.sum().backward()
    del dual, over
checked = torch.autograd.gradcheck(lambda t: (t * t).sum(), torch.rand(2, dtype=torch.float64, requires_grad=True))

# ---------------------------------------------------------------- in place, on views
base = x * 1
view = base[1:]
view.mul_(w[1:])
view[0] = b
base += view.sum()
base.sum().backward()
whole = torch.zeros(2, 3)
whole[0] = x
whole[1].add_(w)
whole.t()[0].exp_()
whole.sum().backward()
left, right = (x * 2)[:2], (x * 2)[1:]
left += 1
(left * left).sum().backward()
grown = w.clone()
lookalike = grown.view(3, 1)
grown.mul_(x)
(lookalike + 1).pow(2).sum().backward()
masked = x.clone()
masked[masked > 1.5] = 0.0
masked.sum().backward()
grad_before = x.grad.clone()
x.grad.zero_()
x.sum().backward(create_graph=True)
x.sum().backward(create_graph=True)
x.grad.detach_().mul_(0.5)
(x * x).sum().backward()
x.grad = torch.ones(3)
(x * 2).sum().backward()
sparse = nn.Embedding(4, 2, sparse=True)
sparse(torch.tensor([1, 1, 3])).sum().backward()
spectrum = torch.fft.fft(x * (1 + 2j))
spectrum.abs().sum().backward()
half = (x.half().bfloat16() * 2).sum()
half.backward()
