# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A graph that grows"
#       zh: "边运行边生长的图"
#     summary:
#       en: "The graph is what ran, and nothing else: with an if and a loop, each run has a different graph."
#       zh: "只有运行过的运算才在图里：有 if 和循环，每次运行的图都不同。"
#     topics:
#       en: [dynamic graph, control flow, static graph]
#       zh: [动态图, 控制流, 静态图]
# ---

# %% [markdown] lang="en"
# Where does the graph come from? It **grows while your code runs**: each operation adds its node when it is done.
#
# Then what becomes of an `if`? Here is a function with two branches, and we call it with a positive number. Step into
# it, and watch which line of the function never runs.

# %% [markdown] lang="zh"
# 计算图是哪里来的？**代码一边运行，图一边生长**：每做完一个运算，就多一个节点。
#
# 那么 `if` 会怎样？下面的函数有两个分支，我们用一个正数来调用它。
# 走进去，看看函数里的哪一行从来没有运行。

# %%
import torch


def bend(x):
    if x > 0:
        return x * 3
    return x * x


up = torch.tensor(2.0, requires_grad=True)
y = bend(up)
y.backward()

# %% [markdown] question="predict" of="down.grad" vary="down: [-3, -5]" lang="en"
# `up.grad` is {{ up.grad.item() }}. One branch ran, and one multiplication is in the graph. The `if` left nothing
# there: Python evaluated the condition and ran one branch; only that branch is in the graph.
#
# The same function now gets a negative number. What will `down.grad` hold?

# %% [markdown] question="predict" of="down.grad" vary="down: [-3, -5]" lang="zh"
# `up.grad` 是 {{ up.grad.item() }}。执行了一个分支，图里就有一个乘法。`if` 什么也没有留下：
# Python 判断条件后只执行一个分支，进入计算图的只有这个分支里的运算。
#
# 现在给同一个函数一个负数。`down.grad` 会是多少？

# %% [markdown] wrong="3.0" lang="en"
# That is the derivative of the other branch, which did not run.

# %% [markdown] wrong="3.0" lang="zh"
# 那是另一个分支的导数，它没有执行。

# %% [markdown] wrong="-down.grad" lang="en"
# The derivative of the square is twice the number, and this number is negative.

# %% [markdown] wrong="-down.grad" lang="zh"
# 平方的导数是这个数的两倍，而这个数是负的。

# %%
down = torch.tensor(-2.0, requires_grad=True)
z = bend(down)
z.backward()

# %% [markdown] question="predict" of="p.grad" lang="en"
# It is {{ down.grad.item() }}: this time the other branch ran, the derivative of a square is twice the number, and
# this number is negative. The branch with the `3` is nowhere in this graph, so it does not affect the gradient.
#
# A loop grows the graph with each iteration. The next one goes on until `q` has reached a limit, so it is the
# **data** that decides how many nodes there will be. Count the factors `p` that end up in `q`. What will `p.grad`
# hold?

# %% [markdown] question="predict" of="p.grad" lang="zh"
# 是 {{ down.grad.item() }}：这次执行的是另一个分支，平方的导数是这个数的两倍，而这个数是负的。
# 带 `3` 的那个分支根本不在这张图里，所以对梯度没有影响。
#
# 循环每迭代一次，图就多出一段。下面的循环一直迭代到 `q` 达到上限，所以有多少个节点由**数据**决定。
# 数一数，`q` 最后一共是几个 `p` 相乘。`p.grad` 会是多少？

# %% [markdown] wrong="(q.log2() - 1) * q / p**2" lang="en"
# One factor `p` is missing in your count: two are there before the loop begins.

# %% [markdown] wrong="(q.log2() - 1) * q / p**2" lang="zh"
# 少数了一个因子 `p`：循环开始之前就已经有两个了。

# %% [markdown] wrong="(q.log2() - 2) * q / p**3" lang="en"
# Those are the iterations of the loop. Two factors `p` are there before it begins.

# %% [markdown] wrong="(q.log2() - 2) * q / p**3" lang="zh"
# 那是循环的次数。循环开始之前就已经有两个因子 `p` 了。

# %%
limit = 20  # @param {type: number, min: 4, max: 200, step: 1}
p = torch.tensor(2.0, requires_grad=True)
q = p * p
while q < limit:
    q = q * p
q.backward()

print("last:", q.grad_fn.name())
for node, _ in q.grad_fn.next_functions:
    print("it got its inputs from", node.name().split("::")[-1])

# %% [markdown] lang="en"
# The loop stopped with `q` at {{ q.item() }}, a power of `p`, and the derivative of that power is {{ p.grad.item()
# }}. At `p` several paths meet, one per factor. Press `k` to set another `limit`.
#
# The printed lines name the last node and what comes before it; `AccumulateGrad` stands for the leaf. Autograd's
# **nodes are operations**, and tensors go along its **edges**; older notes have it the other way round. Here each run
# of your code makes a new graph, a **dynamic** one. In early TensorFlow you described the whole graph first and fed
# it numbers later. Such a **static** graph is harder to debug, but can be made faster as a whole before it runs.
# `torch.compile(model)` brings that back: it makes compiled code of a graph, and uses it again while the code takes
# the same branches.
#
# So plain Python is enough. Write `distance(x)`, which says how far a number is from zero, below zero too: `e`.

# %% [markdown] lang="zh"
# 循环停下时 `q` 是 {{ q.item() }}，是 `p` 的一个幂，这个幂的导数是 {{ p.grad.item() }}。
# 好几条路在 `p` 处汇合，每个因子一条。按 `k` 换一个 `limit`。
#
# 打印出来的是最后一个节点，以及它前面的节点；`AccumulateGrad` 代表叶子节点。
# 在 autograd 里，**节点是运算**，张量沿着**边**流动；有些旧笔记里画得正好相反。
# 在这里，代码每运行一次，就构建一张新图，这叫**动态图**。早期的 TensorFlow 要先描述整张图，再输入数据。
# 这样的**静态图**不好调试，却可以在运行之前整体优化，跑得更快。
# `torch.compile(model)` 把这个优点带了回来：它把图编译成代码，只要走的还是同样的分支，就一直用它。
#
# 所以普通的 Python 就够用了。写一个 `distance(x)`，给出一个数到零的距离，对负数也要成立：按 `e`。


# %% tags=["exercise"] id="distance" kind="write"
# distance(x): how far the number in x is from zero

# %% [markdown] tags=["hint"] lang="en"
# An `if` will do, as in `bend`. What has to happen to a number below zero?

# %% [markdown] tags=["hint"] lang="zh"
# 像 `bend` 那样用一个 `if` 就行。小于零的数该怎么办？

# %% [markdown] tags=["hint"] lang="en"
# `-x` is an operation too, and leaves a node in the graph.

# %% [markdown] tags=["hint"] lang="zh"
# `-x` 也是运算，会在图里留下一个节点。


# %% tags=["solution"]
def distance(x):
    if x < 0:
        return -x
    return x


print(distance(torch.tensor(-3.0)))

# %% tags=["check"]
for at, derivative in ((3.0, 1.0), (-3.0, -1.0)):
    leaf = torch.tensor(at, requires_grad=True)
    far = distance(leaf)
    assert far is not None, {
        "en": f"For {at:g} nothing is returned.",
        "zh": f"对 {at:g} 什么也没有返回。",
    }
    number = far.item() if isinstance(far, torch.Tensor) else far
    assert number == 3, {
        "en": f"The distance of {at:g} is 3, and you give {number:g}.",
        "zh": f"{at:g} 到零的距离是 3，你给的是 {number:g}。",
    }
    assert getattr(far, "requires_grad", False), {
        "en": (
            f"For {at:g} the number is right, but it has left the graph: no gradient can flow. "
            "Do without item(), float() and new tensors."
        ),
        "zh": f"对 {at:g}，数是对的，可是它离开了图，梯度流不过去。不要用 item()、float()，也不要新建张量。",
    }
    far.backward()
    assert leaf.grad == derivative, {
        "en": f"The derivative at {at:g} is {derivative:g}, and yours is {leaf.grad:g}.",
        "zh": f"{at:g} 处的导数是 {derivative:g}，你的是 {leaf.grad:g}。",
    }
