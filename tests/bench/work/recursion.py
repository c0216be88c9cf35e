"""A recursion; an epoch is one call within another."""

import os
import sys

sys.setrecursionlimit(100_000)


def down(k):
    if k == 0:
        return 0
    return 1 + down(k - 1)


d = down(int(os.environ.get("EPOCHS", "800")))
