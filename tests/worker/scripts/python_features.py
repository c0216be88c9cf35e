import contextlib
import dataclasses
import functools

import torch


def deco(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        return f(*args, **kwargs)

    return inner


@deco
def square(t, *, k=1.0):
    """Squares."""
    out = t * t * k
    return out


def gen(n):
    total = torch.zeros(1)
    for i in range(n):
        total = total + i
        got = yield total
        if got is not None:
            total = total * got


class Acc:
    shared = torch.ones(2)

    def __init__(self, w):
        self.w = w
        self.__hidden = w * 2

    def __call__(self, x):
        return self.w * x + self.__hidden

    @property
    def twice(self):
        return self.w * 2

    @staticmethod
    def stat(x):
        return x + 1


@dataclasses.dataclass
class Pair:
    a: torch.Tensor
    b: torch.Tensor


w = torch.tensor([1.0, 2.0], requires_grad=True)
acc = Acc(w)
y = acc(torch.tensor([3.0, 4.0])) + acc.twice + Acc.stat(w) + square(w, k=2.0)
pair = Pair(a=w * 1, b=torch.zeros(2))
pair.b = pair.a + 1
g = gen(4)
first = next(g)
second = g.send(2.0)
rest = list(g)
params = [w, y]
params.append(torch.eye(2))
grads = {"w": w * 3, 1: torch.ones(1)}
grads["late"] = torch.full((2,), 7)
del grads[1]
nested = [[torch.ones(1), torch.zeros(1)], (torch.ones(2),)]
a, (b, *c) = torch.ones(1), [torch.zeros(1), torch.ones(2), torch.ones(3)]
if (n := torch.tensor(4.0)) > 3:
    big = n * 2
squares = [v * v for v in params[0].detach()]
total = sum(squares)
with contextlib.suppress(ZeroDivisionError):
    1 / 0
try:
    torch.ones(2) @ torch.ones(3)
except RuntimeError as error:
    message = str(error)
    print("caught:", message)
try:
    w += 1
except RuntimeError as e:
    print(type(e).__name__, e)
else:
    print("never")
finally:
    fin = torch.tensor(1)
match params:
    case [first_param, *_]:
        matched = first_param * 2
lam = (lambda q: q + 1)(w)
while fin < 3:
    fin = fin + 1
    if fin == 2:
        continue
else:
    done = fin * 10
for i, row in enumerate(torch.arange(6).reshape(2, 3)):
    last = row
    if i == 5:
        break
temp = torch.ones(1)
del temp
print(square.__doc__, square.__name__, locals() is globals(), sorted(k for k in globals() if not k.startswith("__"))[:6])


async def co():
    z = torch.ones(1) * 5
    return z


import asyncio

z = asyncio.run(co())
glob = torch.zeros(1)


def change():
    global glob
    glob = glob + 1
    inner = torch.ones(1)

    def deeper():
        nonlocal inner
        inner = inner + 1

    deeper()
    return inner


inner_result = change()
y.sum().backward()
