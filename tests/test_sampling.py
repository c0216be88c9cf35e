"""A sample is a part, always the same one for a seed; `--all` runs the rest too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sampling
from tests.sampling import Options, count, sample, seed

pytest_plugins = ["pytester"]

ITEMS = [f"item {number}" for number in range(50)]

GENERATED = """
import pytest
from hypothesis import given, settings, strategies as st
from tests.sampling import count, sample

def write(*what):
    with open("seen", "a") as file:
        print(*what, file=file)

@pytest.mark.parametrize("number", sample(range(40), 4))
def test_number(number):
    write("number", number)

@pytest.mark.sampled(2)
@pytest.mark.parametrize("number", range(9))
def test_case(number):
    write("case", number)

@given(st.integers(0, 1_000_000))
def test_by_default(number):
    write("default", number)

@settings(max_examples=count(5, 30), database=None)
@given(st.integers(0, 1_000_000))
def test_so_many(number):
    write("count", number)
"""


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Options:
    """Options of this test's own."""
    options = Options()
    monkeypatch.setattr(sampling, "options", options)
    return options


def test_a_sample_is_a_part_in_the_same_order(chosen: Options) -> None:
    part = sample(ITEMS, 10)
    assert len(set(part)) == 10
    assert part == [item for item in ITEMS if item in part]
    assert sample(ITEMS, 10) == part
    assert sample(ITEMS[:3], 10) == ITEMS[:3]
    assert (sample([], 10), sample(ITEMS, 0)) == ([], [])
    assert (count(10, 50), seed()) == (10, 0)


def test_another_seed_draws_another_sample(chosen: Options) -> None:
    first = sample(ITEMS, 10)
    chosen.seed = 1
    assert sample(ITEMS, 10) != first
    assert seed() == 1


def test_everything_is_in_some_sample(chosen: Options) -> None:
    drawn: set[str] = set()
    for chosen.seed in range(60):
        drawn.update(sample(ITEMS, 10))
    assert drawn == set(ITEMS)


def test_all_is_all(chosen: Options) -> None:
    chosen.everything = True
    assert sample(ITEMS, 10) == ITEMS
    assert count(10, 50) == 50


@pytest.fixture
def generated(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite of generated tests with the options of this one."""
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(GENERATED)
    return pytester


def seen(pytester: pytest.Pytester, *options: str) -> dict[str, list[int]]:
    """What the tests of a run have noted, by test; `said` is the line on the sample."""
    noted = pytester.path / "seen"
    noted.unlink(missing_ok=True)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)
    assert result.ret == 0
    assert [line for line in result.outlines if line.startswith("generated tests:")]
    found: dict[str, list[int]] = {}
    for line in noted.read_text().splitlines():
        name, _, number = line.rpartition(" ")
        found.setdefault(name, []).append(int(number))
    return found


@pytest.mark.slow
def test_a_run_takes_the_sample_of_its_seed(generated: pytest.Pytester) -> None:
    first, again, other = seen(generated), seen(generated, "-n2"), seen(generated, "--seed=7")
    assert {name: sorted(numbers) for name, numbers in first.items()} == {
        name: sorted(numbers) for name, numbers in again.items()
    }
    assert {name: len(numbers) for name, numbers in first.items()} == {
        "number": 4, "case": 2, "default": 25, "count": 5,
    }  # fmt: skip
    assert first.keys() == other.keys()
    assert first != other  # hypothesis may draw the same few numbers twice


@pytest.mark.slow
def test_a_run_of_all_takes_the_whole(generated: pytest.Pytester) -> None:
    found = seen(generated, "--all", "--seed=3")
    assert sorted(found["number"]) == list(range(40))
    assert sorted(found["case"]) == list(range(9))
    assert (len(found["default"]), len(found["count"])) == (100, 30)
