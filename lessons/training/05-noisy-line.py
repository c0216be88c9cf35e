# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A line through noise"
#       zh: "穿过噪声的直线"
#     summary:
#       en: "Linear regression: twenty noisy points, and a line that gradient descent turns into place."
#       zh: "线性回归：二十个带噪声的点，梯度下降让一条直线转到合适的位置。"
#     order: 150
#     topics:
#       en: [linear regression, gradient descent, noise, mean loss]
#       zh: [线性回归, 梯度下降, 噪声, 平均损失]
#     aliases: [training/linear-regression]
# ---

# %% [markdown] lang="en"
# Real data has noise. Here are twenty points around a line. We know the slope and the intercept, since we made them
# up; the model does not, and has to find a weight `w` and a bias `b` from the points alone.
#
# Random numbers would differ from run to run, so we fix the **seed**. `rand` draws numbers between 0 and 1, `randn`
# draws numbers around 0: the noise. All twenty points go through the model at once, as a column: that is what the
# shape says in the table.
#
# `draw` makes a picture with plotext. It appears in the chart; `plt.show()` would print it.

# %% [markdown] lang="zh"
# 真实的数据带有噪声。这里有二十个点，散布在一条直线周围。斜率和截距我们知道，因为是我们自己编的；
# 模型不知道，只能凭这些点找出权重 `w` 和偏置 `b`。
#
# 随机数每次运行都会不同，所以我们固定**种子**。`rand` 取 0 到 1 之间的随机数，`randn` 取 0 附近的随机数，也就是噪声。
# 二十个点排成一列，一次全部送进模型：表格里的形状说的就是这个。
#
# `draw` 用 plotext 画图，画好了就出现在图表里；换成 `plt.show()` 就会打印出来。

# %%
import plotext as plt
import torch

torch.manual_seed(10)

slope = 2  # @param {type: number, min: 1, max: 5, step: 1}
x = 10 * torch.rand(20, 1)
y = slope * x + (5 + torch.randn(20, 1))

w = torch.randn(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
points = x.flatten().tolist(), y.flatten().tolist()


def draw(weight, bias):
    plt.clf()
    plt.scatter(*points)
    plt.plot([0, 10], [bias, 10 * weight + bias])
    plt.ylim(0, 10 * slope + 10)
    plt.build()


# %% [markdown] question="predict" of="w.item() > slope" lang="en"
# The loss is the mean over all points of half the squared error. One backward pass gives both gradients, and after
# each update we draw the line, and ask whether the loss was small enough to stop.
#
# The bias starts at zero, well below the truth, and moves slowly: its gradient is the error alone, while that of `w`
# is the error times `x`. Until it gets there, only `w` can raise the line.
#
# When training stops, will `w` be **larger** than the true slope? Answer `True` or `False`.

# %% [markdown] question="predict" of="w.item() > slope" lang="zh"
# 损失是每个点误差平方的一半，再对所有点求平均。一次反向传播给出两个梯度；
# 每次更新之后，画一次直线，再判断损失是否已经小到可以停止。
#
# 偏置从零开始，离真正的值还很远，又走得慢：它的梯度只是误差，而 `w` 的梯度是误差乘以 `x`。
# 在它赶上来之前，直线的高度只能由 `w` 补足。
#
# 训练停下时，`w` 会比真正的斜率**大**吗？回答 `True` 或 `False`。

# %%
lr = 0.05  # @param {type: number, min: 0.001, max: 0.06}
stop = 1.0  # @param {type: number, min: 0.1, max: 10}

for iteration in range(1000):
    loss = (0.5 * (y - (w * x + b)) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if iteration < 100:
        draw(w.item(), b.item())
    if loss.item() < stop:
        break
print(f"iteration {iteration}: loss {loss.item():.4f}, w {w.item():.4f}, b {b.item():.4f}")

# %% [markdown] when="loss.item() < stop and iteration > 10" lang="en"
# It stopped at `iteration` = {{ iteration }}, with `w` at {{ w.item() }} and `b` still at {{ b.item() }}. (`range`
# counts from 0; gradtutor counts iterations from 1, so its number is one higher.) The weight grew quickly in the first
# few iterations and made up for the missing bias; since then it has been shrinking, while `b` rises slowly.

# %% [markdown] when="loss.item() < stop and iteration > 10" lang="zh"
# 停下时 `iteration` 是 {{ iteration }}，`w` 是 {{ w.item() }}，`b` 还只有 {{ b.item() }}。
# （`range` 从 0 数起，gradtutor 从 1 数起，所以它显示的迭代次数要大 1。）
# 最初几次迭代里，权重变得过大，补上了偏置还欠缺的高度；后来它一点点降回来，`b` 则慢慢上升。

# %% [markdown] when="loss.item() < stop and iteration <= 10" lang="en"
# It stopped already at `iteration` = {{ iteration }}, because the loss only had to get below {{ stop }}: `w` is at
# {{ w.item() }}, and `b` is still at {{ b.item() }}. The weight grew quickly at once and made up for the missing bias.
# In a longer training it would shrink again, while `b` rises slowly.

# %% [markdown] when="loss.item() < stop and iteration <= 10" lang="zh"
# `iteration` 才到 {{ iteration }} 就停下了，因为损失只需小于 {{ stop }}：`w` 是 {{ w.item() }}，
# `b` 还只有 {{ b.item() }}。
# 权重一开始就变得过大，补上了偏置还欠缺的高度。训练再久一些，它会一点点降回来，`b` 则慢慢上升。

# %% [markdown] when="stop <= loss.item() < 1e6" lang="en"
# The loop came to its end without a loss below {{ stop }}: it is {{ loss.item() }}, with `w` at {{ w.item() }} and `b`
# at {{ b.item() }}. The weight grew quickly in the first few iterations and made up for the missing bias; since then it
# has been shrinking, while `b` rises slowly.

# %% [markdown] when="stop <= loss.item() < 1e6" lang="zh"
# 循环跑完了，损失始终没有小于 {{ stop }}：它是 {{ loss.item() }}，`w` 是 {{ w.item() }}，`b` 是 {{ b.item() }}。
# 最初几次迭代里，权重变得过大，补上了偏置还欠缺的高度；后来它一点点降回来，`b` 则慢慢上升。

# %% [markdown] when="not loss.item() < 1e6" lang="en"
# The loop came to its end, and the loss is {{ loss.item() }}: with an `lr` this large each step goes past the goal, and
# further each time. `w` has come to {{ w.item() }}.

# %% [markdown] when="not loss.item() < 1e6" lang="zh"
# 循环跑完了，损失是 {{ loss.item() }}：`lr` 这么大，每一步都越过目标，而且一次比一次远。`w` 到了 {{ w.item() }}。

# %% [markdown] front="screen" lang="en"
# `Tab` to the chart, then go back with `B` and watch the line rotate. (`v` in that pane shows the curve of the loss.)

# %% [markdown] front="screen" lang="zh"
# 用 `Tab` 切到图表，再用 `B` 往回走，看直线怎样转动。（在那里按 `v`，换成损失的曲线。）

# %% [markdown] lang="en"
# The two gradients are simple enough to write down. The error of a point is output minus target. Half its square has
# the error itself as its derivative with respect to the output; the output changes with `b` one to one, and with `w`
# by `x`. And the loss is a mean over all points, so the gradients are means too.
#
# `gradients` should return both, without autograd, for any line. That of the bias is there; write the other: press `e`.

# %% [markdown] lang="zh"
# 这两个梯度很简单，可以直接写出来。一个点的误差是输出减去目标。误差平方的一半对输出求导，就是误差本身；
# `b` 变多少，输出就变多少；`w` 变一点，输出就变它的 `x` 倍。损失是对所有点求平均，所以梯度也是平均。
#
# `gradients` 应当不用 autograd，为任意一条直线返回这两个梯度。偏置的已经写好，写出权重的：按 `e`。


# %% tags=["exercise"] id="gradients" kind="fill"
def gradients(weight, bias):
    error = (weight * x + bias) - y
    return ..., error.mean()


print(gradients(1.0, 0.0))

# %% [markdown] tags=["hint"] lang="en"
# The gradient of the bias is the mean of the errors. How does the output change when the weight does?

# %% [markdown] tags=["hint"] lang="zh"
# 偏置的梯度是误差的平均。权重变一点，输出变多少？

# %% [markdown] tags=["hint"] lang="en"
# By `x` times as much. So each error is multiplied by its `x` first, and then the mean is taken.

# %% [markdown] tags=["hint"] lang="zh"
# 变它的 `x` 倍。所以先把每个误差乘以它的 `x`，再求平均。


# %% tags=["solution"]
def gradients(weight, bias):
    error = (weight * x + bias) - y
    return (error * x).mean(), error.mean()


print(gradients(1.0, 0.0))


# %% tags=["check"]
def by_autograd(weight, bias):
    leaves = [torch.tensor(float(number), requires_grad=True) for number in (weight, bias)]
    (0.5 * (y - (leaves[0] * x + leaves[1])) ** 2).mean().backward()
    return [leaf.grad.item() for leaf in leaves]


made = gradients(1.0, 0.0)
assert not any(each is ... for each in made), {
    "en": "gradients still returns dots: the gradient of the weight belongs there.",
    "zh": "gradients 返回的还有省略号：那里要写权重的梯度。",
}
assert all(getattr(each, "numel", lambda: 1)() == 1 for each in made), {
    "en": "Each gradient should be one number: take the mean over the points.",
    "zh": "每个梯度都应当是一个数：要对所有点求平均。",
}
mine, right = [float(each) for each in made], by_autograd(1.0, 0.0)
error = (x - y).mean().item()
assert abs(mine[0] - right[0] * 20) > 1e-2, {
    "en": "The weight's is 20 times too large: that is the sum over the points, not the mean.",
    "zh": "权重的梯度大了 20 倍：那是对各点求和，不是平均。",
}
assert not (abs(mine[0] + right[0]) < 1e-2 and abs(mine[1] + right[1]) < 1e-2), {
    "en": "Both have the wrong sign: the error is output minus target.",
    "zh": "两个的符号都反了：误差是输出减去目标。",
}
assert not (abs(mine[0] - right[1]) < 1e-2 and abs(mine[1] - right[0]) < 1e-2), {
    "en": "They are in the wrong order: first the weight's, then the bias's.",
    "zh": "次序反了：先是权重的，再是偏置的。",
}
assert abs(mine[0] - error) > 1e-2, {
    "en": "The weight's is the mean of the errors: each error has to be multiplied by its x first.",
    "zh": "权重的梯度现在是误差的平均：每个误差要先乘以它的 x。",
}
assert abs(mine[0] - right[0]) < 1e-2, {
    "en": f"For the line of weight 1 and bias 0 the weight's gradient is {right[0]:.4f}, and yours {mine[0]:.4f}.",
    "zh": f"权重为 1、偏置为 0 时，权重的梯度是 {right[0]:.4f}，你的是 {mine[0]:.4f}。",
}
assert abs(mine[1] - right[1]) < 1e-2, {
    "en": f"For the line of weight 1 and bias 0 the bias's gradient is {right[1]:.4f}, and yours {mine[1]:.4f}.",
    "zh": f"权重为 1、偏置为 0 时，偏置的梯度是 {right[1]:.4f}，你的是 {mine[1]:.4f}。",
}
other = [float(each) for each in gradients(3.0, 2.0)]
assert all(abs(one - two) < 1e-2 for one, two in zip(other, by_autograd(3.0, 2.0), strict=True)), {
    "en": "It is right for one line and wrong for another: use weight and bias.",
    "zh": "对一条直线是对的，换一条就不对：要用到 weight 和 bias。",
}
