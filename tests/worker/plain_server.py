"""Runs programs as `python` would, each in a fork of one process that has imported torch: `python plain_server.py
SOCKET`, with requests as JSON: the words after `python`, the environment and the folder. Descriptors after those of
standard output and error become more words. A request without words makes the fork a server too, at its descriptor.

Nothing of gradtutor's is in such a process, but the loop that has forked it, and that is forgotten.
"""

from __future__ import annotations

import atexit
import gc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import threading
import types
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401 - any optimizer needs it

from tests.worker.huge_pages import take_huge_pages
from tutor.worker import fork_server


def main() -> None:
    descriptors = [int(sys.argv[1])]
    request: dict[str, Any] = {}
    while "program" not in request:
        take_huge_pages()
        text, descriptors = fork_server.serve(*descriptors)
        request = json.loads(text)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "tutor")]:
        del sys.modules[name]
    if request["program"][0] == "-P":  # it imports gradtutor again, and with it the finder of its modules
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__module__ != "tutor.worker"]
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    fork_server.print_to(descriptors[:2])
    fork_server.reseed()
    customize()
    names, status = run([*request["program"], *map(str, descriptors[2:])])
    if not request["whole_end"]:
        end(names, status)
    sys.exit(status)


def customize() -> None:
    """What Python does before it runs a program."""
    place = Path(__file__).with_name("plain") / "sitecustomize.py"
    spec = importlib.util.spec_from_file_location("sitecustomize", place)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["sitecustomize"] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)


def run(program: list[str]) -> tuple[dict[str, Any], int]:
    """As `python [-P] FILE ARGUMENTS…`, but for a stack that is four calls deeper. Return its names and exit status."""
    if program[0] == "-P":
        del program[0]
    else:
        sys.path.insert(0, os.path.dirname(os.path.realpath(program[0])))
    path = program[0]
    main = types.ModuleType("__main__")
    names: dict[str, Any] = main.__dict__
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    names.update(__file__=path, __builtins__=__builtins__, __annotations__={}, __cached__=None, __loader__=loader)
    sys.modules["__main__"] = main
    sys.argv = program
    try:
        exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), names)
    except Exception as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this function
        sys.excepthook(type(error), error, error.__traceback__)
        return names, 1
    return names, 0


def end(names: dict[str, Any], status: int) -> None:
    """Do what Python does at its end, but keep its modules: freeing torch takes longer than most programs run."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for name in list(names):
        if name != "__builtins__":
            names[name] = None
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
