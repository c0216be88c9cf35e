"""Runs a file as `python FILE` does, down to what is printed of an exception: `as_python.py FILE`.

For a process that has torch already, as those of fork servers have: Python's own start would import it again.
"""

from __future__ import annotations

import ctypes
import os
import sys
import types
from importlib.machinery import SourceFileLoader


def run(path: str) -> int:
    """What `PyRun_SimpleFile` gives: 0, or -1 after an exception."""
    sys.argv = [path]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __annotations__={}, __loader__=SourceFileLoader("__main__", path))
    sys.path[0] = ""  # as the folder of `path` is where we stand
    name = os.path.abspath(path).encode()
    open_file = ctypes.CDLL(None).fopen
    open_file.restype = ctypes.c_void_p
    run_file = ctypes.pythonapi.PyRun_SimpleFileExFlags
    run_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    return int(run_file(open_file(name, b"rb"), name, 1, None))


if __name__ == "__main__":
    status = run(sys.argv[1])
    sys.exit(1 if status else 0)
