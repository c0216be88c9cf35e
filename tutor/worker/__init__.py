"""The process around the recorder: starts a run, carries its events, ends it.

A program may replace functions of Python (`builtins.len = …`), which the recorder must not call then. So the modules of
gradtutor that are imported after this package have a copy of `builtins`, made when it was imported.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_BUILTINS = dict(vars(builtins))


class _Loader(SourceFileLoader):
    """Loads a module with the copy of `builtins`."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = _BUILTINS
        super().exec_module(module)


class _Finder:
    """Finds modules of gradtutor as Python does, with the loader above."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("tutor."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, _Finder)
