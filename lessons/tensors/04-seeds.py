# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Random, but repeatable"
#       zh: "可以重来的随机数"
#     summary:
#       en: "What a seed does, what changes the numbers all the same, and how to shuffle pairs."
#       zh: "随机种子决定什么，什么会让数照样改变，以及怎样成对地打乱。"
#     topics:
#       en: [manual_seed, rand, randperm, shuffling]
#       zh: [manual_seed, rand, randperm, 打乱次序]
#     aliases: [tensors/random]
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

# %% [markdown] wrong="2" lang="en"
# `second` would come next if the sequence went on. Setting the seed goes back to its start.

# %% [markdown] wrong="2" lang="zh"
# 接着往下取，才轮到 `second`。重设种子会回到序列的起点。

# %% [markdown] wrong="3" lang="en"
# Without the second seed they would be new. The seed goes back to the start of the sequence.

# %% [markdown] wrong="3" lang="zh"
# 不重设种子，就是新的数。重设种子会回到序列的起点。

# %%
import torch

seed = 7  # @param {type: number, min: 0, max: 99, step: 1}

torch.manual_seed(seed)
first = torch.rand(2)
second = torch.rand(2)

torch.manual_seed(seed)
third = torch.rand(2)

# %% [markdown] question="predict" of="shifted.equal(first)" lang="en"
# `third` is {{ third.tolist() }}, and so is `first`: same seed, same numbers. `second` came later in the sequence.
# Another seed begins elsewhere; `k` lets you try one. (NumPy has its own sequence: `np.random.seed` does nothing
# here.)
#
# So a run repeats exactly, as long as it draws the *same things in the same order*. Below, the seed is set again, and a
# single number is drawn before the two. Will `shifted` be equal to `first`? Answer `True` or `False`.

# %% [markdown] question="predict" of="shifted.equal(first)" lang="zh"
# `third` 是 {{ third.tolist() }}，`first` 也是：种子相同，数就相同。`second` 排在后面。
# 换个种子，就从别处开始，按 `k` 可以试试。（NumPy 另有自己的序列，`np.random.seed` 在这里不起作用。）
#
# 所以，只要*抽取的次序和内容完全相同*，运行就能完全重现。下面重新设种子，但在抽那两个数之前，先抽了一个数。
# `shifted` 会和 `first` 相等吗？回答 `True` 或 `False`。

# %%
torch.manual_seed(seed)
extra = torch.rand(1)
shifted = torch.rand(2)
order = torch.randperm(5)

# %% [markdown] lang="en"
# No: `extra` took the first number, and `shifted` begins with the second. A layer more in a network, or another order
# of two lines, and all later numbers are different, with the same seed.
#
# `randperm(5)` gives each number below five once, {{ order.tolist() }}: an order to shuffle by, and the draw that
# training needs most.
#
# Your turn. Each `y` is ten times the `x` in its place. The cell shuffles both (`x[order]` takes the elements in that
# order), but in different orders, so the pairs no longer match. Fix it (`e`).

# %% [markdown] lang="zh"
# 不会：`extra` 抽走了第一个数，`shifted` 从第二个开始。网络里多一层，或者两行换了次序，
# 种子虽然相同，后面的随机数就全都不同了。
#
# `randperm(5)` 把小于五的数各给一次，{{ order.tolist() }}：打乱次序就用它，训练时用得最多。
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

together = torch.randperm(8)
x = x[together]
y = y[together]

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
