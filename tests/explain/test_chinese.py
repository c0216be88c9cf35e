"""The explanations in Chinese: no English is left in them but names and code, and they read as whole sentences."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.explain import (
    families,
    forms,
    test_cuts,
    test_keeping,
    test_mistakes,
    test_optimizing,
    test_saying,
    test_sentences,
    test_sizes,
    test_ungraphed,
)
from tests.explain import test_transforms as transforms
from tests.explain.explained import line
from tests.sampling import sample
from tests.worker.recording import Forker, Recording
from tutor import i18n
from tutor.explain import explanation, formatting, lines, plain
from tutor.explain.node import rule_json
from tutor.explain.optimizers import finished_steps, formula, report_lines
from tutor.trace import navigation
from tutor.trace.events import Failed

ON_BEHALF = (
    transforms.FUNCTIONS
    + """\
torch.func.grad(f)(x)
torch.func.jacrev(f)(x)
torch.autograd.functional.jacobian(f, x)
checkpoint(f, w, use_reentrant=True).backward()
with torch.no_grad():
    w -= 1
w.detach()
v = w * 2
v.register_hook(lambda grad: grad * 2)
v.register_hook(lambda grad: None)
v.retain_grad()
v.sum().backward()
torch.autograd.grad((w * w).sum(), w, create_graph=True)[0].sum().backward()
big = torch.ones(40, 40, requires_grad=True)
(big @ big).relu().max(1)[0].sum().backward()
"""
)

SCRIPTS = {
    "families": families.script(families.RULED + families.REST, 5),
    "forms": forms.script(5, "float32"),
    "mistakes": test_mistakes.script([mistake.code for mistake in test_mistakes.MISTAKES]),
    "cuts": test_mistakes.script([cut.code for cut in test_cuts.CUTS]),
    "sizes": test_mistakes.script([wrong.code for wrong in test_sizes.WRONG]),
    "ungraphed": test_ungraphed.DATA + test_ungraphed.CUBE,
    "optimizers": test_optimizing.SCRIPT.replace("range(4)", "range(2)"),
    "other optimizers": test_optimizing.OTHERS,
    "kept and changed": test_keeping.BROKEN,
    "changed unseen": test_keeping.UNSEEN,
    "twice": test_keeping.TWICE,
    "all sorts of steps": test_saying.MUCH,
    "sentences": test_sentences.SCRIPT,
    "on the learner's behalf": ON_BEHALF,
}

WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
ALLOWED = set(
    WORD.findall(
        # in formulas, and in what stands for numbers
        "mean std max sqrt softmax sigmoid tanh exp log ln sin cos erf elu celu lr eps weight_decay update nan inf "
        "None True False "
        # state of optimizers
        "step exp_avg exp_avg_sq max_exp_avg_sq square_avg grad_avg momentum_buffer mu_product "
        # names of torch's and Python's
        "torch autograd grad no_grad NumPy Python nn Parameter Linear vmap checkpoint dtype requires_grad_ retain_grad "
        "retain_graph requires_grad detach backward zero_grad allow_unused gradient numpy item tolist reshape "
        "unsqueeze parameters to float32 float64 with self zeros layer batch group norm dropout func "
        "jacrev functional jacobian bias weight LU pivots Exp Sigmoid CopySlices AccumulateGrad ZeroDivisionError "
        "stack long int64 create_graph float dP"
    )
)


@pytest.fixture(scope="module")
def recorded(record: Forker) -> Callable[[str], Recording]:
    """The recording of a script, made once."""
    return cache(lambda name: record(SCRIPTS[name]))


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def names_in(recording: Recording, script: str) -> set[str]:
    """What the learner and torch call things in a script: code, but no word of Python's own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(script)):
        for said in ("id", "attr", "arg", "name", "module"):
            found |= set(WORD.findall(str(getattr(node, said, None) or "")))
    found -= set(keyword.kwlist)
    for step in range(1, recording.timeline.steps + 1):
        site = recording.timeline.view(step).site
        if site is not None:
            found |= set(WORD.findall(f"{site.op} {site.parent}"))
    for step in recording.steps_of("backward"):
        found |= {name for graph_node in recording.timeline.state(step).nodes.values() for name in graph_node.saved}
    return found | {word for one in recording.end.tensors.values() for word in WORD.findall(one.label or "")}


def all_texts(recording: Recording, step: int) -> list[str]:
    timeline = recording.timeline
    told = [plain(timeline, step), explanation(timeline, step) or ""]
    if lines(timeline, step).step == step:  # else it is what an earlier step says
        told.append("".join(text for text, _ in line(timeline, step)))
    rule = rule_json(timeline, step) if timeline.kind(step) == "node" else None
    for one in [] if rule is None else rule["inputs"]:
        told += [one["text"], one["working"], (one["element"] or {"text": ""})["text"]]
    for step_told in finished_steps(timeline, step):
        told.append(formula(step_told.event) or "")
        for update in step_told.event.updates:
            told += report_lines(timeline, step_told, update)
    return told


def left_in(text: str, recording: Recording, step: int) -> list[str]:
    """The words of the Latin alphabet that are not in the learner's code at this step."""
    timeline = recording.timeline
    event, code = timeline.event(step), timeline.view(step).code or ""
    if isinstance(event, Failed):
        for width in (400, 200):
            text = text.replace(f"{event.error}: {formatting.code(event.message, width)}", "")
        text = re.sub(r"`[^`]*`", "", text)
    before = timeline.view(navigation.previous_line(timeline, step) or step).code or ""
    for said in (code, formatting.code(code), formatting.first_line(code), formatting.first_line(before)):
        text = text.replace(said, "") if said else text
    # what stands for values, for numbers, for a result or a function without a name; a text in code
    text = re.sub(r"\w+\(…\)|\d+(x\d+)+|<lambda>|'[^']*'", "", text)
    return [word for word in WORD.findall(re.sub(r"(?<!\w)%?\d[\d.]*(?:e[-+]\d+)?", " ", text)) if len(word) > 1]


@pytest.mark.usefixtures("chinese")
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SCRIPTS)
def test_no_english_is_left(recorded: Callable[[str], Recording], name: str) -> None:
    recording = recorded(name)
    allowed = ALLOWED | names_in(recording, SCRIPTS[name])
    allowed |= {f"d{word}" for word in allowed}  # derivatives
    found: dict[str, str] = {}
    for step in sample(range(1, recording.timeline.steps + 1), 800):
        for text in all_texts(recording, step):
            left = [word for word in left_in(text, recording, step) if word not in allowed and "Backward" not in word]
            if left:
                found.setdefault(" ".join(left), text)
    assert not found


@pytest.mark.parametrize("name", ["families", "forms", "sentences"])
def test_the_same_is_claimed(recorded: Callable[[str], Recording], name: str) -> None:
    """Two readings that are told apart in one language are told apart in the other."""
    recording = recorded(name)
    steps = sample(recording.steps_of("node"), 60)

    def claimed() -> list[list[object]]:
        rules = [rule_json(recording.timeline, step) for step in steps]
        return [[] if rule is None else [one["grad"] for one in rule["inputs"]] for rule in rules]

    english = claimed()
    i18n.use("zh")
    try:
        assert claimed() == english
    finally:
        i18n.use("en")


@pytest.mark.usefixtures("chinese")
def test_whole_sentences(recorded: Callable[[str], Recording]) -> None:
    much = recorded("all sorts of steps")
    told = [plain(much.timeline, step) for step in range(1, much.timeline.steps + 1)]
    assert told[0] == "单元格 1 开始"
    assert "第 4 行，model 中，迭代 2：return w * x" in told
    assert "mul：w * x = 1 × 3 = 3" in told
    assert "sub_：w -= 0.1 * w.grad；w 原为 1，现为 2.2；autograd 不记录对叶子节点的这次修改" in told
    assert "第 1 次反向传播从 loss = 4 开始，起始梯度为 1，保留计算图" in told
    assert "MulBackward0（w·x）：传来梯度 -4。w 得到 -4 × 3 = -12，因为 d/dw = x。" in told
    assert "w.grad 原为 -12；传来 ≈9.6；现为 -12 + 9.6 ≈ -2.4。" in told
    assert "第 1 次反向传播结束，运行了 4 个节点，计算图保留" in told
    assert "h 上的钩子 <lambda> 改动了梯度：≈9.76 → ≈97.6" in told
    assert told[-1] == "脚本出错了: ZeroDivisionError"


@pytest.mark.usefixtures("chinese")
def test_whole_mistakes(recorded: Callable[[str], Recording]) -> None:
    mistakes = recorded("mistakes")
    told = [explanation(mistakes.timeline, step) for step in mistakes.steps_of("failed")]
    assert all(text is not None and text.endswith("。") for text in told)
    assert told[0] == (
        "y 背后的计算图已经释放：第 6 行的 `y.backward()` 那次反向传播释放了各节点保存的值。"
        "每次 backward 之前重新计算 y；如果确实要在同一张图上反向传播两次，就在第一次写 retain_graph=True。"
    )
    assert told[3] == (
        "w 是需要梯度的叶子节点，`w -= 0.1` 会就地修改它，autograd 无法追踪。"
        "要更新参数，请在 `with torch.no_grad():` 里做。"
    )


def test_it_follows_the_language_at_once(record: Forker) -> None:
    recording = record("import torch\nw = torch.tensor(2.0, requires_grad=True)\nv = w * 1\nv *= 3\nv.backward()\n")
    (step, *_) = recording.steps_of("node")
    english = "MulBackward0, of v = (old v)·3: the gradient 1 arrives. old v gets 1 × 3 = 3, as dv/d(old v) = 3."
    assert plain(recording.timeline, step) == english
    i18n.use("zh")
    try:
        assert plain(recording.timeline, step) == (
            "MulBackward0（v = (旧 v)·3）：传来梯度 1。旧 v 得到 1 × 3 = 3，因为 dv/d(旧 v) = 3。"
        )
    finally:
        i18n.use("en")
    assert plain(recording.timeline, step) == english
