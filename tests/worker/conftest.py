"""Recordings for the tests of the recorder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.recording import Forker


@pytest.fixture(scope="session", autouse=True)
def same_bits() -> Iterator[None]:
    """Where a block lies in memory decides which of its routines MKL takes, and so the last bit, from run to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MKL_CBWR", "COMPATIBLE")
        yield


@pytest.fixture(scope="session")
def record(same_bits: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Records a script, or its text, in a process of its own."""
    forker = Forker(tmp_path_factory.mktemp("recorded"))
    yield forker
    forker.close()
