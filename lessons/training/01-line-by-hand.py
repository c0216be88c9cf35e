# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A line, trained by hand"
#       zh: "亲手训练一条直线"
#     summary:
#       en: "Forward, backward, update, clear: the whole of training, without an optimizer."
#       zh: "前向、反向、更新、清零：不用优化器，训练的全部就这四步。"
# ---

# %% [markdown] lang="en"
# Three points lie on a line through the origin, and a model of one weight shall find its slope. We write each part of
# training ourselves; there are only four:
#
# 1. **forward**: compute the loss of one sample,
# 2. **backward**: get the gradient of the weight,
# 3. **update**: move the weight a little against its gradient; `lr`, the learning rate, says how little,
# 4. **clear** the gradient for the next sample.

# %% [markdown] lang="zh"
# 三个点都在一条过原点的直线上，要让只有一个权重的模型找出它的斜率。训练的每一步都由我们自己来写，一共只有四步：
#
# 1. **前向**：算出一个样本的损失；
# 2. **反向**：得到权重的梯度；
# 3. **更新**：让权重逆着梯度挪一点点，挪多少由学习率 `lr` 决定；
# 4. **清零**：清掉梯度，留给下一个样本用。

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor([1.0], requires_grad=True)
lr = 0.01  # @param {type: number, min: 0.0001, max: 0.3}


def forward(x):
    return w * x


print("before training: 4 gives", forward(4).item())

# %% [markdown] question="predict" of="first" lang="en"
# Here is one **epoch**: each sample once. The update stands under `torch.no_grad()`, for it is not part of what the
# model computes, and must not become part of its graph. (In older code you will see `w.data -= lr * w.grad` there. It
# goes behind autograd's back, and so do its mistakes.)
#
# The first sample is 1, and should give 2. What is the first gradient?

# %% [markdown] question="predict" of="first" lang="zh"
# 下面是一个 **epoch**（轮）：每个样本各用一次。更新写在 `torch.no_grad()` 里，因为它不属于模型的计算，
# 不该进到计算图里去。（旧代码里这一行写作 `w.data -= lr * w.grad`。那是瞒着 autograd 做的，出了错也一样瞒着。）
#
# 第一个样本是 1，应当得到 2。第一个梯度是多少？

# %%
gradients = []
for x, target in samples:
    loss = (forward(x) - target) ** 2
    loss.backward()
    gradients.append(w.grad.item())
    with torch.no_grad():
        w -= lr * w.grad
    w.grad.zero_()
first = gradients[0]
print("gradients of epoch 0:", [round(gradient, 4) for gradient in gradients])

# %% [markdown] question="predict" of="answer" lang="en"
# It was {{ first }}: twice the miss, times the input. (If you left out the minus: the model said too little, and the
# miss is output minus target.)
#
# All three gradients are below zero, so all three samples want a larger weight, and each update gives them some. The
# last gradient is the largest in size: it is twice the miss times the input, and at the largest input both are large.
#
# Now the other epochs. The model will never be shown the input 4. What will it say to it in the end?

# %% [markdown] question="predict" of="answer" lang="zh"
# 是 {{ first }}：误差的两倍，再乘以输入。（少了负号的话：模型给少了，而误差是输出减去目标。）
#
# 三个梯度都小于零，也就是三个样本都想要更大的权重，每次更新都给它们一点。
# 最后一个样本的梯度绝对值最大：它是误差的两倍再乘以输入，而输入最大的地方，误差和输入都大。
#
# 现在跑完其余的 epoch。模型从没见过输入 4，最后它会给出多少？

# %%
for epoch in range(1, 100):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        w.grad.zero_()
answer = round(forward(4).item(), 7)
missing = 8 - answer
print("after training: 4 gives", answer)

# %% [markdown] lang="en"
# It says {{ answer }}, and to be exact, {{ missing }} is missing from the 8 of the line. With an `lr` of 0.01 the
# weight comes close, and never quite arrives: the closer it is, the smaller the gradients get, and the smaller its
# steps. Look at the chart: a steep fall, then a long flat tail. Go back with `B`, from one backward pass to the one
# before; inside of the loop `{` and `}` go from turn to turn.
#
# `Tab` to the chart and make it large with `z`: it has teeth. Each epoch goes through three samples, and each has a
# loss of its own.
#
# Press `k` and try an `lr` of 0.0001, then one of 0.3. The first is still on its way when the epochs are over; the
# second steps over the goal each time, and the loss grows until it is no number any more (`nan`).

# %% [markdown] lang="zh"
# 它给出 {{ answer }}，准确地说，离直线上的 8 还差 {{ missing }}。`lr` 是 0.01 时，权重能靠得很近，却没有真正到达：
# 越接近，梯度越小，步子也越小。
# 看看图表：先是陡降，然后拖着一条又长又平的尾巴。
# 用 `B` 一趟反向传播一趟反向传播地往回走；到了循环里，`{` 和 `}` 一圈一圈地跳。
#
# 用 `Tab` 走到图表，按 `z` 放大：上面还有锯齿。每个 epoch 要过三个样本，每个样本的损失各不相同。
#
# 按 `k`，先把 `lr` 改成 0.0001，再改成 0.3。前一个跑完所有 epoch 还在半路上；
# 后一个每一步都跨过头，损失越来越大，直到不再是个数（`nan`）。
