# ---
# jupyter:
#   gradtutor:
#     title: {en: "Making tensors"}
#     summary: {en: "From a list, filled with one number, shaped like another: and which type of number comes out."}
# ---

# %% [markdown] question="predict" of="a.dtype == b.dtype" lang="en"
# A tensor is a block of numbers that are all of **one type**, its `dtype`. Often you do not name the type, and
# PyTorch picks it for you. Half of the surprises with new tensors come from that choice.
#
# There are two spellings that look alike. `torch.tensor` is a function: it looks at your numbers and takes their
# type. `torch.Tensor` is the class itself; as a way to make tensors it is an old habit, and it asks nobody.
#
# Below both get the same list of whole numbers. Will both tensors have the same type? Answer `True` or `False`.

# %%
import torch

a = torch.tensor([1, 2])
b = torch.Tensor([1, 2])

# %% [markdown] lang="en"
# `a` has type `{{ a.dtype }}`, for whole numbers in, whole numbers out. `b` has `{{ b.dtype }}`, since `torch.Tensor`
# always makes that. Only floating-point tensors can have gradients, so the difference matters. Write `torch.tensor`,
# and write `1.0` where you mean a floating-point number.
#
# Often you know the shape and want it filled. Step through the next cell and keep an eye on the `dtype` column: one
# of these is not like the others. Which one, and what in its line made it so?

# %%
zeros = torch.zeros(2, 3)
ones = torch.ones_like(zeros)
sevens = torch.full((2, 3), 7)
halves = torch.full((2, 3), 0.5)
identity = torch.eye(3)

# %% [markdown] lang="en"
# `zeros` and `eye` make floating-point numbers unless told otherwise, and every `…_like` copies shape, type and device
# from the tensor that you show it. But `full` does as `torch.tensor` does: it takes the type of the number you give,
# so `sevens` came out as `{{ sevens.dtype }}`. The cure is to say what you want: `dtype=torch.float32`.
#
# `torch.empty` is the odd one. It takes memory and leaves in it **whatever was there before**. Watch its value in the
# next cell: it means nothing until something is written.

# %%
room = torch.empty(2, 3)
room.fill_(0.25)

# %% [markdown] question="predict" of="result is target" lang="en"
# One last way: do not make a tensor, write into one that you have. Many functions take `out=` for that.
#
# Below, `target` starts with no elements at all, of type `float64`. Is `result` the very same object as `target`?
# Answer `True` or `False`.

# %%
target = torch.empty(0, dtype=torch.float64)
result = torch.ones(2, 3, out=target)
print(result.shape, result.dtype)
