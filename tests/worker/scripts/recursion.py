import sys

import torch


def depth(n):
    try:
        return depth(n + 1)
    except RecursionError:
        return n


def grow(t, n):
    t = t + 1
    return grow(t, n + 1) if n < 200 else t


print(sys.getrecursionlimit(), depth(0))
grown = grow(torch.zeros(1), 0)
sys.setrecursionlimit(300)
print(sys.getrecursionlimit(), depth(0))
try:
    sys.setrecursionlimit(0)
except ValueError as error:
    print(error)


class Endless:
    def __getattr__(self, name):
        return self.missing


try:
    Endless().anything
except RecursionError as error:
    print(type(error).__name__)


def forever(n):
    return forever(n + 1)


forever(0)
