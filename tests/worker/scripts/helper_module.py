"""A module beside a script."""

import torch

SCALE = torch.tensor(2.0)


def scaled(t):
    out = t * SCALE
    return out
