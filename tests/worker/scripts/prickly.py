"""Objects that notice when somebody looks at them."""

import collections
import enum
import gc

import torch

gc.disable()  # the order in which the last ones go depends on the collections before


class Loud:
    def __init__(self, name):
        self.name = name
        self.t = torch.ones(1)

    def __getattribute__(self, name):
        if name not in ("name",):
            print("get", name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name):
        print("missing", name)
        raise AttributeError(name)

    def __eq__(self, other):
        print("eq")
        return NotImplemented

    def __hash__(self):
        print("hash")
        return 1

    def __bool__(self):
        print("bool")
        return True

    def __len__(self):
        print("len")
        return 0

    def __repr__(self):
        print("repr")
        return "Loud"

    def __del__(self):
        print("del", self.name)


class LoudList(list):
    def __getitem__(self, key):
        print("item", key)
        return super().__getitem__(key)

    def __iter__(self):
        print("iter")
        return super().__iter__()

    def __len__(self):
        print("length")
        return super().__len__()


class LoudDict(dict):
    def items(self):
        print("items")
        return super().items()

    def __iter__(self):
        print("keys")
        return super().__iter__()


class Pretender:
    @property
    def __class__(self):
        print("class?")
        return torch.Tensor

    @property
    def __dict__(self):
        print("dict?")
        return {"t": torch.ones(1)}


class Slots:
    __slots__ = ("__hidden", "a", "unset")

    def __init__(self):
        self.a = torch.ones(1)
        self.__hidden = torch.zeros(1)


class Lazy:
    @property
    def heavy(self):
        print("computed")
        return torch.ones(1)

    @classmethod
    def __class_getitem__(cls, item):
        print("class item")


class Split(str, enum.Enum):
    train = "train"

    def __repr__(self):
        print("enum repr")
        return "Split"


class Failing:
    def __getattribute__(self, name):
        raise RuntimeError("hands off")


loud = Loud("a")
kept = [Loud("b"), torch.ones(1)]
many = LoudList([torch.ones(1), torch.zeros(1)])
box = LoudDict(t=torch.ones(1))
pretender = Pretender()
slots = Slots()
lazy = Lazy()
split = {Split.train: torch.ones(1), (0, "a"): torch.ones(1), Loud("key"): torch.ones(1)}
failing = Failing()
ordered = collections.OrderedDict(a=torch.ones(1), b=torch.ones(2))
ordered.move_to_end("a")
counts = collections.Counter("abca")
loud.t
if loud:
    total = len(many)
same = loud == kept
for item in many:
    last = item
kept.append(loud)
del loud
kept.pop()
print("popped")
kept = None
print("replaced")


def local():
    inner = Loud("local")
    listed = [Loud("listed")]
    print("leaving")
    return 5


five = local()
print("left")
loud = Loud("c")
loud = Loud("d")
print("again")


class Cycle:
    def __init__(self):
        self.me = self
        self.t = torch.ones(2)


cycle = Cycle()
loop = []
loop.append(loop)
del failing, pretender
