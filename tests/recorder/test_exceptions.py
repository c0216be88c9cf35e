"""Exceptions: which span raised, in which frame, caught or not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.worker.recording import Forker
from tutor.trace import events as ev

FAILURES = [
    ("an operation", "y = 1; z = torch.ones(2) @ torch.ones(3)", "torch.ones(2) @ torch.ones(3)", "RuntimeError"),
    ("a method", "a = torch.ones(3).view(2)", "torch.ones(3).view(2)", "RuntimeError"),
    ("a name", "b = missing + 1", "missing", "NameError"),
    ("an index", "c = torch.ones(2)[5]", "torch.ones(2)[5]", "IndexError"),
    ("a module", "d = torch.nn.Linear(2, 3)(torch.ones(5))", "torch.nn.Linear(2, 3)(torch.ones(5))", "RuntimeError"),
    ("raise", "raise ValueError('no')", "raise ValueError('no')", "ValueError"),
    ("assert", "assert 1 > 2, 'less'", "1 > 2", "AssertionError"),
    ("a leaf in place", "w += 1", "w += 1", "RuntimeError"),
    ("backward", "w.sum().backward(torch.ones(2))", "w.sum().backward(torch.ones(2))", "RuntimeError"),
    ("in Chinese", "文 = '中文'; e = (文 + 1)", "文 + 1", "TypeError"),
    ("a header", "for i in 3: pass", "3", "TypeError"),
]


@pytest.mark.parametrize(("code", "span", "error"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
@pytest.mark.parametrize("caught", [False, True], ids=["uncaught", "caught"])
def test_the_span_that_raised(record: Forker, code: str, span: str, error: str, caught: bool) -> None:
    if caught:
        body = f"def f(w):\n    t = 0\n    {code}\ntry:\n    f(leaf)\nexcept {error}:\n    mended = torch.ones(1)\n"
    else:
        body = f"def f(w):\n    t = 0\n    {code}\nf(leaf)\n"
    recorded = record(f"import torch\nleaf = torch.ones(2, requires_grad=True)\n{body}done = 1\n")
    (failed,) = recorded.of(ev.Failed)
    assert (failed.error, failed.caught, failed.function) == (error, caught, "f")
    assert failed.file == 1
    assert failed.span is not None
    assert recorded.timeline.definitions.code(failed.file, failed.span) in (span, code)
    view = recorded.timeline.view(recorded.steps_of("failed")[0])
    assert view.line == 5
    assert recorded.status == (0 if caught else 1)
    assert bool(failed.traceback) is not caught
    started = [event for event in recorded.of(ev.FrameStart) if event.function == "f"]
    assert failed.frame == started[0].frame
    assert [frame.function for frame in recorded.end.frames] == ["<module>"]
    (cell,) = recorded.timeline.cells
    assert cell.outcome == ("ok" if caught else "failed")


def test_a_failure_deep_in_calls(record: Forker) -> None:
    recorded = record("""\
import torch
def low(t):
    return t.view(7)
def high(t):
    kept = t + 1
    return low(kept)
high(torch.ones(2))
""")
    (failed,) = recorded.of(ev.Failed)
    assert (failed.function, recorded.timeline.view(recorded.steps_of("failed")[0]).code) == ("low", "t.view(7)")
    path = next(line for line in recorded.stderr.splitlines() if line.startswith("  File")).split('"')[1]
    assert failed.traceback == recorded.stderr.replace(path, recorded.timeline.sources[1].path)
    assert [line for line in recorded.stderr.splitlines() if line.startswith("  File")][-1].endswith("line 3, in low")


def test_a_failure_caught_twice_is_told_once_each(record: Forker) -> None:
    recorded = record("""\
def f():
    try:
        {}["a"]
    except KeyError:
        raise
for i in range(2):
    try:
        f()
    except KeyError:
        pass
try:
    try:
        1 / 0
    except ZeroDivisionError as first:
        raise ValueError("second") from first
except ValueError:
    pass
""")
    assert [event.error for event in recorded.of(ev.Failed)] == [
        "KeyError", "KeyError", "ZeroDivisionError", "ValueError",
    ]  # fmt: skip
    assert recorded.status == 0


def test_a_failure_that_python_swallows_is_none(record: Forker) -> None:
    recorded = record("""\
import contextlib
with contextlib.suppress(KeyError):
    {}["a"]
found = next((i for i in [1]), None)
print(hasattr(found, "nothing"))
""")
    assert (recorded.of(ev.Failed), recorded.status, recorded.stdout) == ([], 0, "False\n")


def test_syntax_errors(record: Forker) -> None:
    recorded = record("import torch\nx = torch.ones(1)\ny = (x +\n")
    assert recorded.status != 0
    assert recorded.of(ev.Line) == []


def test_sys_exit_variants(record: Forker) -> None:
    for code, status, printed in (
        ("sys.exit()", 0, ""), ("sys.exit(3)", 3, ""), ("sys.exit('stop it')", 1, "stop it\n"), ("exit(257)", 1, ""),
        ("raise SystemExit", 0, ""), ("sys.exit(-1)", 255, ""), ("sys.exit((1, 2))", 1, "(1, 2)\n"),
    ):  # fmt: skip
        recorded = record(f"import sys\nprint('before')\n{code}\nprint('after')\n")
        assert (recorded.status, recorded.stderr, recorded.stdout) == (status, printed, "before\n"), code
        assert [cell.outcome for cell in recorded.timeline.cells] == ["exited"]
        assert recorded.timeline.run_end is not None
        assert (recorded.timeline.run_end.outcome, recorded.timeline.run_end.status) == ("exited", status)


def test_a_traceback_says_no_folder_of_this_machine(record: Forker, tmp_path: Path) -> None:
    """Own files, installed packages, the standard library: each is named as short as it is elsewhere."""
    (tmp_path / "helping").mkdir()
    (tmp_path / "helping" / "__init__.py").write_text("def help_out():\n    import json\n    json.loads('{')\n")
    script = tmp_path / "train.py"
    script.write_text("import torch\nimport helping\ntry:\n    torch.ones(2).backward()\n"
                      "except RuntimeError:\n    helping.help_out()\n")  # fmt: skip
    recorded = record(script)
    (failed,) = [event for event in recorded.of(ev.Failed) if not event.caught]
    files = [line.split('"')[1] for line in failed.traceback.splitlines() if line.startswith("  File")]
    assert {source.path for source in recorded.timeline.sources.values()} & set(files)
    assert str(tmp_path) not in failed.traceback.replace(recorded.timeline.sources[1].path, "train.py")
    assert sys.prefix not in failed.traceback
    assert sys.base_prefix not in failed.traceback
    assert "site-packages/torch/_tensor.py" in files
    assert any(file.endswith("json/__init__.py") and not file.startswith("/") for file in files)
    assert "json.decoder.JSONDecodeError" in failed.traceback


def test_a_traceback_of_groups_and_causes_says_no_folder_either(record: Forker, tmp_path: Path) -> None:
    """Nor does what an import says of the module that lacks a name."""
    (tmp_path / "helping.py").write_text("def fail():\n    raise ValueError('a')\n")
    script = tmp_path / "train.py"
    script.write_text("""\
import helping
found = []
try:
    helping.fail()
except ValueError as error:
    found.append(error)
try:
    from helping import missing
except ImportError as error:
    found.append(error)
raise RuntimeError("after") from ExceptionGroup("many", [ExceptionGroup("inner", found)])
""")
    recorded = record(script)
    (failed,) = [event for event in recorded.of(ev.Failed) if not event.caught]
    main = recorded.timeline.sources[1].path
    assert str(tmp_path) not in failed.traceback.replace(main, "train.py")
    assert "(helping.py)" in failed.traceback
    files = [line.split('"')[1] for line in failed.traceback.splitlines() if line.strip(" |").startswith("File ")]
    assert set(files) == {main, "helping.py"}
    (lacks,) = [event for event in recorded.of(ev.Failed) if event.error == "ImportError"]
    assert lacks.message == "cannot import name 'missing' from 'helping' (helping.py)"
