"""A batch that a `DataLoader` loads is one operation; the first at a place is recorded inside, with three samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker, Recording
from tests.worker.test_recorded_equals_plain import compare_names
from tutor.explain.step import plain
from tutor.text.steps import record as step_record
from tutor.trace import navigation

SCRIPT = """\
import torch, warnings
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
torch.manual_seed(0)
read = 0
scale = torch.tensor(1.0)
class Noisy(Dataset):
    def __len__(self):
        return 7
    def __getitem__(self, index):
        global read
        read += 1
        scale.mul_(2)
        warnings.warn("noisy", stacklevel=2)
        return {"x": torch.randn(3) + index, "y": index}
class Counted(IterableDataset):
    def __repr__(self):
        return "Counted"
    def __len__(self):
        return 2
    def __iter__(self):
        for k in range(5):
            yield torch.full((2,), float(k)), k
loader = DataLoader(Noisy(), batch_size=4, shuffle=True)
for epoch in range(2):
    for batch in loader:
        total = (batch["x"] * scale).sum()
        print(batch["y"].tolist(), total.item(), read)
parts = DataLoader(Counted(), batch_size=2)
size = len(parts)
for x, y in parts:
    last = x * 2
print(last.tolist(), torch.rand(1).item())
pairs = next(iter(DataLoader(TensorDataset(torch.arange(6.0)), batch_size=4, collate_fn=lambda samples: samples)))
ragged = DataLoader(Counted(), batch_size=2, collate_fn=lambda samples: torch.stack([x for x, k in samples]).sum(0))
for item in ragged:
    pass
for one in DataLoader(TensorDataset(torch.arange(2.0)), batch_size=None):
    pass
for away in DataLoader(TensorDataset(torch.arange(6.0)), batch_size=4, num_workers=1):
    pass
class Failing(Dataset):
    def __len__(self):
        return 5
    def __getitem__(self, index):
        if index == 1:
            raise OSError("unreadable")
        return torch.zeros(2)
def read_on(batches):
    count = 0
    while True:
        try:
            good = next(batches)
            count += len(good)
        except StopIteration:
            return count
        except OSError:
            pass
kept = read_on(iter(DataLoader(Failing(), batch_size=3)))
lasting = DataLoader(TensorDataset(torch.arange(5.0)), batch_size=4, num_workers=1, persistent_workers=True)
for some in lasting:
    break
for again in lasting:
    pass
del lasting
order = {"in_order": False} if "in_order" in DataLoader.__init__.__kwdefaults__ else {}
for free in DataLoader(TensorDataset(torch.arange(5.0)), batch_size=4, num_workers=1, **order):
    pass
"""
LOADS = [
    *[f"loads {size} samples: batch['x'] ({size}×3) and batch['y'] ({size})" for size in (4, 3, 4, 3)],
    *["loads 2 samples: x (2×2) and y (2)"] * 2, "loads 1 sample: x (1×2) and y (1)",
    "loads 4 samples: pairs[0][0] (scalar), pairs[1][0] (scalar), pairs[2][0] (scalar) and pairs[3][0] (scalar)",
    *["loads a batch: item (2)"] * 2, "loads a batch: item (2)",
    *["loads 1 sample: one[0] (scalar)"] * 2,
    "loads 4 samples: away[0] (4)", "loads 2 samples: away[0] (2)",
    "loads 2 samples: good (2×2)",
    "loads 4 samples: some[0] (4)", "loads 4 samples: again[0] (4)", "loads 1 sample: again[0] (1)",
    "loads 4 samples: free[0] (4)", "loads 1 sample: free[0] (1)",
]  # fmt: skip


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loads") / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def recorded(record: Forker, script: Path) -> Recording:
    return record(script, samples_loops=True)


def loads(recorded: Recording) -> list[int]:
    views = (recorded.timeline.view(step) for step in recorded.steps_of("op"))
    return [view.step for view in views if view.site is not None and view.site.op == "load"]


def at(recorded: Recording, code: str) -> int:
    """The first step of the statement that begins so."""
    return next(step for step in recorded.steps_of("line") if (recorded.code(step) or "").startswith(code))


def test_all_is_as_under_python(recorded: Recording, script: Path, tmp_path: Path) -> None:
    """The values, the random numbers, what is printed, and for which lines it is warned."""
    plainly = run_plainly(script, tmp_path / "plain.json")
    assert (recorded.status, recorded.stdout, recorded.stderr) == (plainly.status, plainly.stdout, plainly.stderr)
    compare_names(recorded.end, plainly)


def test_each_batch_is_one_step(recorded: Recording) -> None:
    timeline, steps = recorded.timeline, loads(recorded)
    assert [plain(timeline, step) for step in steps] == LOADS
    first = step_record(timeline, steps[0])
    assert (first["depth"], first["arguments"], first["code"]) == (0, {"samples": 4}, "for batch in loader:")
    assert first["iteration"] == 1
    header = at(recorded, "for batch in loader:")
    assert navigation.next_line(timeline, header) == at(recorded, "total = (")
    assert navigation.forward(timeline, steps[0] - 1, 0) == steps[0]


def test_the_first_load_opens(recorded: Recording) -> None:
    """The first three samples are recorded, and what makes a batch of all; of later loads nothing."""
    timeline, steps = recorded.timeline, loads(recorded)
    before = at(recorded, "for batch in loader:")
    inside = [timeline.view(step) for step in range(before + 1, steps[0])]
    inside = [view for view in inside if view.function not in ("<module>", "__len__")]
    assert {timeline.columns.depths[view.step - 1] for view in inside} == {1}
    ops = [view for view in inside if view.kind == "op"]
    assert [view.site and view.site.op for view in ops] == ["mul_", "randn", "add"] * 3
    assert {step_record(timeline, view.step)["parent"] for view in ops} == {"DataLoader"}
    assert before < (navigation.into(timeline, steps[0]) or 0) < steps[0]
    assert navigation.out(timeline, steps[0] - 1) == steps[0]
    assert not [view for view in map(timeline.view, range(steps[0], steps[3])) if view.function == "__getitem__"]


def test_what_a_load_changes_unseen_is_recorded(recorded: Recording) -> None:
    """Each sample doubles `scale` and counts itself."""
    steps = loads(recorded)
    for step, count in zip(steps[:4], (4, 7, 11, 14), strict=True):
        assert recorded.value("scale", step) == 2.0**count
        assert recorded.timeline.state(step).frames[0].names["read"].value == count


def test_all_records_each_sample(record: Forker) -> None:
    recorded = record(SCRIPT.partition("parts =")[0])
    assert [recorded.code(step) for step in recorded.steps_of("op")].count("scale.mul_(2)") == 14


FAILS = """\
import torch
from torch.utils.data import DataLoader, Dataset
class Bad(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return torch.zeros(3) @ torch.zeros(3 + index // 5)
for batch in DataLoader(Bad(), batch_size=2):
    pass
"""


def test_what_fails_in_a_load_that_is_not_recorded_is_located(record: Forker, tmp_path: Path) -> None:
    recorded = record(FAILS, samples_loops=True)
    (tmp_path / "script.py").write_text(FAILS)
    plainly = run_plainly(tmp_path / "script.py", tmp_path / "plain.json")
    lines = [text for text in plainly.stderr.splitlines() if "script.py" not in text]
    assert [text for text in recorded.stderr.splitlines() if "script.py" not in text] == lines
    (failed,) = recorded.steps_of("failed")
    view = recorded.timeline.view(failed)
    assert (view.line, view.function, recorded.status) == (7, "__getitem__", 1)
