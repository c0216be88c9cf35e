"""What a learner might try in the exercises about tensors."""

from __future__ import annotations

from tests.lessons.plainly import Tries

TRIES: Tries = {
    "slope/central": [
        ("", "name 'central' is not defined"),
        ("def central(f, x, h):\n    return (f(x + h) - f(x)) / h", "the step to the right only"),
        ("def central(f, x, h):\n    return (f(x + h) - f(x - h)) / h", "12 is twice as much"),
        ("def central(f, x, h):\n    return (f(x + h) - f(x - h)) / 2 * h", "Put brackets around"),
        ("def central(f, x, h):\n    return (f(x - h) - f(x + h)) / (2 * h)", "the order of the two is reversed"),
        ("def central(f, x, h):\n    return 2 * x", "It is right for x²"),
        ("def central(f, x, h):\n    print((f(x + h) - f(x - h)) / (2 * h))", "should return a number"),
    ],
    "dimensions/average": [
        ("", "For a single number it stops: len() of a 0-d tensor"),
        ("def average(values):\n    return values.sum() / values.shape[0]", "it stops: tuple index out of range"),
        ("def average(values):\n    return values.sum() / (len(values) if values.ndim else 1)", "by the 2 rows"),
        ("def average(values):\n    return values.mean(dim=-1)", "it should give one number"),
        ("def average(values):\n    return values.sum() / max(values.ndim, 1)", "by the 2 rows"),
    ],
    "making/half-a-point": [
        ("", "still torch.int64"),
        ("scores = torch.full((4,), 7)\nscores[0] = torch.tensor(7.5)", "still torch.int64"),
        ("scores = torch.full((4,), 7.5)", "others should still have 7"),
        ("scores = torch.full((4,), 7).float()", "should have 7.5"),
    ],
    "ranges/both-ends": [
        ("", "name 'axis' is not defined"),
        ("axis = torch.arange(0, 1, 0.1)", "11 marks"),
        ("axis = torch.linspace(0, 1, 10)", "counts points"),
        ("axis = torch.linspace(0, 1.1, 11)", "last mark"),
        ("axis = torch.arange(0, 1.2, 0.1)", "11 marks"),
        ("axis = torch.logspace(-1, 0, 11)", "first mark"),
    ],
    "distributions/dice": [
        ("", "name 'throw' is not defined"),
        ("def throw(count):\n    return 6 * torch.rand(count)", "no whole number of points"),
        ("def throw(count):\n    return torch.randint(1, 6, (count,))", "there was no six"),
        ("def throw(count):\n    return torch.randint(0, 7, (count,))", "There are zeros"),
        ("def throw(count):\n    return torch.randint(1, 8, (count,))", "no 7"),
        ("def throw(count):\n    return torch.randint(1, 7, (1,))", "a tensor of 600 numbers"),
        ("def throw(count):\n    return (torch.randn(count) + 3.5).round().clamp(1, 6)", "about 100 times"),
        ("def throw(count):\n    torch.manual_seed(0)\n    return torch.randint(1, 7, (count,))", "do not set a seed"),
    ],
    "history/keeps-gradient": [
        ("", "still returns the dots"),
        ("def keeps_gradient(tensor):\n    return tensor.requires_grad", "ask for is_leaf too"),
        ("def keeps_gradient(tensor):\n    return tensor.is_leaf", "ask for requires_grad too"),
        ("def keeps_gradient(tensor):\n    return tensor.is_leaf and tensor.grad is not None", "your answer is False"),
        ("def keeps_gradient(tensor):\n    return tensor.grad_fn is None", "ask for requires_grad too"),
    ],
    "detach/snapshots": [
        ("", "share one memory"),
        (("u.detach()", "u.clone()"), "still part of a graph"),
        (("u.detach()", "u.data"), "share one memory"),
        (("history.append(u.detach())", "history = [u.detach().clone()]"), "history should have"),
        (("u.detach()", "2 * u.detach()"), "are [0.5, 0.25, 0.125]"),
    ],
    "elementwise/logistic": [
        ("", "name 'logistic' is not defined"),
        ("def logistic(x):\n    return 1 / (1 + torch.exp(x))", "has a minus sign"),
        ("def logistic(x):\n    return 1 / 1 + torch.exp(-x)", "Put brackets around"),
        ("def logistic(x):\n    return (1 / (1 + torch.exp(-x))).sum()", "A number for each element"),
        ("def logistic(x):\n    return torch.tanh(x)", "For 0 it should give 0.5"),
        ("def logistic(x):\n    return 0.5", "should return a tensor"),
    ],
    "seeds/keep-pairs": [
        ("", "are torn"),
        ("x = torch.arange(8.0)\ny = 10 * x", "nothing is shuffled"),
        ("x = torch.randint(0, 8, (8,)).float()\ny = 10 * x", "are gone"),
    ],
    "memory/before-and-after": [
        ("", "looks at the storage"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nbefore = weights.flatten()\nweights *= 10\nchange = weights",
         "looks at the storage"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nweights *= 10\nbefore = weights.clone()\nchange = weights",
         "before the weights grow"),
        ("weights = torch.tensor([[1., 2.], [3., 4.]])\nbefore = weights.clone()\nchange = weights - before",
         "grow tenfold"),
    ],
    "joining/days": [
        ("", "not filled in"),
        ("three = torch.cat([monday, tuesday, wednesday])\nfive = torch.cat([three, more.flatten()])", "into one row"),
        ("three = torch.stack([monday, tuesday, wednesday], dim=1)\nfive = ...", "stand as columns"),
        ("three = torch.stack([monday, tuesday, wednesday])", "five is not filled in"),
        ("three = torch.stack([monday, tuesday, wednesday])\nfive = torch.cat([more, three])", "more below it"),
    ],
    "selecting/broken-sensor": [
        ("", "not filled in"),
        ("good = raw > -50", "mask itself"),
        ("good = raw[raw > -50]", "repaired is not filled in"),
        ("good = raw[raw > -50]\nrepaired = raw\nrepaired[raw < -50] = good.mean()", "clone"),
        ("good = raw[raw > -50]\nrepaired = good.clone()", "all five"),
        ("good = raw[raw > -50]\nrepaired = raw.clone()", "still has broken"),
        ("good = raw[raw > -50]\nrepaired = raw.clone()\nrepaired[raw < -50] = 0", "mean of"),
    ],
    "shaping/one-per-row": [
        ("", "eight rows of three"),
        ("rows = pictures.reshape(-1)", "one long row"),
        ("rows = pictures.reshape(-1, 3).T", "Transposing a wrong reshape"),
        ("rows = pictures.reshape(6, -1)", "a row per picture"),
    ],
    "broadcasting/centre-rows": [
        ("", "means of the rows"),
        ("centred = table - table.mean(dim=0)", "Now the columns"),
        ("centred = table - table.mean()", "means of the rows"),
        ("centred = torch.zeros(3, 3)", "Row 1"),
        ("centred = table[0]", "3 by 3"),
    ],
    "matmul/first-layer": [
        ("", "not filled in"),
        ("out = samples @ weight.T", "add the bias"),
        ("out = samples @ weight.reshape(3, 2) + bias", "transpose it"),
        ("out = weight @ samples.T", "shape [5, 2]"),
    ],
}  # fmt: skip
