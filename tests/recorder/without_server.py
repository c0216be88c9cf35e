"""Records scripts with a torch that lacks a name: `python without_server.py SOCKET`, with requests as
`tutor.worker.fork_server` has them, which say the name in `without`.

The name is taken away from `tutor.recorder.torch_private` alone, whose `getattr`, `dir` and `import_module` are others:
torch itself needs most of them.
"""

from __future__ import annotations

import builtins
import importlib
import json
import sys
import types
from importlib.util import find_spec, module_from_spec
from typing import Any

from tutor.worker import fork_server

_MODULE = "tutor.recorder.torch_private"
_MISSING = object()


def main() -> None:
    importlib.import_module("torch._dynamo")  # as each optimizer does, and it takes long
    text, descriptors = fork_server.serve(int(sys.argv[1]))
    take_away(json.loads(text)["without"])
    fork_server.record(text, descriptors)


def take_away(taken: str) -> None:
    """Import the module as in a torch that lacks what is called `taken`, or begins so where that ends with `_`."""

    def is_taken(name: str) -> bool:
        return bool(taken) and (name == taken or (taken.endswith("_") and name.startswith(taken)))

    def getattr_without(owner: Any, name: str, default: Any = _MISSING) -> Any:
        found = default if is_taken(name) else builtins.getattr(owner, name, default)
        if found is _MISSING:
            raise AttributeError(name)
        return found

    def dir_without(owner: Any) -> list[str]:
        return [name for name in dir(owner) if not is_taken(name)]

    def import_without(name: str) -> Any:
        if is_taken(name):
            raise ImportError(name)
        return importlib.import_module(name)

    assert _MODULE not in sys.modules
    spec = find_spec(_MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_MODULE] = module
    loader: Any = spec.loader
    # Its own imports would replace what is set before them, so they are put in where it has imported.
    source = loader.get_source(_MODULE).replace("\nfrom importlib import import_module\n", "\n")
    vars(module).update({"getattr": getattr_without, "dir": dir_without, "import_module": import_without})
    if taken == "_frames_up":
        vars(module)["signature"] = lambda function: types.SimpleNamespace(parameters={})
        source = source.replace("\nfrom inspect import signature\n", "\n")
    exec(compile(source, spec.origin or "", "exec"), vars(module))


if __name__ == "__main__":
    main()
