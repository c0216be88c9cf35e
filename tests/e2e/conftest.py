"""Terminals for a test, each with a home of its own; none outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.e2e.terminal import GRADTUTOR, Terminal

Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts gradtutor with these arguments in a terminal, 120x36 if nothing else is said."""
    with ExitStack() as stack:

        def begin(*arguments: str, columns: int = 120, rows: int = 36, **env: str) -> Terminal:
            terminal = Terminal((*GRADTUTOR, *arguments), tmp_path, columns=columns, rows=rows, env=env)
            return stack.enter_context(terminal)

        yield begin


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[Start]:
    """Starts gradtutor as `start` does, with workers that are forks of the tests' server: none imports torch."""
    with ExitStack() as stack:

        def begin(*arguments: str, columns: int = 120, rows: int = 36, **env: str) -> Terminal:
            process = inherited(env)
            terminal = Terminal((*COMMAND, *arguments), tmp_path, columns=columns, rows=rows, **process)
            return stack.enter_context(terminal)

        yield begin
