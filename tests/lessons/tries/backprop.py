"""What a learner might try in the exercises about backpropagation."""

from __future__ import annotations

from tests.lessons.plainly import Tries

TRIES: Tries = {
    "one-sample/slope": [
        ("", "name 'derivative' is not defined"),
        ("def derivative(w, x, t):\n    return 2 * (t - w * x) * x", "The sign is the wrong way round"),
        ("def derivative(w, x, t):\n    return (w * x - t) * x", "-1 is half of it"),
        ("def derivative(w, x, t):\n    return 2 * (w * x - t)", "-7 lacks a factor for weight 0.5, value -3"),
        ("def derivative(w, x, t):\n    2 * (w * x - t) * x", "returns nothing"),
    ],
    "retain-grad/each-turn": [
        ("", "Not each `h` was asked to keep its gradient: [False, False, False]"),
        ("for h in computed:\n    h.retain_grad()", "asked too late"),
        ("computed = computed[:2]", "holds 2"),
        ("computed = []\nfor factor in (1.0, 2.0, 4.0):\n    h = s * factor\n    h.retain_grad()\n"
         "    (h**2).backward()\n    computed.append(h)", "Leave the numbers of the loop"),
        ("computed = []\nfor factor in (1.0, 2.0, 3.0):\n    h = s * factor\n    h.retain_grad()\n"
         "    (h**3).backward()\n    computed.append(h)", "The gradients should be [4.0, 8.0, 12.0]"),
    ],
    "chain/by-hand": [
        ("", "The second network: for weight 1 you have 80"),
        ("def gradients(w1, w2, w3, x=2.0, t=1.0):\n    return 0.0, 0.0, 0.0", "The first network: for weight 1"),
        ("def gradients(w1, w2, w3, x=2.0, t=1.0):\n    return 9520.0, 7140.0, 5712.0", "fed a negative number"),
        ("def gradients(*weights):\n    pass", "three numbers"),
    ],
    "retain-graph/two-losses": [
        ("", "share of `near` alone"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nfar = (h - 10) ** 2\n"
         "near.backward(retain_graph=True)\nfar.backward(retain_graph=True)", "the last pass needs no"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nnear.backward()\n"
         "s.grad = None\nh = s * s\n((h - 10) ** 2).backward()", "share of `far` alone"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = s * s\nnear = (h - 4) ** 2\nfar = (h - 10) ** 2\n"
         "near.backward(retain_graph=True)\nnear.backward(retain_graph=True)\nfar.backward()", "each of them once"),
        ("s = torch.tensor(3.0, requires_grad=True)\nh = (s * s).detach()", "s.grad is None"),
    ],
    "vector/mean": [
        ("", "Nothing is typed yet for parts and v"),
        ('gradients = {"parts": 0.25, "v": 5.5}', "type four in brackets"),
        ('gradients = {"parts": [1, 1, 1, 1], "v": 22}', "what the sum would send"),
        ('gradients = {"parts": [1, 0, 0, 0], "v": 4}', "all parts are worth the same"),
        ('gradients = {"parts": [0.5, 0.5, 0.5, 0.5], "v": 11}', "you gave each part 0.5"),
        ('gradients = {"parts": [0.25, 0.25, 0.25, 0.25], "v": 22}', "added up. Each counts for a fourth"),
        ('gradients = {"parts": [0.25, 0.25, 0.25, 0.25], "v": 4}', "That is not 4"),
    ],
    "second-order/newton": [
        ("", "`second` is still None"),
        ("def derivatives(f, at):\n    x = torch.tensor(at, requires_grad=True)\n"
         "    (first,) = torch.autograd.grad(f(x), x)\n    (second,) = torch.autograd.grad(first, x)\n"
         "    return first, second", "left no record of itself"),
        ("def derivatives(f, at):\n    x = torch.tensor(at, requires_grad=True)\n"
         "    (first,) = torch.autograd.grad(f(x), x, create_graph=True)\n"
         "    second = torch.autograd.grad(first, x)\n    return first, second", "unpack it"),
        ("def derivatives(f, at):\n    return torch.tensor(6.0), torch.tensor(4.0)", "Is a number typed in"),
        ("def derivatives(f, at):\n    x = torch.tensor(at, requires_grad=True)\n    y = f(x)\n"
         "    (first,) = torch.autograd.grad(y, x, retain_graph=True)\n"
         "    (second,) = torch.autograd.grad(y, x)\n    return first, second", "is 4 everywhere, and you have 6"),
    ],
    "accumulate/halves": [
        ("", "twice the -7.5 of the whole batch"),
        ("for half in (batch[:2], batch[2:]):\n    v.grad = None\n    ((v * half - 3) ** 2).mean().backward()",
         "Do not clear it"),
        ("for half in (batch[:2], batch[2:]):\n    v.grad = None\n    (((v * half - 3) ** 2).mean() / 2).backward()",
         "Do not clear it"),
        ("v.grad = None\n((v * batch - 3) ** 2).sum().backward()", "v.grad should be -7.5, and is -30"),
        ("whole = v.grad", "Leave `whole` alone"),
        ("v.grad = None", "must not be cleared at the end"),
    ],
    "in-place/three-writes": [
        ("", "saved its result, then it was changed"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a)\n    b.data *= 10\n    c = b + 4\n"
         "    c -= 0.5\n    return c.sum()", "No error, but a wrong gradient"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a).detach()\n    b *= 10\n    c = b + 4\n"
         "    c -= 0.5\n    return c.sum()", "has no history"),
        ("def model(u):\n    a = u * 2\n    a += 1\n    b = torch.sigmoid(a)\n    c = b + 4\n    c -= 0.5\n"
         "    return c.sum()", "must give what it gave before"),
        ("def model(u):\n    a = u * 2 + 1\n    b = torch.sigmoid(a)\n    b *= 10\n    c = b + 3.5\n"
         "    return c.sum()", "The pass still breaks"),
    ],
    "your-own/lens": [
        ("", "x should get [90.0, 40.0], and you send [0.0, 0.0]"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (ctx.saved_tensors[1] ** 2, grad))", "derivative alone"),
        ("Lens.backward = staticmethod(lambda ctx, grad: grad * ctx.saved_tensors[1] ** 2)", "each of the two inputs"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (grad * ctx.saved_tensors[1] ** 2, None))", "nothing to w"),
        ("Lens.backward = staticmethod(lambda ctx, grad: (grad * ctx.saved_tensors[1] ** 2,"
         " grad * 2 * ctx.saved_tensors[1]))", "w should get"),
    ],
    "chain/in-order": [
        ("", "That is the forward pass"),
        ('order = ["- t", "** 2", "w3 * a", "relu", "w2 * h", "w1 * x"]', "is not the first"),
        ('order = ["** 2", "- t", "relu", "w3 * a", "w2 * h", "w1 * x"]', "Up to `- t` it is right"),
    ],
}  # fmt: skip
