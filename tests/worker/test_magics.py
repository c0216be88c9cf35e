"""Commands of IPython in a cell, and the Python that runs in their place."""

from __future__ import annotations

import ast

import pytest

from tutor.worker.magics import Skipped, to_python


@pytest.mark.parametrize(
    ("source", "python", "skipped"),
    [
        ("x = 5 % 3\ny = (x\n% 2)\nz = '''\n%pip install\n!ls'''", None, []),
        ("%matplotlib inline\nx = 1", "#matplotlib inline\nx = 1", []),
        ("x = 1\n%pip install a\n!ls\n%pip list", "x = 1\n#pip install a\n#ls\n#pip list",
         [("magic", "%pip"), ("shell", "!ls"), ("magic", "%pip")]),
        ("!pip install a \\\n  b it's\nx = 1", "#pip install a \n# b it's\nx = 1", [("shell", "!pip install a \\")]),
        ("!echo it's\n!echo \"\nx", "#echo it's\n#echo \"\nx", [("shell", "!echo it's"), ("shell", '!echo "')]),
        ("if x:\n    !ls\n    %matplotlib", "if x:\n    pass  # !ls\n    pass  # %matplotlib", [("shell", "!ls")]),
        ("torch.add?\n?x\nx??", "#orch.add?\n#x\n#??",
         [("help", "torch.add?"), ("help", "?x"), ("help", "x??")]),
        ("%%bash\nls\n\nx", "\n\n\n", [("magic", "%%bash")]),
        ("\n%%time\nx = 1\n%config a", "\n#%time\nx = 1\n#config a", []),
        ("%%timeit -n 10\nx", "#%timeit -n 10\nx", []),
        ("%time x = f()", "     \fx = f()", []),
        ("for i in x:\n    %timeit -n 10 -r3 f(i)", "for i in x:\n" + " " * 17 + "\f    f(i)", []),
        ("%time\nx", "#time\nx", []),
        ("await f()\nasync with a: pass", None, []),
        ("x = (", None, []),
        ("%pip install\nx = = 1", "#pip install\nx = = 1", [("magic", "%pip")]),
    ],
)  # fmt: skip
def test_to_python(source: str, python: str | None, skipped: list[tuple[str, str]]) -> None:
    found = to_python(source)
    assert found.source == (source if python is None else python)
    assert list(found.skipped) == [Skipped(*each) for each in skipped]
    assert found.source.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    "source",
    [
        "files = !ls",
        "a, b = %who_ls int",
        "if 1:\n    x['a'] = !ls | wc",
        "x = !ls \\\n  -l \\\n\n",
        "if 1:\n    x = !ls \\\n -l it's\n    y = 2",
    ],
)
def test_a_name_without_its_value_is_an_error(source: str) -> None:
    with pytest.raises(NotImplementedError, match="needs IPython or a shell"):
        exec(to_python(source).source, {})


def test_timed_code_stays_in_its_columns() -> None:
    source = "if True:\n    %time value = one + two"
    tree = ast.parse(to_python(source).source)
    node = next(node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    assert source.split("\n")[1][node.col_offset : node.end_col_offset] == "one + two"
