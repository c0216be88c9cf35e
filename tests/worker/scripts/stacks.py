import inspect, logging, traceback, torch, sys
from torch import nn
logging.basicConfig(format="%(filename)s:%(lineno)d %(message)s", stream=sys.stdout)
class T(nn.Module):
    def forward(self, x):
        traceback.print_stack(file=sys.stdout)
        return torch.nn.functional.relu(x)
def f(g):
    print([s.function for s in inspect.stack()])
    logging.warning("here", stack_info=True)
    print("".join(traceback.format_stack()))
    return g * 2
w = torch.ones(2, requires_grad=True)
w.register_hook(f)
y = T()(w)
with torch.autograd.detect_anomaly(check_nan=True):
    z = torch.sqrt(y * 0 - 1).sum()
    try:
        z.backward()
    except RuntimeError as e:
        traceback.print_exc(file=sys.stdout)
f(w)
y.sum().backward()
def g():
    raise ValueError("x")
try:
    g()
except ValueError:
    traceback.print_exc(limit=1, file=sys.stdout)
    print(traceback.extract_tb(sys.exc_info()[2]))
