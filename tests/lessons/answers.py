"""The answers to what each lesson asks, in the order of the lessons: the curriculum's, or worked out without torch."""

from __future__ import annotations

import math

EIGHT = [3 - 0.4 * place for place in range(8)]
"""The first batch of `start/your-own-script`: absolute values, for which the script's model begins with 0."""
ANSWERS: dict[str, list[object]] = {
    "backprop/one-sample": [-2.0, -8.0],
    "backprop/chain": [2 * (120 - 1) * 5 * 1 * 4 * 2.0, 0.0],
    "backprop/power": [12.0, 8 * math.log(2), math.nan],
    "backprop/retain-grad": [[2.0], None, None],
    "backprop/retain-graph": [[5.0], [10.0]],
    "backprop/vector": [[9.0], [7.0]],
    "backprop/second-order": [None, 2.0, None],
    "backprop/accumulate": [[20.0], None],
    "backprop/in-place": [2],
    "backprop/your-own": [6.0, 12.0],
    "graph/two-paths": [[1.0 * 2 + 1 * 3], None],
    "graph/dynamic": [2 * -2.0, 5 * 2.0**4],
    "graph/who-requires-grad": [2, True, [2.0 * 3], 2],
    "graph/saved": [2, 1.0 + 1.0, 1],
    "pitfalls/to-makes-nonleaf": [None, True],
    "pitfalls/item-too-early": [None],
    "pitfalls/detached-loss": [3, 2 * (2.0 * 3 - 5) * 3],
    "pitfalls/broadcast-loss": [sum((i - j) ** 2 for i in range(1, 5) for j in range(1, 5)) / 16, 3],
    "pitfalls/carried-state": [1, 2],
    "pitfalls/numpy-and-grad": [[100.0]],
    "pitfalls/plain-tensor-module": [[2.0], [2.0]],
    "pitfalls/eval-and-no-grad": [True, 2],
    "pitfalls/gan-order": [None],
    "pitfalls/nan-where": [3, [0.0, 1 / (2 * math.sqrt(4))]],
    "pitfalls/list-of-tensors": [False, 2 + 2 * 3.0],
    "pitfalls/float64": [2, 2],
    "start/how-to-walk": [(3 + 5 + 2) * 1.25],
    "start/your-own-script": [
        sum(x * x for x in EIGHT) / 8,  # the mean of (0 - |x|)²
        [-2 * sum(EIGHT) / 8],
        [0.1 * 2 * sum(EIGHT) / 8],
    ],
    "tensors/first-look": [4.0],
    "tensors/making": [False, 3, True],
    "tensors/ranges": [[2, 4, 6, 8], 8 / 6, [1.0, 10.0, 100.0]],
    "tensors/seeds": [1, False],
    "tensors/history": [3, [2.0, 4.0, 6.0], False],
    "tensors/memory": [[99.0, 1.0], [[0, 1, 2], [100, 4, 5]], False],
    "tensors/joining": [[4, 3], [2, 2, 3], [3, 3, 1]],
    "tensors/selecting": [[3, 0, 0], [6]],
    "tensors/shaping": [[2, 6], [1, 2, 3, 1], False],
    "tensors/elementwise": [[21.0, 50.0, 180.0], [-3.0, 10.0, 108.0], 2],
    "tensors/matmul": [[[10.0, 2.0], [30.0, 4.0]], [2, 4], 2],
    "tensors/slope": [4.0**2 - 3**2, 2 * 3.0, 0.0],
    "tensors/dimensions": [0, 1, []],
    "tensors/distributions": [5, 3, [2, 3]],
    "tensors/detach": [True, [2 * 10.0, 2 * 20.0, 2 * 30.0]],
    "tensors/broadcasting": [[3, 4], 2],
    "training/line-by-hand": [-2.0, 7.9999986],
    "training/line-with-bias": [[2 * (1 * 3 + 2 - 6)], 2],
    "training/forgot-zero": [-9.84, 2],
    "training/quadratic": [2.0],
    "training/noisy-line": [True],
    "training/item": [True, 3 * (3 + 1), True],
    "training/update": [False, None, 1],
    "training/sgd": [5 - 0.01 * 5712, 2],
    "training/dynamic-lr": [1 + 8.0**3, False, 0.01],
    "training/parameters": [0],
    "training/freeze": [None, 1.02],
    "training/mini-batches": [1000 - 15 * 64, 3],
    "training/logistic-regression": [0.5, 3, False],
    "training/layers": [2 * 3 + 3, [5, 3]],
    "training/momentum": [-0.1 - 0.1 * 1.5, 1 / (1 - 0.5)],
    "training/adam": [4.99, 0.01],
    "training/mean-or-sum": [64.0, 200 // 64],
    "training/stopping": [False, 2],
}

# The line that is to blame, or that does it, where a lesson asks for one.
LINES = {
    "backprop/in-place": "a += 1",
    "pitfalls/item-too-early": "loss = (off**2).item()",
    "pitfalls/gan-order": "d_optimizer.step()",
    "tensors/selecting": "row += 50",
}
