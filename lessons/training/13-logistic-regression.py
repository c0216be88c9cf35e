# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Logistic regression"
#       zh: "逻辑回归"
#     summary:
#       en: "Two clouds of points and a line between them: sigmoid, its loss, and the boundary as it moves."
#       zh: "两团点，中间一条线：sigmoid、它的损失，以及转动着的分界线。"
#     order: 200
#     topics:
#       en: [sigmoid, BCELoss, accuracy, decision boundary]
#       zh: [sigmoid, BCELoss, 准确率, 决策边界]
# ---

# %% [markdown] question="predict" of="middle" lang="en"
# This time we do not want a number but a decision: does a point belong to class 0 or to class 1? There are 200 points,
# half of each, in two clouds that touch.
#
# `Linear(2, 1)` computes one number `z` from the two coordinates, a **logit**: anything from far below zero to far
# above. `sigmoid` turns it into a probability of class 1: close to 0 for a very negative `z`, close to 1 for a large
# one, and rising smoothly in between.
#
# What does `sigmoid` make of a `z` of 0?

# %% [markdown] question="predict" of="middle" lang="zh"
# 这一次我们要的不是一个数，而是一个决定：一个点属于 0 类还是 1 类？一共 200 个点，两类各一半，是两团挨着的点。
#
# `Linear(2, 1)` 由两个坐标算出一个数 `z`，叫作 **logit**，可以远小于零，也可以远大于零。
# `sigmoid` 把它变成属于 1 类的概率：`z` 远小于零时接近 0，远大于零时接近 1，
# 中间平滑上升，整条曲线中心对称。
#
# `z` 为 0 时，`sigmoid` 给出多少？

# %% [markdown] wrong="0.0" lang="en"
# That is `z`. A probability of 0 would mean: certainly class 0, and for that `z` must be far below zero.

# %% [markdown] wrong="0.0" lang="zh"
# 那是 `z`。概率为 0 意味着肯定是 0 类，那要 `z` 远小于零才行。

# %% [markdown] wrong="1.0" lang="en"
# A probability of 1 would mean: certainly class 1, and for that `z` must be far above zero.

# %% [markdown] wrong="1.0" lang="zh"
# 概率为 1 意味着肯定是 1 类，那要 `z` 远大于零才行。

# %%
import plotext as plt
import torch
from torch import nn

torch.manual_seed(10)
n = torch.ones(100, 2)
class0 = torch.normal(1.7 * n, 1) + 1
class1 = torch.normal(-1.7 * n, 1) + 1
x = torch.cat([class0, class1])
t = torch.cat([torch.zeros(100), torch.ones(100)])

clouds = [cloud.T.tolist() for cloud in (class0, class1)]
plt.clf()
plt.scatter(*clouds[0], label="class 0")
plt.scatter(*clouds[1], label="class 1")
plt.build()

middle = torch.sigmoid(torch.tensor(0.0)).item()

# %% [markdown] question="choice" of="1 if ratio < 5 else 2 if ratio < 12 else 3" lang="en"
# {{ middle }}: undecided. The points where `z` is 0 form a line, the **decision boundary**.
#
# `BCELoss` takes the **logarithm** of the probability that the right class got, and changes its sign. (The logarithm
# of 1 is 0; the closer a number is to 0, the further its logarithm is below 0.)
#
# The right class is 1. One model says 0.9; another, sure of itself and wrong, 0.1. How much larger is its loss?
#
# 1. hardly larger
# 2. 9 times, as 0.9 is 9 times 0.1
# 3. about 20 times

# %% [markdown] question="choice" of="1 if ratio < 5 else 2 if ratio < 12 else 3" lang="zh"
# {{ middle }}：无法判定。凡是 `z` 恰好等于零的点，连成一条线，这条分界线叫作**决策边界**。
#
# `BCELoss` 取正确类别所得概率的**对数**，再变号。（1 的对数是 0；数越接近 0，它的对数越小，是绝对值越来越大的负数。）
#
# 正确的是 1 类。一个模型说 0.9；另一个信心十足却错了，说 0.1。后者的损失大多少？
#
# 1. 大不了多少
# 2. 9 倍，因为 0.9 是 0.1 的 9 倍
# 3. 20 倍左右

# %%
bce = nn.BCELoss()
one = torch.tensor(1.0)
sure = bce(torch.tensor(0.9), one)
wrong = bce(torch.tensor(0.1), one)
ratio = round((wrong / sure).item(), 1)

# %% [markdown] question="predict" of="right == 200" lang="en"
# {{ ratio }} times: {{ sure.item() }} against {{ wrong.item() }}. A probability of 1 costs nothing; the closer it comes
# to 0, the more. Being sure and wrong is what this loss punishes most.
#
# Now all of it together: a module, the loss, SGD with momentum (it keeps a part of its last steps), all 200 points at
# once. Every 20 iterations we draw the boundary; every 40, and this time on purpose, we count what is right, and stop
# at **more than 99 of 100**.
#
# Will it have got all 200 right by then? Answer `True` or `False`.

# %% [markdown] question="predict" of="right == 200" lang="zh"
# {{ ratio }} 倍：{{ sure.item() }} 对 {{ wrong.item() }}。概率是 1 就没有损失，越接近 0，损失越大。
# 这种损失罚得最重的，就是信心十足却错了。
#
# 现在把一切合在一起：模块、损失、带动量的 SGD（它会保留前几步的一部分），200 个点一次全部送进去。
# 每 20 次迭代画一次分界线；每 40 次数一次有多少点在对的一边（这回是有意的），**超过百分之九十九**就停。
#
# 到那时，200 个点全都分对了吗？回答 `True` 或 `False`。

# %%
lr = 0.01  # @param {type: number, min: 0.001, max: 1, step: 0.001}
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def draw(w0, w1, bias):
    plt.clf()
    plt.scatter(*clouds[0], label="class 0")
    plt.scatter(*clouds[1], label="class 1")
    plt.plot([-3, 5], [-(w0 * side + bias) / w1 for side in (-3, 5)])
    plt.xlim(-3, 5)
    plt.ylim(-4, 6)
    plt.build()


history = {}
for iteration in range(1000):
    p = torch.sigmoid(model(x)).squeeze(1)
    loss = bce(p, t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if iteration % 20 == 0:
        draw(*model.weight[0].tolist(), model.bias.item())
    if iteration % 40 == 0:
        right = ((p >= 0.5) == (t == 1)).sum().item()
        history[iteration] = right / 200
        if right / 200 > 0.99:
            break
print(f"iteration {iteration}: {right} of 200 are right, loss {loss.item():.4f}")

# %% [markdown] when="right == 199" lang="en"
# {{ right }} of 200, at `iteration` = {{ iteration }}: the clouds touch, and one point is still on the wrong side.

# %% [markdown] when="right == 199" lang="zh"
# `iteration` 为 {{ iteration }} 时，200 个里对了 {{ right }} 个：两团点挨在一起，还有一个在错的一边。

# %% [markdown] when="right == 200" lang="en"
# All {{ right }} of 200, at `iteration` = {{ iteration }}: the clouds touch, but there is a line between them, and with
# this `lr` it was found soon.

# %% [markdown] when="right == 200" lang="zh"
# `iteration` 为 {{ iteration }} 时，200 个全对了：两团点挨在一起，但中间仍有一条直线能把它们分开，
# 用这个 `lr` 很快就找到了。

# %% [markdown] when="right < 199" lang="en"
# {{ right }} of 200, and the loop came to its end at `iteration` = {{ iteration }}: with this `lr` the boundary moves
# slowly, and some points are still on the wrong side.

# %% [markdown] when="right < 199" lang="zh"
# 200 个里对了 {{ right }} 个，循环跑完时 `iteration` 是 {{ iteration }}：用这个 `lr`，分界线移动得慢，
# 还有一些点在错的一边。


# %% [markdown] lang="en"
# Press `g`, write `iteration 2`, then `iteration 22`, and see how the boundary has moved. The loss falls on and on,
# also where the count stays the same, because the model grows **surer** of what it has right.
#
# Everyday code leaves the sigmoid out of the model and takes `BCEWithLogitsLoss`, which gets the logits `z`, does
# both at once and stays exact for large `z`.
#
# The function below counts for such a model, from `z` directly. It counts too few. Fix it: press `e`.

# %% [markdown] lang="zh"
# 按 `g`，输入 `iteration 2`，再输入 `iteration 22`，看分界线移到了哪里。
# 对的个数不变的时候，损失也一直在降，因为模型对已经答对的越来越**有把握**。
#
# 平常的代码不在模型里放 sigmoid，而用 `BCEWithLogitsLoss`，它直接接收 logit，也就是 `z`，把两件事一起做，
# `z` 很大时也算得准。
#
# 下面的函数为这样的模型计数，直接从 `z` 判断。它数少了。改好它：按 `e`。


# %% tags=["exercise"] id="count" kind="bug"
def count_right(z, target):
    says_one = z > 0.5
    return (says_one == (target == 1)).sum().item()


z = model(x).detach().squeeze(1)
print("right:", count_right(z, t), "of", len(t))

# %% [markdown] tags=["hint"] lang="en"
# 0.5 is the middle of the probabilities. Is it the middle of `z`, too?

# %% [markdown] tags=["hint"] lang="zh"
# 0.5 是概率的正中间。它也是 `z` 的正中间吗？

# %% [markdown] tags=["hint"] lang="en"
# You answered it in the first question: which `z` does sigmoid turn into 0.5?

# %% [markdown] tags=["hint"] lang="zh"
# 第一个问题你已经答过了：哪个 `z` 经过 sigmoid 变成 0.5？


# %% tags=["solution"]
def count_right(z, target):
    says_one = z > 0
    return (says_one == (target == 1)).sum().item()


z = model(x).detach().squeeze(1)
print("right:", count_right(z, t), "of", len(t))

# %% tags=["check"]
some = torch.tensor([-2.0, -0.2, 0.2, 0.4, 3.0])
ones = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])
mine = count_right(some, ones)
assert mine is not None, {
    "en": "Nothing is returned.",
    "zh": "什么也没有返回。",
}
assert mine != 3, {
    "en": (
        "A z of 0.2 or 0.4 is a probability above 0.5, so the model says 1. You count it as 0. "
        "Where is the boundary of z?"
    ),
    "zh": "z 是 0.2 或 0.4 时，概率大于 0.5，所以模型说的是 1，你却算作 0。z 的分界在哪里？",
}
assert mine != 0, {
    "en": "It counts the wrong ones: it says 0 where z is above the boundary.",
    "zh": "它数的是答错的：z 在分界以上时，它却说 0。",
}
assert mine == 5, {
    "en": f"All 5 of [-2, -0.2, 0.2, 0.4, 3] are right for the classes [0, 0, 1, 1, 1], and you count {mine}.",
    "zh": f"对类别 [0, 0, 1, 1, 1]，[-2, -0.2, 0.2, 0.4, 3] 这 5 个全对，你数出 {mine} 个。",
}
assert count_right(some, 1 - ones) == 0, {
    "en": "With all classes the other way round none is right. Do you look at `target`?",
    "zh": "类别全部反过来，就一个也不对。你看 `target` 了吗？",
}
