"""How much of the generated tests runs: a sample in `make test`, all of it in `make test-all` (`pytest --all`).

For all that a loop, a list or hypothesis generates::

    @pytest.mark.parametrize("form", sample(FORMS, 40))  # 40 of them, or all
    @settings(max_examples=count(25, 150))               # 25 examples, or 150

Tests that start whole processes take seconds each; of a file or a test of them, a sample runs::

    pytestmark = pytest.mark.sampled(6)                  # 6 of the tests in this file, or all
    @pytest.mark.sampled(2)                              # 2 of the cases of this test, or all

The same seed gives the same sample: `pytest --seed N` draws another one, and what generates programs takes `seed()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


@dataclass
class Options:
    """What was asked for on the command line; `tests/conftest.py` sets it before any test is read."""

    everything: bool = False
    seed: int = 0


options = Options()


def sample(items: Sequence[Item], size: int) -> list[Item]:
    """Draw `size` of these by the seed, in their order; all of them with `--all`."""
    if options.everything or size >= len(items):
        return list(items)
    chosen = Random(options.seed).sample(range(len(items)), size)
    return [items[index] for index in sorted(chosen)]


def count(size: int, whole: int) -> int:
    """How many to generate: `size`, or with `--all` the `whole` number."""
    return whole if options.everything else size


def seed() -> int:
    """The seed for whatever is generated."""
    return options.seed
