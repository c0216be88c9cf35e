"""Every operation of torch that writes to what it is given, by all of its names: what is shown of every tensor at the
next statement is what a plain run has, under the modes in which a write may go unseen (`mutating_cases.MODES`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.sampling import options, sample
from tests.worker.mutating_arguments import arguments_for, mutating_schemas
from tests.worker.mutating_by_hand import cases_by_hand
from tests.worker.mutating_cases import Case, cases_of, script_of
from tests.worker.mutating_hints import UNDETERMINED, without_arguments
from tests.worker.plain_run import Plain, run_plainly
from tests.worker.recording import Forker
from tests.worker.statements import compare_statements

BATCH = 500
"""Cases in one script."""
OVERLOADS = 25
"""So many of them are a sample."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_mutating_operation(record: Forker, tmp_path: Path) -> None:
    schemas = mutating_schemas()
    left_out = {name for names in UNDETERMINED.values() for name in names}
    names = sample(sorted(schemas.keys() - left_out), OVERLOADS)
    found = arguments_for(names)
    unexplained = {
        name: why for name, why in found.items() if isinstance(why, str) and not without_arguments(name, why)
    }
    assert unexplained == {}
    cases = [
        case
        for name, told in found.items()
        if not isinstance(told, str)
        for case in cases_of(name, schemas[name], told)
    ]
    never = compare(cases, record, tmp_path)
    # The overload itself ran; of its names in Python some do not take these arguments.
    assert [str(case) for case in never if case.mode == "default" and case.call.startswith("torch.ops")] == []
    if options.everything:
        assert len(cases) > 13_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_writes_that_no_schema_tells_of(record: Forker, tmp_path: Path) -> None:
    cases = cases_by_hand()
    never = compare(cases, record, tmp_path)
    # In inference_mode no backward pass runs, so what follows one does not either.
    assert len([case for case in never if case.mode != "inference"]) < 0.02 * len(cases)


def compare(cases: Sequence[Case], record: Forker, folder: Path) -> list[Case]:
    """Runs them both ways; gives those that did not succeed."""
    never: list[Case] = []
    wrong: list[str] = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        path = folder / f"mutating{start}.py"
        path.write_text(script_of(batch))
        plain = run_plainly(path, folder / "plain.json", lines=True)
        assert plain.status == 0, plain.stderr
        recorded = record(path)
        assert recorded.status == 0
        wrong += [f"notice: {notice}" for notice in recorded.timeline.notices]
        differences, _ = compare_statements(recorded, plain, path.read_text())
        for difference in differences:
            function = difference.function.removeprefix("case_")
            case = batch[int(function)] if function.isdigit() else None
            wrong.append(f"{difference}\n  in {case}\n    " + "\n    ".join(case.body() if case else []))
        succeeded = done(plain, path.read_text())
        never += [case for number, case in enumerate(batch) if f"case_{number}" not in succeeded]
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:10])
    return never


def done(plain: Plain, source: str) -> set[str]:
    """The functions whose last statement was reached."""
    last = {number for number, line in enumerate(source.splitlines(), 1) if line.strip() == "done = True"}
    return {function for function, line, _, _ in plain.lines if line in last}
