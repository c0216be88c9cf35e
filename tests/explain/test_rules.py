"""Rules against the engine: each is claimed where it holds, and never where it does not."""

from __future__ import annotations

import math
from itertools import accumulate

import pytest

from tests.explain import forms
from tests.explain.explained import line
from tests.explain.families import REST, RULED, script
from tests.sampling import sample
from tests.worker.recording import Forker, Recording
from tutor.explain import plain
from tutor.explain.node import NodeSummary, rule_json, summarize_node
from tutor.explain.rules.arrays import Grid
from tutor.explain.rules.registry import RULES, Explanation, NodeView, Operand, Share, elementwise, sparse
from tutor.explain.verify import find_terms, work_out_element

SCALARS = """\
import torch
torch.manual_seed(SEED)
def leaf():
    return (torch.rand(SHAPE) + 0.5).requires_grad_()
c = 1.5
for turn in range(2):
    a, b, t = leaf(), leaf(), leaf()
    for result in (
        a + b, 1 + a, a + 2, a - b, 3 - a, a - c, a * b, 2 * a, a * c, a / b, a / 4, -a, a ** 3, a ** 0.5, a ** -1,
        a.relu(), (-a).relu(), a.exp(), a.log(), a.sigmoid(), a.tanh(), a.mean(), a.sum(), a * a,
        torch.add(a, b), torch.mul(a, c), a.add(b), torch.nn.functional.mse_loss(a, t),
    ):
        result.sum().backward()
"""

MATRICES = """\
import torch
from torch import nn
torch.manual_seed(SEED)
A, B, C = (torch.randn(shape, requires_grad=True) for shape in ([2, 3], [3, 4], [4]))
net = nn.Linear(3, 4)
for result in (A @ B, A.mm(B), torch.addmm(C, A, B), net(A), nn.functional.linear(A, net.weight), A * C[:3], A / C[0],
               torch.linalg.lu(A @ A.T)[1]):
    result.sum().backward()
"""

STORIES = (
    "AddBackward0", "SubBackward0", "RsubBackward1", "MulBackward0", "DivBackward0", "NegBackward0", "PowBackward0",
    "SumBackward0", "MeanBackward0", "ReluBackward0", "ExpBackward0", "LogBackward0", "SigmoidBackward0",
    "TanhBackward0", "MseLossBackward0",
)  # fmt: skip

RARE = {
    "ReshapeAliasBackward0", "HardsigmoidBackward0", "MkldnnRnnLayerBackward0",
    "ScaledDotProductFlashAttentionBackward0", "ScaledDotProductEfficientAttentionBackward0",
    "ScaledDotProductCudnnAttentionBackward0",
}  # fmt: skip
"""Nodes of other versions of torch and of CUDA; what torch works out with 1/6 as a float32 whatever the dtype; and what
is one node for float32 alone."""


def stories(recording: Recording) -> list[tuple[int, NodeSummary]]:
    told = [(step, summarize_node(recording.timeline, step)) for step in recording.steps_of("node")]
    return [(step, one) for step, one in told if one is not None]


@pytest.fixture(scope="module")
def matrices(record: Forker) -> Recording:
    return record(MATRICES.replace("SEED", "3"))


@pytest.mark.parametrize(
    ("seed", "shape"), [(0, "[]"), (1, "[1]"), (2, "[3]"), (3, "[2, 3]"), (4, "[1], dtype=torch.float64")]
)
def test_every_rule_is_claimed_where_it_holds(record: Forker, seed: int, shape: str) -> None:
    recording = record(SCALARS.replace("SEED", str(seed)).replace("SHAPE", shape))
    assert recording.status == 0
    told = stories(recording)
    assert {one.node for _, one in told} >= set(STORIES)
    for step, one in told:
        if one.node in RULES:
            assert len(one.claims) == len(one.sent), (recording.code(step), one)


def test_rules_for_matrices(matrices: Recording) -> None:
    assert matrices.status == 0
    told = [one for _, one in stories(matrices) if one.node in ("MmBackward0", "AddmmBackward0")]
    assert len(told) == 6
    assert all(len(one.claims) == len(one.sent) > 0 for one in told)
    said = {text for step, _ in stories(matrices) for text, _ in line(matrices.timeline, step)}
    assert {"A·B + C", "grad(A) = G·Bᵀ", "grad(B) = Aᵀ·G", "3×2 · 2×4 → 3×4"} <= said
    assert any(text.endswith(" = G·net.weight") for text in said)


def test_the_rest_claims_nothing_and_shows_its_numbers(matrices: Recording) -> None:
    (step, one) = next((step, one) for step, one in stories(matrices) if one.node == "LinalgLuBackward0")
    assert not one.claims
    assert plain(matrices.timeline, step).startswith("LinalgLuBackward0: the gradient ")
    assert rule_json(matrices.timeline, step) is None


def test_a_rule_that_is_wrong_is_not_believed(record: Forker, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import torch\nx = torch.tensor(2., requires_grad=True)\ny = x.exp()\ny.backward()\n"
    recording = record(code)

    def wrong(node: NodeView) -> Explanation:
        return Explanation("2·x", [elementwise(node.operands[0], "2", Grid.full((), 2.0))])

    (step,) = recording.steps_of("node")
    assert "∂y/∂x = y" in "".join(text for text, _ in line(recording.timeline, step))
    monkeypatch.setitem(RULES, "ExpBackward0", wrong)
    assert line(record(code).timeline, step) == [
        ("ExpBackward0", "node"), (" · ", "quiet"), ("1 arrived", "grad"), (" · ", "quiet"),
        ("grad(x) = 7.3891", "grad"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [
        "y = torch.add(a, b, alpha=2)",
        "y = (a - 2) ** 0.5 + b",  # nan
        "y = a * torch.tensor(1 + 2j)",  # complex numbers
        "y = 3 / a",  # two nodes for one operation
        "y = a * torch.tensor([1., 2]).to_sparse()",
    ],
)
def test_nothing_is_claimed_that_is_not_known(record: Forker, code: str) -> None:
    recording = record(
        "import torch\na, b = (torch.tensor([1.5, 2.5], requires_grad=True) for _ in range(2))\n"
        f"{code}\ny.abs().sum().to_dense().backward()\n"
    )
    for step, one in stories(recording):
        assert len(one.claims) in (0, len(one.sent))
        assert plain(recording.timeline, step)
        if (one.node, code[:13]) == ("DivBackward0", "y = a / (a - "):
            assert not one.claims


@pytest.mark.parametrize(("seed", "dtype"), sample([(0, "float32"), (1, "float32"), (2, "float64")], 1))
def test_every_family_on_random_inputs(record: Forker, seed: int, dtype: str) -> None:
    all_are_claimed(record(script(RULED, seed, dtype)))


@pytest.mark.parametrize(("seed", "dtype"), sample([(3, "float32"), (4, "float64")], 1))
def test_every_form_on_random_inputs(record: Forker, seed: int, dtype: str) -> None:
    nodes = all_are_claimed(record(forms.script(seed, dtype)))
    nodes |= all_are_claimed(record(script(RULED, seed, dtype)))
    assert set(RULES) - nodes - RARE - forms.LACKING == set()


def all_are_claimed(recording: Recording) -> set[str]:
    """That each node's rule gives all that the engine sent; the names of the nodes."""
    assert recording.status == 0, recording.stderr
    told = stories(recording)
    for step, one in told:
        assert one.node in RULES
        assert len(one.claims) == len(one.sent), (recording.code(step), one)
        if not one.sent:
            continue
        ours = rule_json(recording.timeline, step)
        assert ours is not None
        assert [entry["of"] for entry in ours["inputs"]]
        for claim, entry in zip(one.claims, ours["inputs"], strict=True):
            worked = entry["element"]
            assert worked is None or worked["grad"] in claim.sent.flat
    return {one.node for _, one in told}


def test_a_rule_that_torch_follows_in_float32_alone(record: Forker) -> None:
    recording = record("import torch\na = torch.rand(4, requires_grad=True)\n"
                       "torch.nn.functional.hardsigmoid(a * 8 - 4).sum().backward()\n")  # fmt: skip
    assert all_are_claimed(recording) >= {"HardsigmoidBackward0"}


def test_the_terms_of_an_element_add_up(record: Forker) -> None:
    recording = record(script(RULED, 3))
    for step, one in stories(recording):
        for claim in one.claims:
            assert one.arrived is not None
            worked = work_out_element(claim, one.arrived)
            assert worked is not None, (recording.code(step), one)
            ours = sum(x * slope for x, slope in worked.terms)
            assert ours == pytest.approx(worked.sent, rel=1e-4, abs=1e-4)


def test_what_has_no_rule_claims_nothing(record: Forker) -> None:
    recording = record(script(REST, 0))
    assert recording.status == 0, recording.stderr
    for step, one in stories(recording):
        assert len(one.claims) in (0, len(one.sent))
        assert (rule_json(recording.timeline, step) is None) == (not one.claims)
        assert plain(recording.timeline, step).startswith(one.node)
    assert "CopySlices" in {one.node for _, one in stories(recording)}


ONES = """\
import torch
import torch.nn.functional as F
def ones(*shape):
    return torch.ones(shape, requires_grad=True)
a, cube, image = ones(3, 3), ones(2, 2, 2), ones(1, 1, 4, 4)
for y in (
    CODE
):
    y.backward(torch.ones_like(y))
"""


@pytest.mark.parametrize(
    ("code", "formula"),
    [
        ("a.flip(0)", "G turned round along 0"),
        ("a.flip(1, 0)", "G turned round along 0, 1"),
        ("a.T", "Gᵀ"),
        ("a.transpose(0, 1)", "Gᵀ"),
        ("cube.permute(2, 0, 1)", "G with dimensions 1, 2, 0"),
        ("torch.addmm(ones(3), a, a, beta=2, alpha=3)", "3·G·aᵀ"),
        ("a.roll((1, -1), (0, 1))", "G rolled back"),
        ("a.rot90(-1)", "G turned back"),
        ("a.diagonal(1)", "G put back on the diagonal, else 0"),
        ("F.pad(a, (1, 2), value=1.)", "its piece of G"),
        ("a[1]", "1 at [1], else 0"),
        ("a[:, 1:]", "1 in [:, 1:3], else 0"),
        ("torch.stack((a, a), 2)", "its piece of G"),
        ("a.gather(0, torch.tensor([[2, 0, 1]]))", "G added up where it was taken, else 0"),
        ("F.conv2d(image, ones(1, 1, 2, 2), stride=2)", "ΣG·ones(1, 1, 2, 2) over the windows that it is in"),
        ("F.avg_pool2d(image, 2, stride=1)", "ΣG/n over the windows that it is in"),
    ],
)
def test_what_values_do_not_show_is_recorded(record: Forker, code: str, formula: str) -> None:
    """Of ones, every way gives the same: which one it was is said all the same."""
    recording = record(ONES.replace("CODE", f"{code},"))
    told = [one for _, one in stories(recording)]
    assert all(len(one.claims) == len(one.sent) > 0 for one in told)
    assert formula in [claim.share.formula for one in told for claim in one.claims]


def test_what_an_old_recording_does_not_have_is_not_searched(record: Forker) -> None:
    recording = record(ONES.replace("CODE", "a.flip(0), a.diagonal(1), a.T, F.conv2d(image, image),"))
    recording.timeline.definitions.attributes.clear()
    told = {one.node: one.claims for _, one in stories(recording)}
    assert told["PermuteBackward0"] == told["FlipBackward0"] == told["ConvolutionBackward0"] == []


def test_inside_a_composite_no_value_is_guessed(record: Forker) -> None:
    """Where the gradient is zero, a wrong value would agree with it."""
    recording = record("import torch\na = torch.rand(3, requires_grad=True)\n"
                       "torch.nn.functional.gumbel_softmax(a, tau=0.5).sum().backward()\n")  # fmt: skip
    told = {one.node: one for _, one in stories(recording)}
    assert not told["DivBackward0"].claims
    assert told["AddBackward0"].equation == "a + an inner tensor of torch.nn.functional.gumbel_softmax"


LARGE = """\
import torch
A, B = (torch.randn(40, 40, requires_grad=True) for _ in range(2))
y = A @ B
y.sum().backward()
"""


def test_of_what_is_too_large_the_rule_in_general(record: Forker) -> None:
    recording = record(LARGE)
    step = next(step for step, one in stories(recording) if one.node == "MmBackward0")
    assert plain(recording.timeline, step).startswith(
        "MmBackward0: the gradient |g| 40, max 1 arrives; in general, Y = A·B: grad(A) = G·Bᵀ, grad(B) = Aᵀ·G"
    )
    assert rule_json(recording.timeline, step) is None


BROADCAST = """\
import torch
w = torch.tensor([2.0, 3.0], requires_grad=True)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
y = x * w
y.backward(torch.tensor([[1.0, 10.0], [100.0, 1000.0]]))
i = w[1]
i.backward()
w2 = w.clone()
w2 *= w
w2.sum().backward()
(w * w).exp().sum().backward()
"""


def test_the_sum_that_undoes_broadcasting(record: Forker) -> None:
    recording = record(BROADCAST)
    steps = recording.steps_of("node")
    assert "".join(text for text, _ in line(recording.timeline, steps[0])) == (
        "MulBackward0 · y = x·w · ∂y/∂w = x · grad(w) = sum over 2 of G · x = [301 4020] · "
        "grad(w)[0] = 1·1 + 100·3 = 301 · G = [[1 10] [100 1000]] arrived"
    )
    assert rule_json(recording.timeline, steps[0]) == {
        "formula": "y = x·w",
        "inputs": [
            {
                "of": "w",
                "text": "∂y/∂w = x",
                "grad": [301.0, 4020.0],
                "working": "sum over 2 of G · x = [301 4020]",
                "element": {"index": [0], "text": "1·1 + 100·3 = 301", "grad": 301.0},
            }
        ],
    }
    assert plain(recording.timeline, steps[1]) == (
        "SelectBackward0, of i = w[1]: the gradient 1 arrives. w gets [0 1], as di/dw = 1 at [1], else 0."
    )
    changed = next(step for step in steps[2:] if summarize_node(recording.timeline, step).node == "MulBackward0")  # type: ignore[union-attr]
    assert "w2 = (old w2)·w" in plain(recording.timeline, changed)
    texts = ["".join(text for text, _ in line(recording.timeline, step)) for step in steps]
    for rule, sent in (
        ("∂/∂((w * w).exp()) = 1", "grad((w * w).exp())"),
        ("∂/∂(w * w) = (w * w).exp()", "grad(w * w)"),
    ):
        assert any(f"{rule} · " in text and f" · {sent} = " in text for text in texts), texts


SAID = {
    "torch.ones(2, 2, requires_grad=True).var(0)": "2·(ones(2, 2) - mean)/1",
    "torch.ones(2, 2, requires_grad=True).var(1, correction=0)": "2·(ones(2, 2) - mean)/2",
    "torch.ones(2, 2, requires_grad=True).logsumexp(0)": "exp(ones(2, 2) - r)",
    "torch.rand(2, 2, 2, 2, 2, 2, 2, requires_grad=True).sum((0, -1))": "1",
    "a.norm(p=7)": "the sign of a·(|a|/r)^6",
    "torch.rsub(a, b, alpha=2)": "-2",
    "F.leaky_relu(a, 0.3)": "1 where a > 0, else 0.3",
    "F.elu(a, 0.3)": "1 where a > 0, else 0.3·exp(a)",
    "F.gelu(torch.zeros(2, requires_grad=True))": "Φ(zeros(2)) + zeros(2)·φ(zeros(2))",
    "F.mse_loss(a, a.detach())": "2·(a - a.detach())/6",
    "F.mse_loss(a, a.detach(), reduction='sum')": "2·(a - a.detach())",
    "F.huber_loss(a, a.detach(), delta=0.3)": "((a - a.detach()) within -0.3 and 0.3)/6",
    "F.cross_entropy(a, cls, reduction='sum', ignore_index=2)": "-1 at the class that cls says, else 0",
    "F.binary_cross_entropy_with_logits(a, y01, pos_weight=cw, weight=cw * 2)":
        "(cw * 2)·((1 - y01)·s - cw·y01·(1 - s))/6, with s = sigmoid(a)",
}  # fmt: skip
"""What values cannot tell, as several arguments fit them, and what is said of it by the recorded arguments."""


def test_recorded_arguments_decide_where_values_cannot(record: Forker) -> None:
    recording = record(script(list(SAID), 0))
    assert recording.status == 0, recording.stderr
    passes, steps = recording.steps_of("backward"), recording.steps_of("node")
    first = [summarize_node(recording.timeline, min(at for at in steps if at > step)) for step in passes]
    assert [one.claims[0].share.formula if one and one.claims else None for one in first] == list(SAID.values())


def test_nothing_is_guessed_without_recorded_attributes(record: Forker) -> None:
    recording = record("import torch\nx = torch.rand(2, 3, requires_grad=True)\n"
                       "x.exp().softmax(0).sum(1).std().backward()\n")  # fmt: skip
    recording.timeline.definitions.attributes.clear()  # as in a recording of an older version
    told = stories(recording)
    assert len(told) == 4
    assert [one.node for _, one in told if one.claims] == ["ExpBackward0"]


def test_terms_come_from_the_product() -> None:
    """Those of an element, also where its derivative is inf, and none of a function that is not linear."""
    x, g = Operand("x", (3,), None), Grid((3,), (2.0, 3.0, 5.0))
    running = Share(x, "", lambda g: Grid((3,), tuple(accumulate(g.flat))))
    assert find_terms(running, g, 1) == [(2.0, 1.0), (3.0, 1.0)]
    mixed = Share(x, "", lambda g: Grid((3,), tuple(4 * (y - sum(g.flat) / 2) for y in g.flat)))
    assert find_terms(mixed, g, 2) == [(2.0, -2.0), (3.0, -2.0), (5.0, 2.0)]
    assert find_terms(mixed, g, 2, absolute=True) == [(2.0, 2.0), (3.0, 2.0), (5.0, 6.0)]
    assert find_terms(elementwise(x, "", Grid((3,), (math.inf, 0.0, 1.0))), g, 0) == [(2.0, math.inf)]
    assert find_terms(sparse(x, "", [(2, 0, 0.5)]), g, 1) == []
    with pytest.raises(TypeError):
        find_terms(Share(x, "", lambda g: g * g), g, 0)
