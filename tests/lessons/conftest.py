"""Lessons are run here in one process after another's."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _a_figure_of_its_own() -> None:
    """plotext has one figure for all of a process: what another lesson left in it is forgotten."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotext"]:
        del sys.modules[name]
