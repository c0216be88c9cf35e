"""Imports the learner's own modules, those beside the script, with the recorder's calls in them."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import types
from collections.abc import Sequence

from tutor.worker.recorder import Recorder

_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep for path in {*sysconfig.get_paths().values(), os.path.dirname(os.__file__)} if path
)


class OwnModules:
    """A finder for `sys.meta_path`: modules below `root` that are no installed library."""

    def __init__(self, root: str, recorder: Recorder) -> None:
        self._root = os.path.realpath(root) + os.sep
        self._recorder = recorder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader) or spec.origin is None:
            return None
        place = os.path.realpath(spec.origin)
        if not place.startswith(self._root) or place.startswith(_LIBRARIES) or "site-packages" in place:
            return None
        loader = _Loader(name, spec.origin, self._root, self._recorder)
        return importlib.util.spec_from_file_location(
            name, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, root: str, recorder: Recorder) -> None:
        super().__init__(name, path)
        self._root = root
        self._recorder = recorder

    def get_code(self, fullname: str) -> types.CodeType | None:
        # Compiled anew each time: a .pyc would hold code without the recorder's calls, or with them.
        path = self.get_filename(fullname)
        source = importlib.util.decode_source(self.get_data(path))
        recorder = self._recorder
        recorder.code.names.setdefault(path, os.path.relpath(path, self._root))
        recorder.own_module(fullname)
        return recorder.code.compile(source, path)

    def exec_module(self, module: types.ModuleType) -> None:
        code = self.get_code(module.__name__)
        path = self.get_filename(module.__name__)
        assert code is not None
        frames = self._recorder.frames
        frames.module(path)
        try:
            exec(code, module.__dict__)
        finally:
            frames.end_module(path)


def install(root: str, recorder: Recorder) -> None:
    """From now on the learner's modules below `root` are recorded."""
    sys.meta_path.insert(0, OwnModules(root, recorder))
