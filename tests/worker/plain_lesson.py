"""Runs a lesson with exercises as plain Python: `python plain_lesson.py CELLS`, a file with a JSON list of its cells.

In place of a check that fails comes the lesson's solution, without a word, where other cells follow.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

import torch


def run(path: str, cells: list[dict[str, Any]]) -> None:
    """Each cell: `kind`, `source` and `line`, its first in the file; an exercise also has `solution` and `check`."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"], names = main, main.__dict__
    names.update(__file__=path, __builtins__=__builtins__)
    sys.argv, sys.path[0] = [path], os.path.dirname(path)

    def execute(cell: dict[str, Any], names: dict[str, Any]) -> None:
        exec(compile("\n" * (cell["line"] - 1) + cell["source"], path, "exec"), names)

    def passes(check: dict[str, Any]) -> bool:
        before = torch.get_rng_state(), random.getstate()
        try:
            with silence():
                execute(check, dict(names))
        except Exception:
            return False
        finally:
            torch.set_rng_state(before[0])
            random.setstate(before[1])
        return True

    for cell in cells:
        if cell["kind"] != "exercise":
            execute(cell, names)
            continue
        before = torch.get_rng_state(), random.getstate()
        try:
            execute(cell, names)
            solved = passes(cell["check"])
        except Exception as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
                trace = trace.tb_next
            traceback.print_exception(type(error), error, trace)
            solved = False
        if not solved and cell is not cells[-1]:
            torch.set_rng_state(before[0])
            random.setstate(before[1])
            with silence():
                execute(cell["solution"], names)
            passes(cell["check"])


@contextlib.contextmanager
def silence() -> Iterator[None]:
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with out, err, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        told = json.load(file)
    run(told["path"], told["cells"])
