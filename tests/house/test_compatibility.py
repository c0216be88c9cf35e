"""That `doctor` knows the versions that were tested, as `docs/compatibility.md` has them."""

from __future__ import annotations

from tests.compat.__main__ import ENVIRONMENTS, TABLE, tested
from tutor.text.doctor import TESTED


def test_doctor_has_the_versions_of_the_table() -> None:
    assert tested() == set(TESTED)
    assert len(TESTED) == len(ENVIRONMENTS)


def test_the_table_has_a_row_for_each_environment() -> None:
    text = TABLE.read_text(encoding="utf-8")
    for name, (python, torch) in ENVIRONMENTS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert f"| {python}" in row
        assert f"| {torch}" in row
