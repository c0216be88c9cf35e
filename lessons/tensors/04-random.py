# ---
# jupyter:
#   gradtutor:
#     title: {en: "Random, but repeatable", zh: "可以重来的随机数"}
#     summary:
#       en: "What a seed does, and what rand, randn, randint, randperm, bernoulli and normal draw."
#       zh: "随机种子管什么；rand、randn、randint、randperm、bernoulli 和 normal 各抽什么。"
#     topics:
#       en: [manual_seed, rand, randint, randperm, bernoulli, normal]
#       zh: [manual_seed, rand, randint, randperm, bernoulli, normal]
# ---

# %% [markdown] question="choice" of="1 if third.equal(first) else 2 if third.equal(second) else 3" lang="en"
# Random numbers come from one fixed sequence; a **seed** picks the start. Same seed, same numbers: you can tell
# progress from luck. `torch.rand` takes the next numbers, from 0 up to 1.
#
# The seed is set a second time. What will `third` hold?
#
# 1. the same as `first`
# 2. the same as `second`
# 3. two new numbers

# %% [markdown] question="choice" of="1 if third.equal(first) else 2 if third.equal(second) else 3" lang="zh"
# 随机数取自一个固定的序列，**随机种子**决定从哪里开始取。
# 种子固定，结果就能复现，也就分得清是方法好还是运气好。`torch.rand` 往下取几个，都在 0 到 1 之间。
#
# 种子又设了一次。`third` 会是什么？
#
# 1. 和 `first` 一样
# 2. 和 `second` 一样
# 3. 两个新的数

# %%
import torch

seed = 7  # @param {type: number, min: 0, max: 99, step: 1}

torch.manual_seed(seed)
first = torch.rand(2)
second = torch.rand(2)

torch.manual_seed(seed)
third = torch.rand(2)

# %% [markdown] question="predict" of="rolls.max().item()" lang="en"
# `third` is {{ third.tolist() }}, and so is `first`: same seed, same numbers. `second` came later in the sequence.
# Another seed begins elsewhere; `k` lets you try one. (NumPy has its own sequence: `np.random.seed` does nothing
# here.)
#
# Step over some other draws with `→`: whole numbers, an order, numbers around zero, coins.
#
# The first line, `torch.randint(1, 6, (600,))`, throws a die six hundred times. What is the **largest** number among
# the rolls?

# %% [markdown] question="predict" of="rolls.max().item()" lang="zh"
# `third` 是 {{ third.tolist() }}，`first` 也是：种子相同，数就相同。`second` 排在后面。
# 换个种子，就从别处开始，按 `k` 可以试试。（NumPy 另有自己的序列，`np.random.seed` 在这里不管用。）
#
# 按 `→` 看看别的抽法：整数、次序、零附近的数、硬币。
#
# 第一行 `torch.randint(1, 6, (600,))` 掷了六百次骰子。掷出的点数里，**最大**的是几？

# %%
rolls = torch.randint(1, 6, (600,))
places = torch.randperm(5)
around = torch.randn(4)
chances = torch.tensor([0.0, 0.5, 1.0])
coins = torch.bernoulli(chances)

# %% [markdown] question="predict" of="pairs.numel()" lang="en"
# Never a six: `randint` leaves its end out, like `arange`. A die is `randint(1, 7, …)`.
#
# `randperm(5)` gives each number below five once, {{ places.tolist() }}: an order to shuffle by. `bernoulli` takes the
# *chance* of a 1, so only its middle coin was open.
#
# `normal` draws from a normal distribution: you choose the mean and the **standard deviation**, how far the numbers
# typically are from the mean. Here it gets **three means and three standard deviations**. How many numbers come out?

# %% [markdown] question="predict" of="pairs.numel()" lang="zh"
# 一个六点也没有：`randint` 和 `arange` 一样不含末尾。真正的骰子要写 `randint(1, 7, …)`。
#
# `randperm(5)` 把小于五的数各给一次，{{ places.tolist() }}：打乱次序就用它。
# 给 `bernoulli` 的是抽到 1 的**概率**，所以只有中间那枚硬币还有悬念。
#
# `normal` 从正态分布里抽数，均值和**标准差**（数通常离均值多远）由你定。这里给了它**三个均值、三个标准差**。
# 会得到几个数？

# %%
means = torch.tensor([0.0, 10.0, 100.0])
spreads = torch.tensor([0.0, 1.0, 5.0])

pairs = torch.normal(means, spreads)
one_spread = torch.normal(means, 1.0)
one_mean = torch.normal(0.0, spreads)
neither = torch.normal(0.0, 1.0, (4,))

try:
    torch.normal(0.0, 1.0)
except TypeError as problem:
    print(str(problem).splitlines()[0])

# %% [markdown] lang="en"
# First with first, second with second: {{ pairs.tolist() }}. A standard deviation of zero gives the mean itself. A
# plain number serves all elements; two plain numbers do not say how many you want, so they need a **size**, or it
# fails.
#
# Your turn. Each `y` is ten times the `x` in its place. The cell shuffles both (`x[order]` takes the elements in that
# order), but in different orders, so the pairs no longer match. Fix it (`e`).

# %% [markdown] lang="zh"
# 第一个配第一个，第二个配第二个：{{ pairs.tolist() }}。标准差为零，抽到的就是均值本身。
# 有一个是标量，就由所有元素共用；两个都是标量，必须用 `size` 指明个数，否则出错。
#
# 轮到你了。每个 `y` 都是同一位置上 `x` 的十倍。
# 这个单元格把两者都打乱了（`x[order]` 按这个次序取元素），用的次序却不同，于是各对不再匹配。
# 按 `e` 改好它。

# %% tags=["exercise"] id="keep-pairs" kind="bug"
torch.manual_seed(7)
x = torch.arange(8.0)
y = 10 * x

x = x[torch.randperm(8)]
y = y[torch.randperm(8)]

# %% [markdown] tags=["hint"] lang="en"
# `randperm` is called twice. Does it give the same order both times?

# %% [markdown] tags=["hint"] lang="zh"
# `randperm` 调用了两次。两次给的次序一样吗？

# %% [markdown] tags=["hint"] lang="en"
# Draw one order, keep it under a name, and use it for both.

# %% [markdown] tags=["hint"] lang="zh"
# 只抽一个次序，给它起个名字，两边都用它。

# %% tags=["solution"]
torch.manual_seed(7)
x = torch.arange(8.0)
y = 10 * x

order = torch.randperm(8)
x = x[order]
y = y[order]

# %% tags=["check"]
lost = [number for number in range(8) if number not in x.tolist()]
assert not lost, {
    "en": f"Every x should still be there once, but {lost} are gone: draw a randperm(8).",
    "zh": f"每个 x 都应当还在，各一次，可是 {lost} 不见了：抽一个 randperm(8)。",
}
torn = [number for number in range(8) if y[number] != 10 * x[number]]
assert not torn, {
    "en": (
        f"{len(torn)} of the 8 pairs are torn: look at places {torn} of x and y in the table."
        " Each call of randperm draws a new order, so draw one and use it for both."
    ),
    "zh": (
        f"8 对里拆散了 {len(torn)} 对：看看表里 x 和 y 的位置 {torn}。每次调用 randperm 都抽一个新的次序，"
        "所以只抽一个，两边都用它。"
    ),
}
assert x.tolist() != sorted(x.tolist()), {
    "en": "The pairs are together, but nothing is shuffled any more.",
    "zh": "各对都在一起，可是什么也没有打乱。",
}
