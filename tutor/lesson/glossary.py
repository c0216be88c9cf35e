"""The glossary: the terms of the lessons, in both languages, each with the lesson that explains it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from tutor.lesson.model import in_language

Span: TypeAlias = tuple[int, int]
"""Where something begins in a text, and where it ends."""


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
        return next(self.spans_in(text), None) is not None

    def spans_in(self, text: str) -> Iterator[Span]:
        """Yield where a text uses the term, also where a line ends inside it."""
        for name in (*self.term.values(), *self.words):
            yield from (match.span() for match in _pattern(name).finditer(text))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """Return what matches a term in a text."""
    if not name.isascii():
        return re.compile(r"\s*".join(map(re.escape, name)))
    words = r"\s+".join(map(re.escape, name.split()))
    begin = r"(?<!\w)" if name[0].isalnum() else ""
    return re.compile(rf"{begin}{words}(?:s|es)?(?!\w)", re.IGNORECASE | re.ASCII)


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
           ("导数", "输入变化一点点时，结果的变化是它的多少倍。")),
    _entry("tensors/first-look",
           ("gradient", "The derivatives of one number with respect to all elements of a tensor, which PyTorch keeps "
            "in `.grad`."),
           ("梯度", "一个数对张量各个元素的导数；PyTorch 把它存进 `.grad`。"), ".grad", "grad"),
    _entry("training/quadratic",
           ("partial derivative", "How far the result moves when only this one input does and the others stay."),
           ("偏导数", "只有这一个输入变化、其余不变时，结果的变化是它的多少倍。")),
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
           ("神经元", "网络里由别的数算出的一个数；死掉的神经元对所有输入都输出 0，再也学不到东西。")),
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
           ("logit", "可正可负、大小不限的数，经 sigmoid 或 softmax 变成概率。"), "logits"),
    _entry("pitfalls/nan-where",
           ("entropy", "How undecided a distribution is: minus the sum of p · log(p); 0 if one share is 1."),
           ("熵", "一个分布有多不确定：负的 p · log(p) 之和；某一份占 1 时为 0。")),
    _entry("pitfalls/numpy-and-grad",
           ("softmax", "Turns numbers into shares: exp of each, divided by the sum of all."),
           ("softmax", "把一组数变成各自的份额：各取 exp，再除以总和。")),
    _entry("tensors/first-look",
           ("leaf", "A tensor that no recorded operation made. Leaves that require grad keep their gradient."),
           ("叶子节点", "不由任何有记录的运算产生的张量。需要梯度的叶子节点会保留梯度。"), "is_leaf", "leaves", "叶子"),
    _entry("tensors/history",
           ("grad_fn", "The node of the graph that made a tensor; None for a leaf."),
           ("grad_fn", "产生这个张量的计算图节点；叶子节点是 None。"), "node", "节点"),
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
           ("广播", "形状从右边对齐，长度为一或缺失的维度会扩展。"), "broadcast", "broadcasts"),
    _entry("graph/two-paths",
           ("graph", "What autograd records: nodes are operations, and edges lead back to the inputs of each."),
           ("计算图", "autograd 的记录：节点是运算，边通向各个运算的输入。"), "autograd graph"),
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
    _entry("backprop/one-sample",
           ("loss", "One number that says how far the outputs are from their targets; training makes it small."),
           ("损失", "一个数，表示输出离目标有多远；训练就是让它变小。")),
    _entry("training/line-by-hand",
           ("learning rate", "How far a parameter moves in one update: that many times its gradient."),
           ("学习率", "一次更新中参数移动多远：梯度的这么多倍。"), "lr"),
    _entry("training/line-with-bias",
           ("parameter", "A number, or a tensor of numbers, that training changes: a weight, a bias."),
           ("参数", "训练要改变的数或张量：权重、偏置。")),
    _entry("training/sgd",
           ("optimizer", "An object that gets the parameters once; its step() updates all, zero_grad() clears all."),
           ("优化器", "一次拿到全部参数的对象：step() 更新它们，zero_grad() 清掉它们的梯度。"), "SGD"),
    _entry("training/parameters",
           ("module", "A part of a model, with its parameters and its forward; modules contain modules."),
           ("模块", "模型的一个部分，有自己的参数和 forward；模块里可以有模块。"), "nn.Module"),
    _entry("training/freeze",
           ("frozen", "Kept out of the training: a frozen parameter requires no gradient, and does not change."),
           ("冻结", "不参与训练：冻结的参数不需要梯度，也不改变。")),
    _entry("training/dynamic-lr",
           ("scheduler", "What changes the learning rate while training, by counting steps or epochs."),
           ("调度器", "训练时按步数或轮数改变学习率的对象。")),
    _entry("training/logistic-regression",
           ("sigmoid", "1 / (1 + exp(-z)): turns any number into one between 0 and 1, such as a probability."),
           ("sigmoid", "1 / (1 + exp(-z))：把任意的数变成 0 和 1 之间的数，例如概率。"), "torch.sigmoid"),
    _entry("pitfalls/gan-order",
           ("generator", "The network of a GAN that makes fakes, and learns to get them past the discriminator."),
           ("生成器", "GAN 里制造假样本的网络，它要学会骗过判别器。")),
    _entry("pitfalls/gan-order",
           ("discriminator", "The network of a GAN that learns to tell fakes from the real."),
           ("判别器", "GAN 里学着分辨真假样本的网络。")),
    _entry("backprop/retain-grad",
           ("hook", "A function that is called with a gradient when it arrives at a tensor."),
           ("钩子", "梯度到达某个张量时被调用的函数。"), "register_hook"),
    _entry("tensors/seeds",
           ("seed", "The number that picks where the sequence of random numbers begins: same seed, same numbers."),
           ("种子", "决定随机数序列从哪里开始的数：种子相同，随机数就相同。"), "manual_seed"),
    _entry("tensors/selecting",
           ("mask", "A tensor of True and False that picks elements of another one."),
           ("掩码", "由 True 和 False 组成的张量，用来挑选另一个张量的元素。")),
    _entry("tensors/memory",
           ("view", "A tensor that shares the memory of another one: a write to one shows in both."),
           ("视图", "与另一个张量共用内存的张量：写其中一个，两个都会变。")),
)  # fmt: skip


def find(word: str) -> list[Entry]:
    """Return the entries that a word means, else those whose terms have it in them."""
    exact = [entry for entry in ENTRIES if entry.matches(word)]
    part = word.strip().casefold()
    return exact or [
        entry for entry in ENTRIES if any(part in name.casefold() for name in (*entry.term.values(), *entry.words))
    ]


def used_in(text: str) -> list[tuple[Entry, Span]]:
    """Return the entries whose terms a text uses, each with its first place there, in the order of the text.

    A term inside a longer one does not count.
    """
    spans = {entry: list(entry.spans_in(text)) for entry in ENTRIES}
    every = [span for places in spans.values() for span in places]
    first = {}
    for entry, places in spans.items():
        alone = [span for span in places if not any(_contains(other, span) for other in every)]
        if alone:
            first[entry] = min(alone)
    return sorted(first.items(), key=lambda item: item[1])


def _contains(longer: Span, span: Span) -> bool:
    return longer != span and longer[0] <= span[0] and span[1] <= longer[1]


def describe(entry: Entry, language: str) -> tuple[str, str]:
    """Return an entry's term, with the one in the other language, and what it means."""
    term = in_language(entry.term, language)
    others = [name for name in entry.term.values() if name != term]
    return f"{term} ({', '.join(others)})" if others else term, in_language(entry.text, language)
