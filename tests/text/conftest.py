"""Recordings of real runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.recording import Forker


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Records a script, or its text, in a process of its own."""
    forker = Forker(tmp_path_factory.mktemp("recorded"))
    yield forker
    forker.close()
