"""Programs whose end is odd: errors whose parts raise, hooks for exceptions, exits, streams that cannot be flushed."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from tests.sampling import sample
from tests.worker.recording import Forker
from tests.worker.servers import run_python
from tutor.trace import events as ev

ENDS = {
    "an exit with what has no text": (
        "import sys\nclass NoText:\n    def __str__(self):\n        raise ValueError\nsys.exit(NoText())\n", 1
    ),
    "an exit with a large number": ("import sys\nsys.exit(10**30)\n", 255),
    "an exit with a negative number": ("import sys\nsys.exit(-1)\n", 255),
    "an exit with a number of a class": (
        "import sys\nclass Number(int):\n    def __and__(self, other):\n        raise ValueError\n"
        "sys.exit(Number(3))\n", 3
    ),
    "an exit without standard error": ("import sys\nsys.stderr = None\nsys.exit('words')\n", 1),
    "an exit with a standard error that raises": (
        "import sys\nclass Dumb:\n    closed = True\n    def write(self, text):\n        raise KeyError(text)\n"
        "sys.stderr = Dumb()\nsys.exit('words')\n", 1
    ),
    "an error without a text": (
        "class Odd(Exception):\n    def __str__(self):\n        raise KeyError\n"
        "    __repr__ = __str__\nraise Odd(1)\n", 1
    ),
    "an error whose text exits": (
        "class Odd(Exception):\n    def __str__(self):\n        raise SystemExit(9)\nraise Odd\n", 1
    ),
    "an error whose text prints": (
        "class Odd(Exception):\n    def __str__(self):\n        print('asked')\n        return 'text'\n"
        "try:\n    raise Odd\nexcept Odd:\n    pass\nraise Odd\n", 1
    ),
    "an error of a class without a name": (
        "class Meta(type):\n    @property\n    def __name__(cls):\n        raise KeyError\n"
        "class Odd(Exception, metaclass=Meta):\n    pass\nOdd.__module__ = 5\nraise Odd('x')\n", 1
    ),
    "odd notes": ("error = ValueError('x')\nerror.__notes__ = 5\nraise error\n", 1),
    "a syntax error with odd parts": ("raise SyntaxError('x', (5, 1, 'a', '\\x00', 'b', []))\n", 1),
    "a syntax error of no place": ("raise SyntaxError('x', (None, -1, 10**20, None))\n", 1),
    "standard output cannot be flushed": (
        "import io, sys\nclass Odd(io.StringIO):\n    def flush(self):\n        raise ValueError('no flushing')\n"
        "    def __repr__(self):\n        return 'Odd'\nsys.stdout = Odd()\n", 120
    ),
    "last words go to the first standard output": (
        "import io, sys\nclass Last:\n    def __del__(self):\n        print('last words')\n"
        "last = Last()\nsys.stdout = io.StringIO()\n", 0
    ),
    "last words after an error": (
        "class Last:\n    def __del__(self):\n        print('last words')\nlast = Last()\n1 / 0\n", 1
    ),
    "last words that raise": ("class Last:\n    def __del__(self):\n        1 / 0\nlast = Last()\n", 0),
    "a generator left over by an error": (
        "def numbers():\n    try:\n        yield 1\n    finally:\n        print('closed')\n"
        "left = numbers()\nnext(left)\n1 / 0\n", 1
    ),
    "last words where a handler holds the module": (
        "import signal\nclass Last:\n    def __del__(self):\n        print('last words', Last)\n"
        "_other = Last()\nlast = Last()\nsignal.signal(signal.SIGTERM, lambda number, frame: None)\n", 0
    ),
    "standard output is taken apart": (
        "import io, sys\nraw = sys.stdout.detach()\nsys.stdout = io.TextIOWrapper(raw)\nprint('again')\n", 0
    ),
    "a hook that prints": ("import sys\nsys.excepthook = lambda *error: print(error[0].__name__)\n1 / 0\n", 1),
    "no module of its own": ("import sys\ndel sys.modules['__main__']\nprint('here')\n", 0),
    "a metaclass that raises": (
        "class Meta(type):\n    @property\n    def __module__(cls):\n        raise KeyError('no module')\n"
        "class Odd(metaclass=Meta):\n    pass\nodd = [Odd(), Odd]\nprint('made')\n", 0
    ),
    "a child that runs to the end": (
        "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nprint(os.wait()[1])\n", 0
    ),
    "an end as any other": ("print('words')\nraise ValueError('the end')\n", 1),
    "an exit as any other": ("import sys\nsys.exit('words')\n", 1),
}  # fmt: skip


def plainly(folder: Path, text: str) -> tuple[int, str, str]:
    """As `python script.py` runs it; Python's own code prints what there is of exceptions."""
    path = folder / "script.py"
    path.write_text(text)
    runner = Path(__file__).parents[1] / "fuzz" / "as_python.py"
    return run_python([str(runner), str(path)], {"PYTHONUNBUFFERED": "1"}, whole_end=True)


def without_places(errors: str) -> list[str]:
    """The lines that name no file and no object's place in memory."""
    return [line for line in errors.splitlines() if '  File "' not in line and " at 0x" not in line]


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_as_by_itself(name: str, record: Forker, tmp_path: Path) -> None:
    text, status = ENDS[name]
    if sys.version_info >= (3, 13) and name in ("an exit with what has no text", "an exit with a large number"):
        pytest.skip("Python 3.13 prints the error of an exit status again when it waits for threads")
    recorded = record(text)
    plain = plainly(tmp_path, text)
    assert plain[0] == status
    assert recorded.status == status
    assert recorded.stdout + recorded.raw["stdout"] == plain[1]
    assert without_places(recorded.stderr + recorded.raw["stderr"]) == without_places(plain[2])


SUDDEN = [
    ("os._exit(3)", 3), ("os.abort()", -6), ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    ("signal.raise_signal(signal.SIGTERM)", -15), ("os.execvp('false', ['false'])", 1),
]  # fmt: skip
"""Statements that end the process at once, and its exit status as `subprocess` gives it."""


@pytest.mark.parametrize(("end", "status"), SUDDEN)
def test_all_is_recorded_before_a_sudden_end(end: str, status: int, record: Forker) -> None:
    recorded = record(f"import os, signal\nimport torch\nw = torch.tensor(2.0, requires_grad=True)\ny = w * w\n{end}\n")
    assert recorded.status == status
    assert recorded.value("y") == 4.0


HOOKS = {
    "a hook that raises": "def hook(*error):\n    raise KeyError('in the hook')\nsys.excepthook = hook\n",
    "a hook that is no function": "sys.excepthook = None\n",
    "no hook": "del sys.excepthook\n",
    "a hook that looks at itself": "sys.excepthook = lambda *error: print(sys.exc_info(), error[1].__context__)\n",
    "a hook that raises from": "def hook(kind, error, trace):\n    raise OSError from error\nsys.excepthook = hook\n",
    "a hook that is stopped": "def hook(*error):\n    raise KeyboardInterrupt\nsys.excepthook = hook\n",
    "an audit hook that forbids": (
        "def audit(event, values):\n    if event == 'sys.excepthook':\n        raise RuntimeError\n"
        "sys.addaudithook(audit)\n"
    ),
    "an audit hook that prints": (
        "def audit(event, values):\n    if event == 'sys.excepthook':\n        print(event, values[1:3])\n"
        "sys.addaudithook(audit)\n"
    ),
    "an exit handler that asks": "atexit.register(lambda: print(sys.last_type, sys.last_value, sys.exc_info()))\n",
}
RAISED = {
    "an error whose text prints": (
        "class Prints(Exception):\n    def __str__(self):\n        print('asked')\n        return ''\nraise Prints\n"
    ),
    "an error of the parser": "compile('x = (', 'other.py', 'exec')\n",
    "a syntax error by hand": "raise SyntaxError('by hand', (None, -1, 10**9, None))\n",
    "a group": "raise ExceptionGroup('all', [ValueError(1), KeyError(2)])\n",
    "an error with a cause": "try:\n    1 / 0\nexcept ArithmeticError as error:\n    raise ValueError from error\n",
    "an exit with a text that asks": (
        "class Asks:\n    def __str__(self):\n        return str(sys.exc_info()[0])\nsys.exit(Asks())\n"
    ),
}


@pytest.mark.parametrize(("hook", "raised"), sample(list(itertools.product(HOOKS, RAISED)), 12))
def test_hooks_and_errors_end_as_by_themselves(hook: str, raised: str, record: Forker, tmp_path: Path) -> None:
    text = f"import atexit, sys\n{HOOKS[hook]}{RAISED[raised]}"
    recorded = record(text)
    status, out, errors = plainly(tmp_path, text)
    assert recorded.status == status
    assert recorded.stdout + recorded.raw["stdout"] == out
    assert without_places(recorded.stderr + recorded.raw["stderr"]) == without_places(errors)


def test_hooks_for_exceptions_end_as_pythons_own(record: Forker) -> None:
    exits = record("import sys\nsys.excepthook = lambda *error: sys.exit(5)\n1 / 0\n")
    assert exits.status == 5
    gone = record("import sys\ndel sys.excepthook\n1 / 0\n")
    assert (gone.status, gone.stderr.splitlines()[0]) == (1, "sys.excepthook is missing")
    assert gone.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    fails = record("import sys\ndef hook(*error):\n    raise KeyError('in the hook')\nsys.excepthook = hook\n1 / 0\n")
    lines = fails.stderr.splitlines()
    assert fails.status == 1
    assert lines[0] == "Error in sys.excepthook:"
    assert "KeyError: 'in the hook'" in lines
    assert "Original exception was:" in lines
    assert "tutor" not in fails.stderr
    (failed,) = fails.of(ev.Failed)
    assert failed.error == "ZeroDivisionError"


def test_what_is_told_of_an_error_whose_parts_raise(record: Forker) -> None:
    recorded = record(ENDS["an error of a class without a name"][0])
    (failed,) = recorded.of(ev.Failed)
    assert (failed.error, failed.message) == ("Odd", "x")
    assert "line 8, in <module>" in failed.traceback
    (failed,) = record(ENDS["odd notes"][0]).of(ev.Failed)
    assert (failed.error, failed.message) == ("ValueError", "x")
    (failed,) = record(ENDS["a syntax error with odd parts"][0]).of(ev.Failed)
    assert (failed.error, failed.traceback.splitlines()[-1]) == ("SyntaxError", "SyntaxError")


def test_a_hook_that_answers_wrongly_is_told_of_by_its_name(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.ones(2, requires_grad=True)
def halves(grad):
    return torch.ones(3)
w.register_hook(halves)
try:
    (w * 2).sum().backward()
except RuntimeError as error:
    print(error)
""")
    assert recorded.stdout == "hook 'halves' has changed the size of value\n"


def test_what_a_tensor_repeats_is_measured_once(record: Forker) -> None:
    recorded = record("""\
import torch
w = torch.tensor([[1.0], [3.0], [float("inf")]])
wide = w.expand(3, 10**12)
windows = torch.ones(100_000).as_strided((50_000, 50_000), (1, 1))
few = w[:2].expand(2, 600)
kept = few.contiguous()
""")
    state = recorded.end
    names = recorded.names()
    wide, windows, few, kept = (state.tensors[names[name]].value for name in ("wide", "windows", "few", "kept"))
    assert wide["stats"]["mean"] == 2.0
    assert wide["stats"]["inf"] == 10**12
    assert windows["stats"] is None
    assert few["stats"] == pytest.approx(kept["stats"])
    assert few["corners"] == kept["corners"]
