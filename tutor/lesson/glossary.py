"""The glossary: the terms of the lessons, in both languages, each with the lesson that explains it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tutor.lesson.model import in_language


@dataclass(frozen=True, eq=False)
class Entry:
    """A term and what it means."""

    term: dict[str, str]
    """By language."""
    text: dict[str, str]
    """By language: a sentence or two."""
    lesson: str
    """Id of the lesson that explains it."""
    words: tuple[str, ...] = ()
    """Other words for it, in any language: forms, abbreviations, names in code."""

    def matches(self, word: str) -> bool:
        """Return whether a word means this term, whatever its case."""
        return word.strip().casefold() in (name.casefold() for name in (*self.term.values(), *self.words))

    def occurs_in(self, text: str) -> bool:
        """Return whether a text uses the term: an English one as whole words."""
        return any(
            re.search(rf"\b{re.escape(name)}(?:s|es)?\b", text, re.IGNORECASE) if name.isascii() else name in text
            for name in (*self.term.values(), *self.words)
        )


def _entry(lesson: str, en: tuple[str, str], zh: tuple[str, str], *words: str) -> Entry:
    return Entry({"en": en[0], "zh": zh[0]}, {"en": en[1], "zh": zh[1]}, lesson, words)


ENTRIES = (
    _entry("tensors/dimensions",
           ("0-d tensor", "A tensor that is a single number: it has no dimensions, and its shape is []. A 1-d tensor "
            "with one element has the shape [1]; both hold one number."),
           ("零维张量", "只是一个数的张量：没有维度，形状是 []。只有一个元素的一维张量形状是 [1]；二者都只装一个数。"),
           "0-d", "1-d", "dimension", "维度", "零维", "一维"),
    _entry("tensors/slope",
           ("derivative", "How many times as far a result moves as its input does, for a very small move."),
           ("导数", "输入移动一点点时，结果移动的是它的多少倍。")),
    _entry("tensors/first-look",
           ("gradient", "The derivatives of one number with respect to all elements of a tensor, which PyTorch keeps "
            "in `.grad`."),
           ("梯度", "一个数对张量各个元素的导数；PyTorch 把它存进 `.grad`。"), ".grad", "grad"),
    _entry("training/quadratic",
           ("partial derivative", "How far the result moves when only this one input does and the others stay."),
           ("偏导数", "只有这一个输入移动、其余不动时，结果移动多少倍。")),
    _entry("backprop/chain",
           ("chain rule", "Along a path the local derivatives are multiplied; what several paths bring is added."),
           ("链式法则", "沿一条路，局部的导数相乘；几条路带来的结果相加。")),
    _entry("backprop/power",
           ("logarithm", "The exponent that a base needs to give a number: log2(8) is 3. The natural one has base e."),
           ("对数", "底数要取多少次幂才得到这个数：log2(8) 是 3。自然对数以 e 为底。"), "log"),
    _entry("tensors/distributions",
           ("standard deviation", "How far numbers typically are from their mean."),
           ("标准差", "数与均值之间的典型距离。"), "std"),
    _entry("training/stopping",
           ("least squares", "Choosing the line with the smallest sum of squared errors."),
           ("最小二乘", "选取误差平方和最小的那条直线。"), "最小二乘法"),
    _entry("training/stopping",
           ("gradient descent", "Updating parameters against their gradient again and again, so that the loss falls."),
           ("梯度下降", "一次又一次地让参数逆着梯度更新，使损失下降。")),
    _entry("backprop/chain",
           ("neuron", "One number that a network computes from others; a dead one is 0 for all and never learns."),
           ("神经元", "网络由别的数算出的一个数；死掉的神经元对所有输入都是 0，再也学不到东西。")),
    _entry("training/freeze",
           ("activation", "The value that a neuron has for an input."),
           ("激活值", "神经元对某个输入取到的值。")),
    _entry("pitfalls/eval-and-no-grad",
           ("dropout", "A layer that throws away some of its numbers by chance while training, and none afterwards."),
           ("dropout", "训练时随机丢弃一部分数、之后一个也不丢的层；又叫暂退法。"), "暂退法"),
    _entry("pitfalls/eval-and-no-grad",
           ("batch norm", "A layer that brings each feature of a batch to mean 0 and variance 1; in eval it uses the "
            "running mean and variance of the training."),
           ("批量归一化", "把小批量的每个特征变成均值 0、方差 1 的层；eval 时用训练中累积的均值和方差。"), "BatchNorm",
           "batch norm"),
    _entry("training/logistic-regression",
           ("logit", "A number from far below zero to far above that sigmoid or softmax turns into a probability."),
           ("logit", "可以很负也可以很大的数，经 sigmoid 或 softmax 变成概率。"), "logits"),
    _entry("pitfalls/nan-where",
           ("entropy", "How undecided a distribution is: minus the sum of p · log(p); 0 if one share is 1."),
           ("熵", "一个分布有多不确定：负的 p · log(p) 之和；某一份占 1 时为 0。")),
    _entry("pitfalls/numpy-and-grad",
           ("softmax", "Turns numbers into shares: exp of each, divided by the sum of all."),
           ("softmax", "把一组数变成各自的份额：各取 exp，再除以总和。")),
    _entry("tensors/first-look",
           ("leaf", "A tensor that no recorded operation made. Leaves that require grad keep their gradient."),
           ("叶子节点", "不由任何有记录的运算产生的张量。需要梯度的叶子节点会保留梯度。"), "is_leaf", "叶子"),
    _entry("tensors/history",
           ("grad_fn", "The node of the graph that made a tensor; None for a leaf."),
           ("grad_fn", "产生这个张量的计算图节点；叶子节点是 None。"), "node"),
    _entry("backprop/accumulate",
           ("accumulate", "A backward pass adds what it brings to the `.grad` that is there; nothing is replaced."),
           ("累加", "反向传播把梯度加到已有的 `.grad` 上，不会替换它。"), "AccumulateGrad", "add up", "adds"),
    _entry("backprop/vector",
           ("vector-Jacobian product", "What a backward pass computes: the rows of the Jacobian, each times a number, "
            "added up; the Jacobian itself is never made."),
           ("向量-雅可比积", "反向传播算的就是它：雅可比矩阵的各行分别乘以一个数再相加；雅可比矩阵本身从不生成。"),
           "VJP",
           "Jacobian", "雅可比矩阵"),
    _entry("tensors/broadcasting",
           ("broadcasting", "Shapes are lined up from the right; a length of one, or a missing one, is stretched."),
           ("广播", "形状从右边对齐，长度为一或缺失的维度会被拉伸。"), "broadcast", "broadcasts"),
    _entry("graph/two-paths",
           ("graph", "What autograd records: nodes are operations, and edges lead back to the inputs of each."),
           ("计算图", "autograd 记录下的东西：节点是运算，边通向各个运算的输入。"), "autograd graph"),
    _entry("backprop/retain-graph",
           ("backward pass", "The walk from a result back through the graph that computes the gradients."),
           ("反向传播", "从结果沿计算图往回走、算出梯度的过程。"), "backward"),
    _entry("pitfalls/detached-loss",
           ("detach", "A tensor with the same values and no history: no gradient goes back through it."),
           ("detach", "值相同而没有历史的张量：梯度不会经过它往回传。"), "detach()"),
    _entry("training/line-with-bias",
           ("bias", "The parameter that a layer adds: the height of a line where the input is 0."),
           ("偏置", "层里加上去的那个参数：输入为 0 处直线的高度。")),
    _entry("training/line-by-hand",
           ("epoch", "One walk over all samples of the training."),
           ("epoch", "把训练样本全部过一遍，又叫一轮。")),
    _entry("training/mini-batches",
           ("batch", "Some of the samples, whose losses are put together for one update."),
           ("小批量", "一部分样本，它们的损失合起来做一次更新。"), "mini-batch", "批量"),
    _entry("training/momentum",
           ("momentum", "An optimizer's memory: its step is a running sum of gradients, not the last one alone."),
           ("动量", "优化器的记忆：走的是梯度的累积，而不只是最近一次的梯度。")),
    _entry("backprop/in-place",
           ("in-place operation", "One that writes into its tensor, such as `a += 1`, instead of making a new one."),
           ("就地操作", "直接写进张量的运算，如 `a += 1`，不新建张量；又叫原地操作。"),
           "in place", "in-place", "原地操作"),
)  # fmt: skip


def find(word: str) -> list[Entry]:
    """Return the entries that a word means, else those whose terms have it in them."""
    exact = [entry for entry in ENTRIES if entry.matches(word)]
    part = word.strip().casefold()
    return exact or [
        entry for entry in ENTRIES if any(part in name.casefold() for name in (*entry.term.values(), *entry.words))
    ]


def used_in(text: str) -> Iterator[Entry]:
    """Yield the entries whose terms a text uses."""
    return (entry for entry in ENTRIES if entry.occurs_in(text))


def describe(entry: Entry, language: str) -> tuple[str, str]:
    """Return an entry's term, with the one in the other language, and what it means."""
    term = in_language(entry.term, language)
    others = [name for name in entry.term.values() if name != term]
    return f"{term} ({', '.join(others)})" if others else term, in_language(entry.text, language)
