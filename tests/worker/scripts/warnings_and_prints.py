import sys
import warnings

import torch

w = torch.ones(1, requires_grad=True)
a = w * 2
for _ in range(2):
    a.grad
a.grad
print("no newline", end="")
print(" then one")
print("to err", file=sys.stderr)
warnings.warn("mine")
warnings.warn("old", DeprecationWarning)
loss = torch.nn.functional.mse_loss(torch.ones(4, 1), torch.ones(4))
loss2 = torch.nn.MSELoss()(torch.ones(4, 1), torch.ones(4))


def f():
    return torch.nn.functional.mse_loss(torch.ones(4, 1), torch.ones(4))


f()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    a.grad
print(len(caught), caught[0].category.__name__, caught[0].lineno)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        a.grad
    except UserWarning as e:
        print("as error", str(e)[:20])
sys.stdout.write("w\n")
sys.stdout.buffer.write("bytes é\n".encode())
print("中文 \x1b[31mred\x1b[0m [red] w[i]")
print(sys.argv, __name__, __file__.endswith("warnings_and_prints.py"), sys.stdout.encoding)
import traceback

try:
    torch.ones(2).view(3)
except RuntimeError:
    traceback.print_exc()
try:
    torch.nn.Linear(2, 3)(torch.ones(5))
except RuntimeError:
    print(traceback.format_exc().count("File"))
    traceback.print_exc()
try:
    torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([0, 7]))
except IndexError:
    traceback.print_exc()
try:
    w.backward(torch.ones(5))
except RuntimeError:
    traceback.print_exc()
