"""Derivative rules of backward nodes, registered by node name when their modules are imported.

Where the rule of an operation is:

- `unary`: functions of one tensor, element by element: exp, log, sqrt, abs, sin, tanh, sigmoid, relu, gelu, softplus,
  round, clamp, …
- `binary`: functions of two or more tensors, element by element: add, sub, mul, div, pow, lerp, addcmul, maximum,
  where, masked_fill, remainder, …
- `reductions`: sum, mean, max, min, median, prod, var, std, logsumexp, norm, dist
- `scans`: along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp, softmax, log_softmax
- `linalg`: mm, mv, dot, bmm, addmm, linear, addr, cross, trace, inverse, det, solve, cholesky, eigh, pinv, …
- `shape`: view, reshape, permute, `a[2]`, `a[1:]`, expand, repeat, flip, roll, tril, triu, diagonal, pad, interpolate,
  cat, stack, split, clone, to, copy_, fill_
- `indexing`: `a[idx]`, gather, embedding, sort, topk, scatter, index_add, `a[i] = b`, writes to a view
- `losses`: mse, l1, huber, binary cross entropy, cross entropy, nll
- `layers`: layer norm, batch norm, group norm, convolutions, pooling, scaled dot product attention, LSTM

einsum, recurrent layers and cells, and attention as a composite are many of these nodes: `explain.composites` works out
the values between them.

`registry` has the decorator `@explains` and what rules take and return, `arrays` the arithmetic that they share.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
