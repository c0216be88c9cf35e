# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A graph that grows"
#       zh: "边运行边生长的图"
#     summary:
#       en: "The graph is what ran, and nothing else: an if and a loop give each run a graph of its own."
#       zh: "跑过的才在图里：if 和循环让每次运行都有自己的图。"
# ---

# %% [markdown] lang="en"
# Where does the graph come from? Nobody drew one. It **grows while your code runs**: each operation adds its node at
# the moment at which it is done.
#
# Then what becomes of an `if`? Here is a function with two branches, and we call it with a positive number. Go in with
# `→`, and watch which line of the function the mark `▶` never visits.

# %% [markdown] lang="zh"
# 计算图是哪里来的？没有人去画它。**代码一边运行，图一边生长**：每做完一个运算，就多一个节点。
#
# 那么 `if` 会怎样？下面的函数有两个分支，我们用一个正数来调用它。
# 用 `→` 走进去，看看标记 `▶` 从来没有到过函数里的哪一行。

# %%
import torch


def bend(x):
    if x > 0:
        return x * 3
    return x * x


up = torch.tensor(2.0, requires_grad=True)
y = bend(up)
y.backward()

# %% [markdown] question="predict" of="down.grad" lang="en"
# `up.grad` is {{ up.grad.item() }}. One branch ran, and one multiplication stands in the graph. The `if` left nothing
# there: it only asked a question, and Python went on with the answer.
#
# The same function now gets a negative number. What will `down.grad` hold?

# %% [markdown] question="predict" of="down.grad" lang="zh"
# `up.grad` 是 {{ up.grad.item() }}。跑了一个分支，图里就有一个乘法。`if` 什么也没有留下：
# 它只是问了一句，Python 得到回答就接着往下走了。
#
# 现在给同一个函数一个负数。`down.grad` 会是多少？

# %%
down = torch.tensor(-2.0, requires_grad=True)
z = bend(down)
z.backward()

# %% [markdown] question="predict" of="p.grad" lang="en"
# {{ down.grad.item() }}: this time the other branch ran, the slope of a square is twice the number, and this number is
# negative. The branch with the `3` is in this graph nowhere, so it has no say in the gradient.
#
# A loop grows the graph turn by turn. The next one goes on until `q` has reached a limit, so it is the **data** that
# decides how many nodes there will be. Count the factors `p` that end up in `q`. What will `p.grad` hold?

# %% [markdown] question="predict" of="p.grad" lang="zh"
# 是 {{ down.grad.item() }}：这次跑的是另一个分支，平方的斜率是这个数的两倍，而这个数是负的。
# 带 `3` 的那个分支根本不在这张图里，所以对梯度没有发言权。
#
# 循环每转一圈，图就长一截。下面的循环一直转到 `q` 达到上限，所以有多少个节点由**数据**决定。
# 数一数，`q` 里最后一共乘进了几个 `p`。`p.grad` 会是多少？

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
# The loop stopped with `q` at {{ q.item() }}, a power of `p`, and the slope of that power is {{ p.grad.item() }}. (If
# you had less, you may have missed a factor: two of them are there before the loop begins.) At `p` several paths meet,
# one per factor, and their shares are added. Press `k` to set another `limit`, and see a longer or a shorter graph.
#
# The printed lines name the last node and what comes before it: the multiplication of the turn before, and
# `AccumulateGrad`, which stands for the leaf `p`. So autograd's **nodes are operations**, and tensors go along its
# **edges**. In older notes you will find it drawn the other way round.
#
# In those notes you may also meet the old way of TensorFlow: first describe the whole graph, then open a session and
# feed it numbers. There an `if` had to be an operation of its own. Here plain Python does, and each run of your code
# makes a new graph.

# %% [markdown] lang="zh"
# 循环停下时 `q` 是 {{ q.item() }}，是 `p` 的一个幂，这个幂的斜率是 {{ p.grad.item() }}。
# （如果你的答案偏小，多半是漏了一个因子：循环开始之前就已经有两个了。）
# 好几条路在 `p` 处相会，每个因子一条，各自的份额加在一起。按 `k` 换一个 `limit`，看看图变长或变短。
#
# 打印出来的是最后一个节点，以及它前面的节点：上一圈的乘法，还有代表叶子节点 `p` 的 `AccumulateGrad`。
# 可见在 autograd 里，**节点是运算**，张量沿着**边**流动。有些旧笔记里画得正好相反。
#
# 你也许还会在旧笔记里见到早期 TensorFlow 的做法：先把整张图描述好，再打开一个会话，把数字喂进去。
# 在那里，`if` 得是一个专门的运算。而这里用普通的 Python 就够了：代码每运行一次，就长出一张新图。
