"""What is recorded of a tensor's elements: all of them, their statistics and a map, or why they cannot be read."""

from __future__ import annotations

import math
import statistics
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.worker.recording import Forker
from tutor.recorder.values import CODES, FULL, fingerprint_of, summary_of, unmeasured, value_of
from tutor.trace.names import names_of

SCRIPT = """
import torch
even = torch.arange(-1500.0, 1500.0).reshape(50, 60)
odd = even.clone()
odd[0, 0], odd[1, 1] = float("nan"), float("inf")
wide = torch.arange(12800.0).reshape(128, 100)
none = torch.full((2000,), float("nan"))
"""


def test_the_map_of_a_large_tensor(record: Forker) -> None:
    timeline = record(SCRIPT).timeline
    state = timeline.state(timeline.steps)
    heat = {name: state.tensors[number].value["heat"] for name, number in names_of(state).items()}
    rows, columns, data, least, most = heat["even"]
    assert (rows, columns, least, most) == (50, 60, -1500.0, 1499.0)
    for row in (0, 7, 25, 49):
        for column in (0, 31, 59):
            number = -1500 + 60 * row + column
            assert data[60 * row + column] == math.floor((number + 1500) / 2999 * 254)
    rows, columns, data, least, most = heat["odd"]
    assert (data[0], data[61], data[62]) == (255, 255, math.floor((62 - 1) / 2998 * 254))
    assert (least, most) == (-1499.0, 1499.0)
    rows, columns, data, least, most = heat["wide"]  # each second row, up to 126; columns up to 98
    assert (rows, columns, least, most) == (64, 64, 0.0, 12698.0)
    assert set(heat["none"][2]) == {255}


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (torch.tensor(2.5), 2.5),
        (torch.tensor([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (torch.tensor([True, False]), [True, False]),
        (torch.zeros(0, 3), []),
        (torch.tensor([1.5, -2.0], dtype=torch.bfloat16), [1.5, -2.0]),
        (torch.tensor([1 + 2j, 3.0]), [[1.0, 2.0], [3.0, 0.0]]),
        (torch.arange(6.0).reshape(2, 3).t(), [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]),
        (torch.ones(2, requires_grad=True), [1.0, 1.0]),
        (torch.tensor(1.0).expand(2, 2), [[1.0, 1.0], [1.0, 1.0]]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, torch.Tensor) else "",
)
def test_few_elements_are_listed(tensor: torch.Tensor, value: Any) -> None:
    assert value_of(tensor) == value


@pytest.mark.parametrize(
    ("dtype", "code"), [(torch.float32, "f"), (torch.float64, "d"), (torch.int64, "q"), (torch.uint8, "B")]
)
def test_more_elements_are_bytes_in_their_order(dtype: torch.dtype, code: str) -> None:
    tensor = torch.arange(12, dtype=dtype).reshape(3, 4).t()  # its memory has them in another order
    value = value_of(tensor)
    assert (value["shape"], value["code"]) == ((4, 3), code)
    assert struct.unpack(f"=12{code}", value["data"]) == (0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)


def test_what_has_no_code_is_listed_up_to_the_limit() -> None:
    half = torch.arange(20, dtype=torch.float16)
    assert value_of(half) == [float(number) for number in range(20)]
    assert value_of(torch.ones(FULL)) is not None
    assert value_of(torch.ones(FULL + 1)) is None


def test_a_value_is_a_copy_and_keeps_nothing() -> None:
    tensor = torch.zeros(20)
    value = value_of(tensor)
    tensor.fill_(1)
    assert value["data"] == bytes(80)
    tensor.untyped_storage().resize_(400)  # not possible where something else holds the memory


def _released() -> torch.Tensor:
    tensor = torch.ones(20)
    tensor.untyped_storage().resize_(0)
    return tensor


class Refusing(torch.Tensor):
    """A class whose elements only its own code can give."""

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError("code of the class was run")


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (lambda: torch.ones(3, device="meta"), "a meta tensor has no elements"),
        (lambda: torch.eye(3).to_sparse(), "layout sparse_coo, 3 elements stored"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "a quantized tensor"),
        (lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), "a nested tensor"),
        (torch.nn.UninitializedParameter, "not made yet"),
        (_released, "its memory was released"),
        (lambda: torch.Tensor._make_subclass(Refusing, torch.ones(2)), "Refusing, whose elements are not read"),
    ],
    ids=["meta", "sparse", "quantized", "nested", "lazy", "released", "a class"],
)
@pytest.mark.filterwarnings("ignore")  # of parts of torch that are new, or old
def test_what_cannot_be_read_says_why(make: Callable[[], torch.Tensor], note: str) -> None:
    value = value_of(make())
    assert (value["stats"], value["note"]) == (None, note)


def test_statistics_are_of_the_finite_elements() -> None:
    numbers = [float(number % 97) - 40.0 for number in range(3000)]
    tensor = torch.tensor([*numbers, math.nan, math.inf, -math.inf, math.inf])
    summary = summary_of(tensor)
    assert (summary["shape"], summary["dtype"], summary["note"]) == ((3004,), "float32", "3,004 elements")
    stats = summary["stats"]
    assert (stats["min"], stats["max"]) == (-40.0, 56.0)
    assert (stats["nan"], stats["inf"], stats["zero"]) == (1, 3, numbers.count(0.0))
    assert stats["mean"] == pytest.approx(statistics.fmean(numbers))
    assert stats["std"] == pytest.approx(statistics.stdev(numbers))


def drawn(count: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64).to(dtype)


MEASURED = {
    "normal": drawn(70_000, torch.float32),
    "a mean of nearly 0": drawn(70_000, torch.float32) - drawn(70_000, torch.float32).mean(),
    "a mean far off": drawn(5_000) + 1e6,
    "a mean farther off": drawn(70_000) * 1e-3 + 1e6,
    "float32 far off": (drawn(70_000) + 1e4).float(),
    "an outlier": torch.cat([drawn(70_000, torch.float32), torch.tensor([1e20])]),
    "one number": torch.full((3_000,), 0.1),
    "zeros": torch.zeros(3_000),
    "positive": drawn(3_000).exp(),
    "float16": drawn(3_000, torch.float16),
    "bfloat16": drawn(70_000, torch.bfloat16) + 100,
    "float16 at its end": torch.full((3_000,), 65504.0, dtype=torch.float16),
    "int64": (drawn(3_000) * 1e12).long(),
    "uint8": torch.arange(3_000).to(torch.uint8),
    "int8": torch.arange(-128, 128).to(torch.int8).repeat(9),
    "bool": torch.arange(3_000) % 3 == 0,
    "large": drawn(3_000) * 1e140,
    "small": drawn(3_000) * 1e-140,
    "nan": torch.cat([drawn(3_000, torch.float32), torch.tensor([math.nan])]),
    "inf": torch.cat([torch.tensor([-math.inf, math.inf, math.inf]), drawn(70_000, torch.float32)]),
    "nan in one part": torch.cat([drawn(70_000, torch.float32), torch.tensor([math.nan, 0.0, -0.0])]),
    "transposed": drawn(6_000, torch.float32).view(60, 100).t(),
    "strided": drawn(6_000, torch.float32)[::3],
}


@pytest.mark.parametrize("tensor", MEASURED.values(), ids=MEASURED)
def test_statistics_are_those_of_double_precision(tensor: torch.Tensor) -> None:
    numbers = [float(number) for number in tensor.flatten().tolist()]
    finite = [number for number in numbers if math.isfinite(number)]
    mean = math.fsum(finite) / len(finite)
    std = math.sqrt(math.fsum((number - mean) ** 2 for number in finite) / (len(finite) - 1))
    stats = summary_of(tensor)["stats"]
    assert (stats["min"], stats["max"]) == (min(finite), max(finite))
    rounding = 1e-15 * max(map(abs, finite))
    assert stats["mean"] == pytest.approx(mean, rel=1e-6, abs=rounding)
    assert stats["std"] == pytest.approx(std, rel=1e-6, abs=rounding)
    assert stats["nan"] == sum(map(math.isnan, numbers))
    assert stats["inf"] == sum(map(math.isinf, numbers))
    assert stats["zero"] == numbers.count(0.0)


def test_a_map_shows_evenly_spaced_elements() -> None:
    tensor = torch.arange(200.0 * 100).view(200, 100)
    rows, columns, shades, low, high = summary_of(tensor)["heat"]
    assert (rows, columns, len(shades), low) == (64, 64, 64 * 64, 0.0)
    picked = [[tensor[y * 200 // 64, x * 100 // 64].item() for x in range(64)] for y in range(64)]
    assert high == picked[-1][-1]
    assert list(shades) == [int(number / high * 254) for row in picked for number in row]
    tensor[0, 0], tensor[0, 4] = math.nan, -math.inf
    rows, columns, shades, low, high = summary_of(tensor)["heat"]
    assert (shades[0], shades[3], low) == (255, 255, 1.0)
    assert summary_of(tensor.t().contiguous().t())["heat"] == summary_of(tensor)["heat"]


def test_statistics_of_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch.randn(40, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 100
    whole = summary_of(tensor)["stats"]
    monkeypatch.setattr("tutor.recorder.values.CHUNK", 300)
    assert summary_of(tensor)["stats"] == pytest.approx(whole, rel=1e-12)
    assert summary_of(tensor.t())["stats"] == pytest.approx(whole, rel=1e-12)


def test_repeated_elements_count_as_often_as_they_are_there() -> None:
    once = torch.tensor([[1.0], [5.0], [math.nan]])
    wide, copy = once.expand(3, 700), once.repeat(1, 700)
    assert summary_of(wide)["stats"] == pytest.approx(summary_of(copy)["stats"], nan_ok=True)
    assert summary_of(wide)["heat"] == summary_of(copy)["heat"]


def test_nothing_finite_has_no_mean() -> None:
    stats = summary_of(torch.full((2000,), math.inf))["stats"]
    assert [stats[name] for name in ("min", "max", "mean", "std")] == [None] * 4
    assert stats["inf"] == 2000


def test_complex_numbers_are_measured_by_magnitude() -> None:
    summary = summary_of(torch.full((2000,), 3 + 4j))
    assert summary["stats"]["mean"] == 5.0
    assert summary["note"].endswith(", measured by magnitude")


def test_corners() -> None:
    tensor = torch.arange(8000.0).reshape(2, 40, 100)
    assert summary_of(tensor)["corners"][0] == [0.0, 1.0, 2.0, 97.0, 98.0, 99.0]
    assert len(summary_of(tensor)["corners"]) == 6  # of all its rows
    assert summary_of(tensor)["corners"][-1][-1] == 7999.0


@pytest.mark.parametrize("dtype", [*CODES, torch.bfloat16])
@pytest.mark.parametrize("shape", [(60, 40), (100, 60), (1, 3_000), (3_000, 2)])
def test_pictures_are_those_of_the_elements_in_order(shape: tuple[int, int], dtype: torch.dtype) -> None:
    tensor = (drawn(6_000) * 50).to(dtype)[: math.prod(shape)].view(shape)
    summary, rows = summary_of(tensor), tensor.tolist()
    ends = [[*range(3), *range(size - 3, size)] if size > 6 else range(size) for size in shape]
    assert summary["corners"] == [[rows[y][x] for x in ends[1]] for y in ends[0]]
    for apart in (tensor.t().contiguous().t(), torch.stack([tensor, tensor], -1)[..., 1]):
        assert not apart.is_contiguous() or 1 in shape
        other = summary_of(apart)
        assert (other["corners"], other["heat"]) == (summary["corners"], summary["heat"])


def test_small_views_are_read_in_their_order() -> None:
    tensor = torch.arange(240.0).view(6, 40)
    for view in (tensor.t(), tensor[:, ::3], tensor.view(2, 3, 40).transpose(0, 2), tensor.expand(3, 6, 40)):
        assert value_of(view) == value_of(view.clone(memory_format=torch.contiguous_format))


def test_fingerprints_tell_values_apart() -> None:
    small, large = torch.zeros(3), torch.zeros(5000)
    before = [fingerprint_of(tensor, 10_000) for tensor in (small, large)]
    assert before == [fingerprint_of(tensor, 10_000) for tensor in (small.clone(), large.clone())]
    small[1], large[4321] = 1.0, 1.0
    after = [fingerprint_of(tensor, 10_000) for tensor in (small, large)]
    assert all(first != second for first, second in zip(before, after, strict=True))
    assert fingerprint_of(large, 4000) is None


def test_what_is_not_measured_says_so() -> None:
    assert unmeasured(torch.ones(3000)) == {
        "shape": (3000,), "dtype": "float32", "stats": None, "note": "3,000 elements, not measured at this step"
    }  # fmt: skip
