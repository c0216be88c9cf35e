"""Compile the learner's modules, however they are imported, with the recorder's calls in them.

The hook replaces `SourceFileLoader.get_code`. So whatever finds the file (a path, an editable install,
`importlib.util.spec_from_file_location`, `runpy`) stays as it is, and nothing of ours shows in `sys.meta_path` or in a
module's `__loader__`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from tutor.recorder.call_sites import Project
from tutor.recorder.exceptions import is_recorder_code
from tutor.recorder.recorder import Recorder

_Loader = importlib.machinery.SourceFileLoader
_plain_code: Callable[[Any, str], types.CodeType | None] = _Loader.get_code
_plain_exec: Callable[[Any, types.ModuleType], None] = _Loader.exec_module


def install(
    project: Project, recorder: Recorder, main: str, on_import: Mapping[str, Callable[[types.ModuleType], None]]
) -> None:
    """Record the project's modules from now on.

    Args:
        project: The project.
        recorder: Records them.
        main: The script, which is recorded already where `runpy` has it compiled.
        on_import: By the name of a module, what is called with it when it was imported.
    """

    def code_of(loader: _Loader, name: str) -> types.CodeType | None:
        path = loader.get_filename(name)
        is_main = path == main and sys._getframe(2).f_globals.get("__name__") == "runpy"
        if type(loader) is not _Loader or is_main or not project.is_own(path, lambda: _is_asked_by_own(recorder)):
            return _plain_code(loader, name)
        # Compiled each time: a .pyc would hold code without the recorder's calls, or leak them.
        source = importlib.util.decode_source(loader.get_data(path))
        code = recorder.code
        if path not in code.names:
            name_shown = project.name_of(path, name)
            code.names[path] = path if name_shown in code.names.values() else name_shown
        recorder.own_module(name)
        return code.compile(source, path, imported=True)

    def get_code(loader: _Loader, name: str) -> types.CodeType | None: return code_of(loader, name)  # fmt: skip

    def exec_module(loader: _Loader, module: types.ModuleType) -> None:
        _plain_exec(loader, module)
        if module.__name__ in on_import:
            on_import[module.__name__](module)

    for name, function in {"get_code": get_code, "exec_module": exec_module}.items():
        # Python leaves frames of these names out of the tracebacks of imports.
        function.__code__ = function.__code__.replace(
            co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
        )
        setattr(_Loader, name, function)


def _is_asked_by_own(recorder: Recorder) -> bool:
    """Return whether the learner's code asked for the import that runs."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and _imports(frame):
        frame = frame.f_back
    return frame is not None and id(frame.f_code) in recorder.code.own_code


def _imports(frame: types.FrameType) -> bool:
    """Return whether a frame is part of Python's import machinery or of ours."""
    code = frame.f_code
    python = code.co_filename.startswith("<frozen importlib") or frame.f_globals.get("__name__") in _IMPORTING
    return python or is_recorder_code(code)


_IMPORTING = ("importlib", "importlib.util", "runpy")
