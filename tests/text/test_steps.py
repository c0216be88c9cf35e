"""Steps as text and as JSON: the fields that others rely upon."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.worker.recording import Forker, Recording
from tutor.text import steps
from tutor.trace.timeline import Timeline

COMMON = {
    "step", "kind", "cell", "file", "line", "span", "code", "function", "depth", "iteration", "pass", "text",
}  # fmt: skip
OWN = {
    "op": {"op", "inputs", "output", "inplace", "parent", "arguments"},
    "node": {"node", "grad_outputs", "grad_inputs", "rule"},
    "accumulate": {"tensor", "old", "incoming", "new", "parts"},
    "captured": {"tensor", "value"},
    "retained": {"tensor", "value"},
    "hook": {"tensor", "hook", "before", "after"},
    "backward": {"call", "roots", "retain_graph", "create_graph"},
    "failed": {"error", "message", "explanation"},
    "cell_end": {"outcome"},
}

TWO_PATHS = """\
import torch
x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)
y = (x + w) * (w + 1)
y.backward()
"""

ALL_KINDS = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
c = torch.tensor([1 + 2j], requires_grad=True)
def half(t):
    return t / 2
for i in range(2):
    h = half(w)
    h.retain_grad()
    h.register_hook(lambda g: g * float("inf"))
    (h * h).backward(retain_graph=True)
(c * c).backward(torch.ones(1, dtype=torch.complex64))
torch.autograd.grad(h, [w], create_graph=True)
big = torch.ones(50, 50, requires_grad=True)
big.sum().backward()
w -= 1
"""


def objects(timeline: Timeline) -> list[dict[str, Any]]:
    out = io.StringIO()
    steps.write_json(timeline, out)
    return [json.loads(text, parse_constant=_no_constant) for text in out.getvalue().splitlines()]


def _no_constant(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


@pytest.fixture(scope="module")
def two_paths(record: Forker) -> list[dict[str, Any]]:
    return objects(record(TWO_PATHS).timeline)


@pytest.fixture(scope="module")
def all_kinds(record: Forker) -> Recording:
    return record(ALL_KINDS)


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in found if one["kind"] == kind]


def test_every_kind_has_its_fields(all_kinds: Recording) -> None:
    found = objects(all_kinds.timeline)
    assert [one["step"] for one in found] == list(range(1, all_kinds.timeline.steps + 1))
    kinds = {one["kind"] for one in found}
    assert kinds == {*OWN, "cell", "line", "backward_end"}
    for one in found:
        assert one.keys() >= COMMON | OWN.get(one["kind"], set()), one
        assert isinstance(one["text"], str)
        assert one["text"]
        assert "\n" not in one["text"]


def test_operations_with_their_places(two_paths: list[dict[str, Any]]) -> None:
    add, inner, mul = of(two_paths, "op")[2:]
    assert (add["op"], add["code"], add["inputs"], add["output"]) == ("add", "x + w", ["x", "w"], None)
    assert (inner["op"], inner["code"], inner["inputs"]) == ("add", "w + 1", ["w", "1"])
    assert (mul["op"], mul["code"], mul["output"], mul["depth"]) == ("mul", "(x + w) * (w + 1)", "y", 0)
    assert all(name.startswith("%") for name in mul["inputs"])
    assert (add["line"], add["span"], add["inplace"], add["function"]) == (4, [4, 5, 4, 10], False, "<module>")
    assert add["file"].endswith("script.py")


def test_the_backward_pass(two_paths: list[dict[str, Any]]) -> None:
    (begin,) = of(two_paths, "backward")
    assert (begin["call"], begin["roots"], begin["retain_graph"], begin["pass"]) == ("backward", ["y"], False, 1)
    nodes = of(two_paths, "node")
    assert nodes[0]["node"] == "MulBackward0"
    assert nodes[0]["grad_outputs"] == [[1.0]]
    assert nodes[0]["grad_inputs"] == [[2.0], [3.0]]
    assert sorted(node["node"] for node in nodes[1:]) == ["AddBackward0", "AddBackward0"]
    leaves = {one["tensor"]: one for one in of(two_paths, "accumulate")}
    assert (leaves["w"]["old"], leaves["w"]["incoming"], leaves["w"]["new"]) == (None, [5.0], [5.0])
    assert sorted(leaves["w"]["parts"]) == [["AddBackward0", [2.0]], ["AddBackward0", [3.0]]]
    assert (leaves["x"]["incoming"], leaves["x"]["parts"]) == ([2.0], [["AddBackward0", [2.0]]])


def test_null_where_nothing_applies(two_paths: list[dict[str, Any]]) -> None:
    cell = two_paths[0]
    assert (cell["kind"], cell["cell"]) == ("cell", 1)
    assert [cell[key] for key in ("line", "span", "code", "function", "depth", "iteration", "pass")] == [None] * 7
    assert two_paths[-1]["outcome"] == "ok"


def test_odd_numbers(all_kinds: Recording) -> None:
    found = objects(all_kinds.timeline)
    assert of(found, "hook")[0]["after"] == ["inf"]
    assert of(found, "retained")[0]["value"] == ["inf"]
    complex_ones = [one for one in of(found, "accumulate") if one["tensor"] == "c"]
    assert complex_ones[0]["new"] == [[2.0, -4.0]]
    big = next(one for one in of(found, "accumulate") if one["tensor"] == "big")
    assert big["new"]["shape"] == [50, 50]
    assert set(big["new"]) == {"shape", "dtype", "stats", "note"}
    assert of(found, "accumulate")[1]["old"] is not None


def test_loops_functions_and_failures(all_kinds: Recording) -> None:
    found = objects(all_kinds.timeline)
    halves = [one for one in of(found, "op") if one["code"] == "t / 2"]
    assert [(one["function"], one["inputs"], one["iteration"]) for one in halves] == [
        ("half", ["t", "2"], halves[0]["iteration"]), ("half", ["t", "2"], halves[1]["iteration"]),
    ]  # fmt: skip
    assert [one["iteration"] for one in of(found, "line") if one["line"] == 7] == [1, 2]
    (failed,) = of(found, "failed")
    assert (failed["error"], failed["line"], failed["code"]) == ("RuntimeError", 15, "w -= 1")
    assert failed["message"].startswith("a leaf Variable that requires grad is being used in an in-place operation")
    assert failed["explanation"].startswith("w is a leaf that requires grad")


def test_text_is_aligned_and_on_one_line_each(all_kinds: Recording) -> None:
    out = io.StringIO()
    steps.write_text(all_kinds.timeline, out)
    lines = out.getvalue().splitlines()
    assert len(lines) == all_kinds.timeline.steps
    width = len(str(len(lines)))
    for line, one in zip(lines, objects(all_kinds.timeline), strict=True):
        assert line[: width + 2].split() == [str(one["step"])]
        assert line[width + 12 :].split()[0] == one["kind"]


def test_a_learners_escapes_are_harmless(record: Forker) -> None:
    recording = record('import torch\nname = "\\x1b[31m[red]w[i]"; raise ValueError(name)\n')
    out = io.StringIO()
    steps.write_text(recording.timeline, out)
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[31m[red]w[i]" in out.getvalue()
