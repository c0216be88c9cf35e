"""In a notebook, answer the import of `tqdm.notebook`, whose bars are widgets of Jupyter, with tqdm's text bars."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader

_NAME = "tqdm.notebook"


class TextBars(MetaPathFinder, Loader):
    """Makes `tqdm.notebook` a module with the classes of `tqdm.std`."""

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
        module.__dict__.update(tqdm=std.tqdm, tqdm_notebook=std.tqdm, trange=std.trange, tnrange=std.trange)
        module.__dict__["__all__"] = ["tqdm_notebook", "tnrange", "tqdm", "trange"]
