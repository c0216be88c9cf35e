"""Decides by where a file lies whether it is the learner's own or a library's."""

from __future__ import annotations

import os
import site
import sysconfig
import tempfile
from collections.abc import Callable, Iterator

import torch

_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg")
_INSTALLED = frozenset({"site-packages", "dist-packages", "node_modules", "__pypackages__", ".tox", ".nox", ".eggs"})
"""Folders that a package manager fills."""
_COPIED = frozenset({"vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty"})
"""Folders for copies of other people's code; a package of the learner's own may have such a name too."""


class Project:
    """The learner's files are those of the script's folder, of the project around it, and of every other folder that
    modules are imported from, unless it holds libraries."""

    def __init__(self, script: str) -> None:
        self._folder = os.path.dirname(os.path.realpath(script))
        self._root = _root_of(self._folder)
        self._libraries = _libraries()
        self._passing = _passing()
        """Where libraries leave what they have generated or fetched; the script may lie there too."""
        self._kinds: dict[str, bool | None] = {}

    def is_own(self, path: str, asked_by_own: Callable[[], bool] = lambda: True) -> bool:
        """Whether a module's file is the learner's; `asked_by_own` tells whether code of theirs imports it."""
        folder = os.path.dirname(path)
        if folder not in self._kinds:
            self._kinds[folder] = self._kind(os.path.realpath(folder))
        kind = self._kinds[folder]
        return asked_by_own() if kind is None else kind

    def name_of(self, path: str, module: str) -> str:
        """What to call a file: its path below the script's folder or the project's, else the end that its module has
        in common with it."""
        place = os.path.realpath(path)
        for folder in (self._folder, self._root):
            if _is_below(place, folder):
                return os.path.relpath(place, folder)
        parts = place.split(os.sep)
        length = module.count(".") + 1 + (parts[-1] == "__init__.py")
        return os.path.join(*parts[-length:])

    def _kind(self, folder: str) -> bool | None:
        """Whether the modules in a folder are the learner's; None where that depends on who imports them."""
        installed = not _INSTALLED.isdisjoint(folder.split(os.sep))
        if installed or any(_is_below(folder, library) for library in self._libraries):
            return False
        for root in (self._folder, self._root):
            if _is_below(folder, root):
                return not any(_holds_libraries(place) for place in _between(root, folder))
        return None if any(_is_below(folder, passing) for passing in self._passing) else True


def _between(root: str, folder: str) -> Iterator[str]:
    """The folders from below `root` down to `folder`."""
    while folder != root:
        yield folder
        folder = os.path.dirname(folder)


def _holds_libraries(folder: str) -> bool:
    """Whether a folder within a project is a virtual environment, or holds copies of libraries."""
    if any(os.path.exists(os.path.join(folder, mark)) for mark in ("pyvenv.cfg", "conda-meta")):
        return True
    name = os.path.basename(folder)
    return name == "_vendor" or (name in _COPIED and not os.path.exists(os.path.join(folder, "__init__.py")))


def _root_of(folder: str) -> str:
    """The nearest folder, from this one up, that is marked as that of a project; this one where there is none.

    A home folder, the one for temporary files and the root of the file system hold many things, marked or not.
    """
    ends = {os.path.realpath(place) for place in (os.path.expanduser("~"), *_temporary(), "/tmp", os.sep)}
    place = folder
    while place not in ends:
        if any(os.path.exists(os.path.join(place, marker)) for marker in _MARKERS):
            return place
        place = os.path.dirname(place)
    return folder


def _libraries() -> tuple[str, ...]:
    """The folders of Python's own library, of what is installed, and of torch and this package wherever they lie."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [os.path.dirname(os.__file__), site.getusersitepackages(), *site.getsitepackages()]
    beside_torch = os.path.dirname(os.path.dirname(torch.__file__))
    found += [os.path.join(beside_torch, name) for name in ("torch", "torchgen", "functorch")]
    found.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return tuple({os.path.realpath(path) for path in found})


def _passing() -> list[str]:
    home = os.path.expanduser("~")
    caches = [os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), os.path.join(home, "Library", "Caches")]
    return [os.path.realpath(place) for place in (*caches, *_temporary(), torch.hub.get_dir())]


def _temporary() -> list[str]:
    """The folder for temporary files; there may be none that can be written."""
    try:
        return [tempfile.gettempdir()]
    except OSError:
        return []


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is this folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
