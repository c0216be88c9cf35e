"""What a recording is where torch lacks a private name that the recorder uses; and that they stand in one module."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.sampling import sample
from tests.worker.recording import Forker, Recording
from tests.worker.servers import ForkedServer
from tutor.check.runner import Fork, Runner
from tutor.text import steps
from tutor.trace import events as ev

ROOT = Path(__file__).parents[2]
PRIVATE = ROOT / "tutor" / "recorder" / "torch_private.py"

SCRIPT = """\
import torch
import torch.nn.functional as F
from torch.autograd.graph import saved_tensors_hooks

torch.manual_seed(0)
x = torch.tensor([2.0, 3.0], requires_grad=True)
w = torch.tensor([1.0, 4.0], requires_grad=True)

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        ctx.save_for_backward(t)
        return t * 2
    @staticmethod
    def backward(ctx, gradient):
        t, = ctx.saved_tensors
        return gradient * 2

a = Double.apply(x)
b = a * w
b.retain_grad()
b.register_hook(lambda gradient: gradient * 10)
b.grad_fn.register_hook(lambda inputs, outputs: None)
w.register_post_accumulate_grad_hook(lambda leaf: None)
with saved_tensors_hooks(lambda t: t * 1, lambda t: t):
    c = b.exp()
c.log().sum().backward()
print(x.grad.tolist(), w.grad.tolist(), b.grad.tolist())

m = torch.zeros(2, 2)
m[0] += 1
row = m[1]
row.add_(5)
torch.ops.aten.mul_.Scalar(m, 2)
loss = F.cross_entropy(m, torch.tensor([0, 1]))
sparse = torch.eye(2).to_sparse()
total = torch.vmap(lambda t: (t * 2).sum())(m)
e = torch.empty(0)
optimizer = torch.optim.SGD([x, w], lr=0.5, momentum=0.5)
optimizer.step()
print(m.tolist(), total.tolist(), x.tolist())

@torch.jit.script
def scripted(t: torch.Tensor):
    return t + 1

with torch.no_grad():
    s = scripted(w)
first, = torch.autograd.grad((x ** 3).sum(), [x], create_graph=True)
second, = torch.autograd.grad(first.sum(), [x])
print(second.tolist())
"""
PRINTED = """\
[20.0, 80.0] [40.0, 60.0] [10.0, 10.0]
[[2.0, 2.0], [10.0, 10.0]] [8.0, 40.0] [-8.0, -37.0]
[-48.0, -222.0]
"""
"""2w = 2, 8 and 2x = 4, 6 times the 10 of the hook; half a step of 20 and 80; 6x."""

COMPILED = """\
import torch
w = torch.tensor([3.0], requires_grad=True)
square = torch.compile(lambda t: t * t, backend="eager")
y = square(w)
y.backward()
print(y.item(), w.grad.item())
"""


def _names() -> dict[str, str]:
    """`NAMES` of the module, which needs no torch to be read."""
    for node in ast.parse(PRIVATE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAMES":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("no NAMES")


NAMES = _names()


class _Without(ForkedServer):
    """Asks for recordings by a torch that lacks a name."""

    without = ""

    def fork(self, request: bytes, descriptors: object) -> Fork:
        asked = {**msgspec.json.decode(request), "without": self.without}
        return super().fork(msgspec.json.encode(asked), descriptors)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[_Without]:
    server = _Without(Path(__file__).with_name("without_server.py"))
    yield server
    server.close()


def _record(server: _Without, folder: Path, without: str, script: str) -> Recording:
    server.without = without
    return Forker(Runner(server), folder)(script)


def _lines(recording: Recording) -> str:
    out = io.StringIO()
    steps.write_text(recording.timeline, out)
    return out.getvalue()


@pytest.fixture(scope="module")
def complete(server: _Without, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recording = _record(server, tmp_path_factory.mktemp("complete"), "", SCRIPT)
    assert recording.stdout == PRINTED, recording.raw["stderr"]
    return recording


@pytest.mark.parametrize("name", [*sample([*NAMES], 10), "a name that torch does not have"])
def test_without_a_name(server: _Without, complete: Recording, tmp_path: Path, name: str) -> None:
    recording = _record(server, tmp_path, name, SCRIPT)
    assert (recording.status, recording.stdout) == (0, PRINTED), recording.raw["stderr"]
    assert [gap.detail for gap in recording.of(ev.Gap)] == [gap.detail for gap in complete.of(ev.Gap)]
    assert not recording.of(ev.Failed)
    in_hooks = [("mul", "t * 1")] if name == "_push_saved_tensors_default_hooks" else []
    assert recording.ops() == [operation for operation in complete.ops() if operation not in in_hooks]
    for kind in (ev.Node, ev.Accumulate, ev.Captured, ev.Retained):
        assert len(recording.of(kind)) == len(complete.of(kind))
    for tensor in ("x", "w", "m", "row", "loss", "total", "s", "second"):
        assert recording.value(tensor) == complete.value(tensor), tensor
    for tensor in ("x", "w", "b"):
        assert recording.grad(tensor) == complete.grad(tensor), tensor
    if NAMES.get(name, "nothing").startswith("nothing"):
        assert _lines(recording) == _lines(complete)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "OptimizeContext"])
def test_compiling_without_what_compiles(server: _Without, tmp_path: Path, name: str) -> None:
    recording = _record(server, tmp_path, name, COMPILED)
    assert (recording.status, recording.stdout) == (0, "9.0 6.0\n"), recording.raw["stderr"]
    assert recording.value("y") == [9.0]
    assert recording.grad("w") == [6.0]


def test_all_names_are_listed() -> None:
    """Each private name that the module looks up says what is lacking without it, and no others do."""
    tree = ast.parse(PRIVATE.read_text(encoding="utf-8"))
    strings = {
        node.value
        for statement in tree.body
        if not (isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "NAMES")
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [name for name in NAMES if name not in strings] == []
    looked_up = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "methodcaller", "attrgetter"):
            looked_up |= {str(part.value) for part in node.args if isinstance(part, ast.Constant) and part.value}
    private = {name for name in looked_up if name.startswith("_")} - {"_autograd"}
    assert private - NAMES.keys() == set()


ALLOWED = {
    "_version",  # read on the hottest path; `torch_private` sees to it that tensors have it
    "_getframe", "_exit",  # of `sys` and `os`
    "_registry", "_shutdown", "_run_exitfuncs", "_showwarnmsg", "_extra_reducers",  # of Python's library
    "_children", "_get_module_details", "_run_module_as_main",  # of it too
    "_repr_markdown_", "_repr_html_",  # what a notebook shows of a value
    "_colorbar", "_layout_engine", "_cid_gen",  # of matplotlib
    "_extract_from_extended_frame_gen", "_target",
}  # fmt: skip
OWN = {"_run_cell", "_call_expr"}
"""Private names of our own classes, used by another in the same module."""


def _private_names(path: Path) -> Iterator[str]:
    """Names that begin with `_`, of what a module imports or is not its own, as `line: text`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            name, of_self = node.attr, isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "klass")
            if not of_self and _is_private(name) and name not in ALLOWED | OWN:
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if any(_is_private(part) for part in parts):
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("torch.") and any(_is_private(part) for part in alias.name.split(".")):
                    yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "getattr", "hasattr", "setattr", "delattr", "attrgetter", "methodcaller", "import_module",
        ):  # fmt: skip
            for part in node.args:
                text = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
                if text not in ALLOWED and any(_is_private(word) for word in text.split(".")):
                    yield f"{node.lineno}: {ast.unparse(node)}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def test_no_other_module_touches_a_private_name_of_torch() -> None:
    """No other packages than `recorder` and `worker` may import torch: the import contracts hold that. Not looked at
    is what is compared with names that torch itself tells (files and functions in the stack, functions that a mode is
    told of), since one that does not exist is never met."""
    packages = PRIVATE.parent, PRIVATE.parent.parent / "worker"
    modules = [path for package in packages for path in package.glob("*.py") if path != PRIVATE]
    assert len(modules) > 30
    assert [f"{path.name}:{name}" for path in modules for name in _private_names(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch._C._get_tracing_state()",
        "from torch._C import DisableTorchFunction",
        "from torch.utils._python_dispatch import TorchDispatchMode",
        "from torch.overrides import _pop_mode",
        "import torch._dynamo",
        "def f(t): return t._nnz()",
        "def f(t): return getattr(t, '_nnz')()",
        "from importlib import import_module\nimport_module('torch._dynamo')",
    ],
)
def test_what_would_be_noticed(tmp_path: Path, text: str) -> None:
    (tmp_path / "module.py").write_text(text, encoding="utf-8")
    assert list(_private_names(tmp_path / "module.py"))
