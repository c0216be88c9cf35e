"""Random programs of what people write: every name at every statement, and every pass, is as in a plain run
(`make fuzz-programs` runs more of them)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sampling import count, seed
from tests.worker.fuzz_programs import BATCH, Comparer
from tests.worker.random_programs import blocks_of, function_of
from tests.worker.recording import Forker

PROGRAMS = count(BATCH, 10 * BATCH)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_random_programs(record: Forker, tmp_path: Path) -> None:
    comparer = Comparer(record, tmp_path)
    first = seed() * 100_000
    for start in range(first, first + PROGRAMS, BATCH):
        programs = {number: blocks_of(number) for number in range(start, start + BATCH)}
        for number, texts in comparer.differences(programs).items():
            body = "" if number is None else function_of(number, programs[number])
            raise AssertionError("\n".join([f"program {number}:", *texts[:5], body]))
    assert comparer.compared > 300 * PROGRAMS
    assert comparer.passes > 3 * PROGRAMS
