"""The forms in which learners write operations (`forms.txt`, a line each), for the tests of their rules: with numbers
and tensors, dimensions, reductions, modules of `nn`, indices, and writes to parts."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.explain import families

FORMS = Path(__file__).with_name("forms.txt").read_text(encoding="utf-8").splitlines()
"""What has a rule for each of its nodes."""
LACKING: set[str] = set()
"""The nodes that this torch has not."""
try:
    torch.ones(2, requires_grad=True).aminmax()[0].backward()
except RuntimeError:  # torch 2.9 and older do not differentiate it
    FORMS = [form for form in FORMS if "aminmax" not in form]
    LACKING.add("AminmaxBackward0")
_whole = torch.ones(2, 3, requires_grad=True) * 2
_whole[:] = torch.ones(3)
if type(_whole.grad_fn).__name__ == "CopySlices":  # in torch 2.6 a write to a part, of which no rule takes rows
    FORMS = [form for form in FORMS if "s6" not in form]

_SETUP = """\
from torch import nn
x0, w0 = torch.tensor(2., requires_grad=True), torch.tensor(1., requires_grad=True)
x1 = torch.tensor([2.], requires_grad=True)
col = leaf(2, 1)
img, ker, kb = leaf(1, 2, 5, 5), leaf(3, 2, 3, 3), leaf(3)
sig, k1 = leaf(2, 2, 6), leaf(3, 2, 3)
gam, bet = leaf(3), leaf(3)
q, k, v = leaf(2, 4, 3), leaf(2, 4, 3), leaf(2, 4, 3)
q4, k4, v4 = leaf(1, 2, 4, 3), leaf(1, 2, 4, 3), leaf(1, 2, 4, 3)
src = leaf(2, 2)
emb = nn.Embedding(5, 3)
ln, bn, gn = nn.LayerNorm(3), nn.BatchNorm1d(3), nn.GroupNorm(1, 3)
bn2 = nn.BatchNorm2d(2)
bne = nn.BatchNorm1d(3).eval()
conv = nn.Conv2d(2, 3, 3)
lstm = nn.LSTM(3, 2)
gru = nn.GRU(3, 2)
rnn = nn.RNN(3, 2)
def assign(f, *a):
    h = a[0] * 2
    f(h, *a)
    return h
def s1(h, a): h[0, 1] = 3.
def s2(h, a): h[0] = 0.
def s3(h, a, b): h[1] = b[0]
def s4(h, a, b): h[:, 1:] = b[:, :2]
def s5(h, a): h[mask] = 0.
def s6(h, a, row): h[:] = row
def s7(h, a): h[h > 2.] = 1.
def s8(h, a, b): h[idx, idx2] = b[0, :2]
def s9(h, a, b): h.index_put_((idx, idx2), b[0, :2], accumulate=True)
def s10(h, a, b): h[:, 0] += b[:, 1]
def s11(h, a): h[0].relu_()
def s12(h, a): h[..., 1] *= 2
def s13(h, a): h.t()[0] = 1.
def s14(h, a, b): h[0, 1] = b[0, 0] * b[1, 1]
def s15(h, a): h.view(-1)[0].zero_()
def s16(h, a): h[1].fill_(1.)
def s17(h, a, b): h.masked_fill_(mask, 0.)
def s18(h, a, b): h[0].copy_(b[1])
def s19(h, a, x0): h[0, 1] = x0
def s20(h, a, b): h[1:, ::2].add_(b[1:, ::2])
def s21(h, a, b): h[[1, 0]] = b
def s22(h, a, b): h[mask] = b[mask]
def s23(h, a): h.t().mul_(3)
def s24(h, a): h[0].sigmoid_()
def s25(h, a, b): h.index_add_(0, idx, b)
def s27(h, a, b): h.index_copy_(0, idx, b)
def s28(h, a, b): h.clamp_(min=1.5)
def s29(h, a, b): h.addcmul_(a, b)
def s30(h, a, b): h.sub_(b, alpha=2)
def s31(h, a, b): h /= b
def s32(h, a, b): h **= 2
def s33(h, a, b): h.exp_()
def s34(h, a, b): h.sqrt_()
def s35(h, a, b): h.neg_()
def s36(h, a, b): h.tanh_()
def s37(h, a, b): h.t_().mul_(2)
def s38(h, a, b): h.unsqueeze_(0)
def s39(h, a, b): h.squeeze_()
def s41(h, a): h.transpose_(0, 1)
def s42(h, a): h.squeeze_((0,))
def s40(h, a, b): h[0, :2], h[1, :2] = b[1, :2], b[0, :2]
"""


def script(seed: int, dtype: str) -> str:
    """Each form with a backward pass from a random gradient."""
    whole = families.script(FORMS, seed, dtype)
    return whole.replace(f"r = {FORMS[0]}\n", f"{_SETUP}r = {FORMS[0]}\n", 1)
