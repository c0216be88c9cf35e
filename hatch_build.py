"""Compile the translations: the wheel has them, git does not."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Translations(BuildHookInterface[BuilderConfig]):
    """Run by hatchling before it builds a wheel or an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_catalogs(Path(self.root))
        build_data["artifacts"].append("*.mo")


def compile_catalogs(root: Path) -> None:
    """Compile each catalog below `root` that has changed since; a process that reads one meanwhile sees all of it."""
    for source in root.glob("tutor/locale/*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po

        with source.open("rb") as text:
            catalog = read_po(text)
        handle, name = tempfile.mkstemp(dir=source.parent)
        with os.fdopen(handle, "wb") as compiled:
            write_mo(compiled, catalog)
        os.chmod(name, 0o644)
        os.replace(name, target)
