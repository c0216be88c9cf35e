"""A function that calls itself to a depth of COUNT, as often as 6,400 calls need."""

import os
import sys

depth = int(os.environ.get("COUNT", "800"))
sys.setrecursionlimit(100_000)


def down(level):
    if level == 0:
        return 0
    return 1 + down(level - 1)


for _ in range(6400 // depth):
    down(depth)
