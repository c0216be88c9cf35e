# ---
# jupyter:
#   gradtutor:
#     title: {en: "How to walk", zh: "怎样走"}
#     summary:
#       en: "The keys, tried while you walk: steps, statements, calls, iterations, jumps, and what to do when lost."
#       zh: "边走边试所有按键：步、语句、函数调用、迭代、跳转，以及不知道按什么时该按什么。"
#     order: 0
#     topics:
#       en: [keys, palette, find, help]
#       zh: [按键, 命令面板, 查找, 帮助]
# ---

# %% [markdown] front="screen" lang="en"
# A lesson is a program. It has run already, all that it did was recorded, and you walk through the recording.
#
# Press `→`: a step is taken, and the tensor that it made appears on the right. `←` takes the step back. Where a
# text says "more below" at the top, `↓` shows the rest of it.

# %% [markdown] front="screen" lang="zh"
# 一课就是一个程序。它已经运行过，做的每一件事都记录了下来，你走的就是这份**运行记录**。
#
# 按 `→` 走一步，这一步得到的张量会出现在右边；按 `←` 退一步。
# 课文顶上写着“下面还有”时，按 `↓` 看余下的部分。

# %% [markdown] front="plain" lang="en"
# A lesson is a program. It has run already, all that it did was recorded, and you walk through the recording.
#
# Press Enter: a step is taken, and you hear which tensor it made. The letter h, then Enter, takes the step back.

# %% [markdown] front="plain" lang="zh"
# 一课就是一个程序。它已经运行过，做的每一件事都记录了下来，你走的就是这份运行记录。
#
# 按回车走一步，你会听到这一步得到了哪个张量。输入字母 h 再按回车，就退一步。

# %%
import torch

prices = torch.tensor([3.0, 5.0, 2.0])

# %% [markdown] front="screen" lang="en"
# `prices` is there: its row in **tensors** has its numbers, and `▸` marks each row that the step has changed. At the
# bottom stands what just ran, and below it what runs next.
#
# The next cell calls a function. There are three ways through it:
# - `→` goes into the function and stops at each operation
# - `n` takes the whole statement at once, with all that it calls; `p` goes back by one
# - `i` goes into a call, `o` out of it
#
# Try `n` up to the last line of the cell, `p` back, and then `i`.

# %% [markdown] front="screen" lang="zh"
# `prices` 出现了：它在**张量**窗格的那一行里有它的数值，`▸` 标出这一步改变了的每一行。
# 屏幕下方写着刚才运行了什么，再下面是接下来运行什么。
#
# 下一个单元格调用一个函数，有三种走法：
# - `→` 进入函数，在每个运算上停一下
# - `n` 一次走完整条语句，连同它调用的一切；`p` 退回上一条
# - `i` 进入函数调用，`o` 从里面出来
#
# 试一试：按 `n` 走到这个单元格的最后一行，按 `p` 退回来，再按 `i`。

# %% [markdown] front="plain" lang="en"
# `prices` is there. Type the word show at any step to hear all tensors with their numbers.
#
# The next cell calls a function. There are three ways through it:
# - Enter goes into the function and stops at each operation
# - the letter n takes the whole statement at once, with all that it calls; p goes back by one
# - the letter i goes into a call, o out of it
#
# Try n up to the last line of the cell, p back, and then i.

# %% [markdown] front="plain" lang="zh"
# `prices` 出现了。在任何一步输入 show，就能听到所有张量和它们的数值。
#
# 下一个单元格调用一个函数，有三种走法：
# - 按回车进入函数，在每个运算上停一下
# - 字母 n 一次走完整条语句，连同它调用的一切；p 退回上一条
# - 字母 i 进入函数调用，o 从里面出来
#
# 试一试：用 n 走到这个单元格的最后一行，用 p 退回来，再用 i。


# %%
def with_tax(price):
    tax = price * 0.25
    return price + tax


taxed = with_tax(prices)

# %% [markdown] question="predict" of="paid" lang="en"
# Next comes a loop that adds up what the function returned, one number in each iteration. What will `paid` hold when
# the loop has ended?
#
# A number that you type is your answer, wherever you are. `Enter` gives it, `s` skips the question.

# %% [markdown] question="predict" of="paid" lang="zh"
# 接下来的循环把函数返回的数加起来，每次迭代加一个。循环结束时，`paid` 会是多少？
#
# 无论停在哪里，直接输入一个数就是作答。按 `Enter` 提交，按 `s` 跳过这个问题。

# %% [markdown] wrong="prices.sum()" lang="en"
# That is the sum of `prices`, without the tax. `taxed` has a quarter more in each place.

# %% [markdown] wrong="prices.sum()" lang="zh"
# 那是 `prices` 的和，没有加税。`taxed` 的每个数都多出四分之一。

# %% [markdown] wrong="taxed[2]" lang="en"
# That is what the last iteration adds. The iterations before it have added theirs.

# %% [markdown] wrong="taxed[2]" lang="zh"
# 那是最后一次迭代加上的数。之前的迭代也各加了一个。

# %%
paid = torch.tensor(0.0)
for i in range(3):
    paid = paid + taxed[i]

# %% [markdown] front="screen" lang="en"
# `paid` is {{ paid.item() }}. Walk through the loop once more, in larger strides:
# - `{` goes to the iteration before, `}` to the next one; `[` and `]` do so with cells
# - `g` asks where to go: a number is a step, and `cell 2`, `iteration 2` and `end` are places too
# - `'` leads back to where the jump came from, `"` forward again
# - `/` finds a text in the code and the output, counts the places and marks them
# - `space` plays, and stops

# %% [markdown] front="screen" lang="zh"
# `paid` 是 {{ paid.item() }}。再走一遍循环，步子大一些：
# - `{` 到上一次迭代，`}` 到下一次；`[` 和 `]` 按单元格走
# - `g` 问你去哪里：一个数是第几步，`cell 2`、`iteration 2` 和 `end` 也是位置
# - `'` 回到跳转之前的地方，`"` 再往前
# - `/` 在代码和输出里查找文字，数出有几处，并标出来
# - 空格键播放，再按停下

# %% [markdown] front="plain" lang="en"
# `paid` is {{ paid.item() }}. Walk through the loop once more, in larger strides:
# - a left brace goes to the iteration before, a right brace to the next one; square brackets do so with cells
# - a number goes to that step; cell 2, iteration 2 and end are places too
# - an apostrophe leads back to where the jump came from, a quotation mark forward again
# - a slash and a text find the next step that has it

# %% [markdown] front="plain" lang="zh"
# `paid` 是 {{ paid.item() }}。再走一遍循环，步子大一些：
# - 左花括号到上一次迭代，右花括号到下一次；方括号按单元格走
# - 输入一个数就走到那一步；cell 2、iteration 2 和 end 也是位置
# - 撇号回到跳转之前的地方，双引号再往前
# - 斜杠加一段文字，找到下一个有这段文字的步

# %%
print("paid:", paid.item())

# %% [markdown] front="screen" lang="en"
# The screen is yours to arrange, too:
# - `Tab` goes to the next pane, `↑` and `↓` move in it, `z` gives it the whole screen and takes it back
# - `Enter` shows everything about the tensor under the mark, `y` copies its value
# - `L` changes between English and Chinese
#
# And when you have forgotten all of this:
# - `?` lists the keys, those of the pane that you are in first; typing filters them
# - `:` finds by its name whatever there is: an action, a lesson, a step, a tensor, the light theme
# - `Esc` leads back from anything, `q` quits
#
# `N` goes on to the next lesson.

# %% [markdown] front="screen" lang="zh"
# 屏幕怎么摆也由你：
# - `Tab` 到下一个窗格，`↑` `↓` 在里面移动，`z` 让它占满屏幕，再按还原
# - `Enter` 显示光标处张量的全部信息，`y` 复制它的值
# - `L` 在中文和英文之间切换
#
# 要是全忘了：
# - `?` 列出按键，先列所在窗格的；打字就能筛选
# - `:` 按名字找到一切：操作、课程、某一步、张量、浅色主题
# - `Esc` 从任何地方返回，`q` 退出
#
# `N` 去下一课。

# %% [markdown] front="plain" lang="en"
# And when you have forgotten all of this:
# - help lists all commands
# - a capital L changes between English and Chinese
# - q quits

# %% [markdown] front="plain" lang="zh"
# 要是全忘了：
# - help 列出所有命令
# - 大写的 L 在中文和英文之间切换
# - q 退出
