"""All the places where a tensor may be kept."""

import collections
import copy
import functools
import io
import pickle
from dataclasses import dataclass, field

import torch
from torch import nn

torch.manual_seed(6)
Point = collections.namedtuple("Point", "x y")
point = Point(torch.ones(1), torch.zeros(2))
pairs = [(torch.ones(1), 1), (torch.zeros(1), 2)]
table = {"a": {"b": torch.ones(1), "c": {"deep": torch.ones(9)}}, 3: [torch.zeros(1)], None: torch.ones(2)}
ordered = collections.OrderedDict(first=torch.ones(1), second=torch.zeros(1))
default = collections.defaultdict(list)
default["x"].append(torch.ones(1))
many = [torch.full((1,), float(i)) for i in range(25)]
queue = collections.deque([torch.ones(1)])
mixed = [1, "two", None, torch.ones(1), [torch.ones(2)]]


@dataclass
class Layer:
    weight: torch.Tensor
    history: list = field(default_factory=list)
    options: dict = field(default_factory=dict)
    other: object = None

    def step(self):
        self.weight = self.weight * 2
        self.history.append(self.weight)
        self.options["last"] = self.weight
        return self


class Slotted:
    __slots__ = ("inner", "kept")

    def __init__(self):
        self.inner = 1


class Child(Layer):
    shared = torch.ones(3)

    @property
    def double(self):
        return self.weight * 2

    @classmethod
    def make(cls):
        return cls(torch.ones(2))


layer = Layer(torch.ones(2)).step().step()
child = Child.make()
child.step()
child.extra = torch.zeros(1)
child.other = layer
child.history.clear()
del child.options["last"]
slotted = Slotted()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleDict({"in": nn.Linear(2, 2), "out": nn.Linear(2, 1)})
        self.extra = nn.ParameterList([torch.ones(1), torch.zeros(1)])
        self.register_buffer("mean", torch.zeros(2), persistent=False)
        self.register_parameter("none", None)
        self.seen = []
        self.last = None

    def forward(self, x):
        self.last = self.blocks["in"](x)
        self.seen.append(self.last.detach())
        self.mean = self.mean * 0.9 + x.mean(0)
        return self.blocks["out"](self.last) * self.extra[0]


net = Net()
out = net(torch.randn(3, 2))
nested = nn.Sequential(collections.OrderedDict(a=nn.Linear(1, 1), b=nn.Sequential(nn.Linear(1, 1), nn.ReLU())))
twin = copy.deepcopy(net.blocks)
state = {k: v for k, v in net.state_dict().items() if "weight" in k}
stream = io.BytesIO()
torch.save(nested.state_dict(), stream)
stream.seek(0)
loaded = torch.load(stream)
again = pickle.loads(pickle.dumps(point))
ema = {name: p.detach().clone() for name, p in net.named_parameters()}
for name, p in net.named_parameters():
    ema[name].mul_(0.5).add_(p.detach(), alpha=0.5)


def fill(box, *more, key="k", **rest):
    box[key] = torch.ones(1) * len(more)
    for k, v in rest.items():
        box[k] = v
    return box


box = fill({}, 1, 2, key="n", z=torch.ones(1))
box.pop("z")
box |= {"m": torch.zeros(1)}
box.setdefault("s", torch.ones(3))
stack = [torch.ones(1)]
stack += [torch.zeros(1)]
stack.insert(0, torch.full((1,), 2.0))
stack[1:] = [torch.eye(2)]
first, *rest = stack
stack.reverse()
(left, right), last = (torch.ones(1), torch.zeros(1)), torch.ones(2)
chain = total = torch.ones(1)
total = total + 1
annotated: torch.Tensor = torch.zeros(1)
lookup = {i: t for i, t in enumerate(stack)}
for key, thing in lookup.items():
    lookup[key] = thing + 1
for point_x, box["loop"] in [(torch.ones(1), torch.zeros(1))]:
    pass
with torch.no_grad() as nothing, io.StringIO() as text:
    inside = layer.weight + 1
square = functools.partial(torch.pow, exponent=2)
squared = list(map(square, [torch.tensor(2.0), torch.tensor(3.0)]))
summed = functools.reduce(lambda p, q: p + q, squared)
picked = sorted(squared, key=lambda t: -t)[0]
size = torch.ones(2, 3).shape
top = torch.tensor([3.0, 1.0, 2.0]).topk(2)
replaced = torch.ones(1)
replaced = "text"
gone = [torch.ones(1)]
gone = None
counter = 10**30
ratio, flag, nothing_here, word = 1 / 3, True, None, "é" * 300


def make_counter():
    total = torch.zeros(1)

    def add(by):
        nonlocal total
        total = total + by
        return total

    return add


add = make_counter()
add(torch.ones(1))
counted = add(2)
del first, rest
if __name__ == "__main__":
    main_only = torch.ones(1)
