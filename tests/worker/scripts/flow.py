"""Ways through the code: recursion, generators, loops, exceptions, context managers, coroutines."""

import asyncio
import contextlib

import torch

w = torch.tensor([1.0, 2.0], requires_grad=True)


def power(t, n):
    if n == 0:
        return torch.ones(2)
    half = power(t, n // 2)
    whole = half * half
    return whole * t if n % 2 else whole


fifth = power(w, 5)
fifth.sum().backward()


def walk(n):
    state = torch.zeros(1)
    try:
        while True:
            state = state + n
            yield state
    finally:
        state = state * 0


def both(a, b):
    first = yield from a
    for left, right in zip(a, b):
        yield left + right
    return first


one, two = walk(1), walk(2)
x = next(one)
y = next(two)
x = next(one)
z = next(both(iter([torch.ones(1)]), iter([torch.ones(1)])))
one.close()
del two


def search(items):
    for place, item in enumerate(items):
        if item < 0:
            continue
        if item > 2:
            found = item * 10
            break
    else:
        found = torch.tensor(-1.0)
    return found


hit = search(torch.tensor([-1.0, 1.0, 3.0, 4.0]))
miss = search(torch.tensor([-1.0]))
for row in range(3):
    for column in range(3):
        cell = torch.tensor(float(row * 3 + column))
        if column == 1:
            break
    if row == 1:
        break


def fragile(t):
    kept = t * 2
    try:
        for i in range(5):
            kept = kept + i
            if i == 2:
                raise ValueError(i)
    except ValueError as error:
        kept = kept * 100
        try:
            torch.ones(2) @ torch.ones(3)
        except RuntimeError:
            kept = kept - 1
    finally:
        done = kept + 1
    return done


mended = fragile(torch.ones(1))


def gives_up():
    try:
        return torch.ones(1)
    finally:
        last = torch.zeros(1)


given = gives_up()


@contextlib.contextmanager
def scaled(t):
    grown = t * 3
    yield grown
    shrunk = grown / 3


with scaled(torch.ones(2)) as inner, torch.no_grad():
    used = inner + w


class Managed:
    def __enter__(self):
        self.t = torch.ones(1)
        return self

    def __exit__(self, kind, error, trace):
        self.t = self.t * 5
        return kind is KeyError


with Managed() as managed:
    raise KeyError("swallowed")


async def add(t, n):
    await asyncio.sleep(0)
    more = t + n
    return more


async def ticks(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield torch.tensor(float(i))


async def main():
    results = await asyncio.gather(add(torch.ones(1), 1), add(torch.ones(1), 2))
    total = torch.zeros(1)
    async for tick in ticks(3):
        total = total + tick
    squares = [t * t async for t in ticks(2)]
    return results, total, squares


gathered, ticked, squared = asyncio.run(main())
while (w_sum := w.detach().sum()) < 10:
    with torch.no_grad():
        w.mul_(2)
pairs = [(a, b) for a in (t * 2 for t in [torch.ones(1)]) if (b := a + 1) > 0]


def spread(*parts, scale=1.0, **named):
    total = sum(parts) * scale
    for name, part in named.items():
        total = total + part
    return total


summed = spread(torch.ones(1), torch.ones(1), scale=2.0, extra=torch.ones(1))
grow = lambda t, by=torch.ones(1): t + by  # noqa: E731
grown = grow(grow(torch.zeros(1)))
match {"kind": "pair", "values": [torch.ones(1), torch.zeros(1)]}:
    case {"kind": "single", "values": [only]}:
        pass
    case {"kind": "pair", "values": [left, right], **others} if left > right:
        matched = left - right
if (k := 3) and fifth[0] > 0: positive = True; other = 2
try:
    try:
        {}["missing"]
    except KeyError as first:
        raise ValueError("second") from first
except (TypeError, ValueError) as chained:
    cause = type(chained.__cause__).__name__
assert positive, "never"
