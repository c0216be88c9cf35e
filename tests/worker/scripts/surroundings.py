"""Docstring of the script."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
import traceback
import warnings

import torch

print(sorted(globals()), __name__, __doc__, __spec__, __package__, __file__ == os.path.abspath(sys.argv[0]))
print(sorted(name for name in dir() if "tutor" in name), len(sys.argv), os.path.basename(sys.path[0]))


def function(a: int = 1) -> int:
    """Docstring of a function."""
    b = a
    print(sorted(locals()), function.__code__.co_varnames, function.__code__.co_argcount)
    return b


class Class:
    """Docstring of a class."""

    kept: int = 3
    print(sorted(name for name in locals() if not name.startswith("__")))

    def method(self):
        "Docstring of a method."
        return __class__.__name__


function()
print(function.__doc__, Class.__doc__, Class.method.__doc__, Class().method())
print(inspect.getsource(function), inspect.getsource(Class), inspect.signature(function))
print(function.__code__.co_firstlineno, inspect.currentframe().f_lineno, function.__annotations__, Class.__annotations__)
print([thread.name for thread in threading.enumerate()], sys.stdin.read() == "")
print(vars(Class).keys() - {"__weakref__", "__dict__"} == {"__module__", "__doc__", "kept", "method", "__annotations__"})
logging.basicConfig(format="%(filename)s:%(lineno)d %(funcName)s %(message)s")
logging.warning("logged")


def warns():
    warnings.warn("where it is called", stacklevel=2)
    warnings.warn("here")


for _ in range(2):
    warns()
warns()
try:
    try:
        function("a" + 1)
    except TypeError as error:
        print(traceback.format_exc())
        print(error.__traceback__.tb_lineno, len(traceback.extract_tb(error.__traceback__)))
        raise ValueError("again") from error
except ValueError:
    traceback.print_exc()
    print(sys.exc_info()[2].tb_next is None)
print(sys.exc_info())
exec("made = 5; print(made)")
print(eval("made + 1"), [made for _ in range(1)])
for number in range(2):
    globals()[f"w{number}"] = torch.full((1,), float(number))
box = [torch.ones(1)]
gone = torch.ones(1)
exec("del gone")
namespace = {}
exec(compile("def inner():\n    return undefined\n", "made up", "exec"), namespace)
try:
    namespace["inner"]()
except NameError:
    traceback.print_exc()


def multi(
    a,
    b,
):
    return (
        a
        + b
    )


try:
    multi(
        1,
        "b",
    )
except TypeError:
    traceback.print_exc()

def fails():
    raise KeyError("last")


threading.excepthook = lambda args: print("thread", args.exc_type.__name__)
thread = threading.Thread(target=fails)
thread.start()
thread.join()
