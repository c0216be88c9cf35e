"""In a notebook, answer the import of `tqdm.notebook`, whose bars are widgets of Jupyter, with tqdm's text bars."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from typing import Any

_NAME = "tqdm.notebook"


class _Shown:
    """Takes the argument that only a widget has: whether it is shown at once."""

    def __init__(self, *args: Any, display: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class TextBars(MetaPathFinder, Loader):
    """Makes `tqdm.notebook` a module with the bars of `tqdm.std`."""

    def install(self) -> None:
        """Answer from now on."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec; None for another module."""
        return spec_from_loader(fullname, self) if fullname == _NAME else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module."""
        std = importlib.import_module("tqdm.std")
        bars = type("tqdm_notebook", (_Shown, std.tqdm), {"__module__": _NAME, "__doc__": std.tqdm.__doc__})

        def trange(*args: Any, **kwargs: Any) -> Any:
            return bars(range(*args), **kwargs)

        module.__dict__.update(tqdm=bars, tqdm_notebook=bars, trange=trange, tnrange=trange)
        module.__dict__["__all__"] = ["tqdm_notebook", "tnrange", "tqdm", "trange"]
