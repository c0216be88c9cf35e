import atexit
import sys
import traceback

import torch


def hook(kind, error, trace):
    print("hooked", kind.__name__, error, [frame.name for frame in traceback.extract_tb(trace)])


def fails(t):
    raise KeyError("last")


atexit.register(print, "at the end")
sys.excepthook = hook
fails(torch.ones(1))
