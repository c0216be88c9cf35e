"""In a notebook, answer the import of `IPython.display` where IPython is not installed."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from typing import Any

_PACKAGE, _NAME = "IPython", "IPython.display"
_KINDS = (
    "Audio",
    "Code",
    "IFrame",
    "Image",
    "JSON",
    "Javascript",
    "Latex",
    "Math",
    "Pretty",
    "SVG",
    "Video",
    "YouTubeVideo",
)


class _Shown:
    """What is displayed, with its data."""

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        self.data = data


class _Html(_Shown):
    def _repr_html_(self) -> str:
        return str(self.data)


class _Markdown(_Shown):
    def _repr_markdown_(self) -> str:
        return str(self.data)


class DisplayModule(MetaPathFinder, Loader):
    """Makes `IPython` a package with `display` and the classes of what it shows; there is no shell.

    Args:
        display: Shows values.
    """

    def __init__(self, display: Callable[..., None]) -> None:
        self._display = display

    def install(self) -> None:
        """Provide the modules from now on where they are not installed."""
        sys.meta_path.append(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec; None for another module."""
        is_package = fullname == _PACKAGE
        return spec_from_loader(fullname, self, is_package=is_package) if is_package or fullname == _NAME else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module."""
        names = module.__dict__
        names["display"] = self._display
        if module.__name__ == _PACKAGE:
            names["get_ipython"] = lambda: None
            return
        names["clear_output"] = lambda wait=False: None
        names["HTML"] = type("HTML", (_Html,), {"__module__": _NAME})
        names["Markdown"] = type("Markdown", (_Markdown,), {"__module__": _NAME})
        names.update((kind, type(kind, (_Shown,), {"__module__": _NAME})) for kind in _KINDS)
