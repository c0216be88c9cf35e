"""What went wrong, in Chinese."""

MISTAKES: dict[str, str] = {
    # where, and what is spoken of
    "`{code}` on {line}": "{line}的 `{code}` ",
    "step {number}": "第 {number} 步",
    "the result": "结果",
    "the tensor": "该张量",
    "a tensor": "某个张量",
    "an operation": "运算",
    # backward where it cannot go
    "the backward pass of {place}": "{place}那次反向传播",
    "The graph behind {root} was used up: {before} went through it and let go of the values that its nodes had "
    "saved.": ("{root} 背后的计算图已经用掉了：{before}经过它，并释放了各节点保存的值。"),
    "Compute {root} anew before each backward, or, if you do want two passes through one graph, write "
    "retain_graph=True in the first.": (
        "每次 backward 之前重新计算 {root}；如果确实要在同一张图上反向传播两次，就在第一次写 retain_graph=True。"
    ),
    "Compute {root} anew before each backward.": "每次 backward 之前重新计算 {root}。",
    "{name} is computed once, before the loop: compute it anew in each iteration.": (
        "{name} 只在循环之前计算了一次：请在每次迭代里重新计算它。"
    ),
    "Or, if you do want several passes through one graph, write retain_graph=True in all but the last.": (
        "如果确实要在同一张图上反向传播多次，就在最后一次以外的每一次写 retain_graph=True。"
    ),
    "A part of the graph behind {root} was used up: it reaches back into what {before} went through and let go of. If "
    "nothing should flow back that far, detach what is carried over from there after that pass.": (
        "{root} 背后的计算图有一部分已经用掉了：它一直通到{before}经过并释放的地方。"
        "如果梯度不该流回那么远，就在那次反向传播之后，把沿用下来的张量 detach。"
    ),
    "A part of the graph behind {root} was used up: through {name}, it reaches back into what {before} went through "
    "and let go of.": ("{root} 背后的计算图有一部分已经用掉了：它经由 {name} 一直通到{before}经过并释放的地方。"),
    "If nothing should flow back that far, write {code} after each backward pass.": (
        "如果梯度不该流回那么远，就在每次反向传播之后写 {code}。"
    ),
    "If nothing should flow back that far, write `{code}` instead of `{old}`.": (
        "如果梯度不该流回那么远，就把 `{old}` 改成 `{code}`。"
    ),
    "If nothing should flow back that far, write {code} before {place}.": (
        "如果梯度不该流回那么远，就在{place}之前写 {code}。"
    ),
    "A part of the graph behind {root} was used up: through {name}, it shares that part with what {before} went "
    "through and let go of.": (
        "{root} 背后的计算图有一部分已经用掉了：经由 {name}，这一部分也属于{before}经过并释放的图。"
    ),
    "A part of the graph behind {root} was used up: it shares that part with what {before} went through and let go "
    "of.": ("{root} 背后的计算图有一部分已经用掉了：这一部分也属于{before}经过并释放的图。"),
    "What that part had saved has been changed in place since then, so that retain_graph=True would not do: compute "
    "{root} anew, all that it is computed from included.": (
        "那一部分保存的张量此后被就地修改过，所以写 retain_graph=True 也不行："
        "请重新计算 {root}，连同算出它所用到的一切。"
    ),
    "Add the losses up and go back once, `{losses}.backward()`, or write retain_graph=True in every pass through that "
    "part but the last.": (
        "请把各个损失加起来，只做一次反向传播：`{losses}.backward()`；"
        "或者在经过这一部分的各次反向传播里，除最后一次外都写上 retain_graph=True。"
    ),
    "Add the losses up and call backward() once, on their sum, or write retain_graph=True in every pass through that "
    "part but the last.": (
        "请把各个损失加起来，只对它们的和调用一次 backward()；"
        "或者在经过这一部分的各次反向传播里，除最后一次外都写上 retain_graph=True。"
    ),
    "Write retain_graph=True in every pass through that part but the last.": (
        "请在经过这一部分的各次反向传播里，除最后一次外都写上 retain_graph=True。"
    ),
    "{root} has several elements": "{root} 有多个元素",
    "{root} has {count} elements (shape {shape})": "{root} 有 {count} 个元素（形状 {shape}）",
    "{holds}, and backward() without an argument starts from a single number. Make one of it first, for instance {sum} "
    "or {mean}, or say how much each element counts: {weighed} with a tensor of the same shape.": (
        "{holds}，而不带参数的 backward() 只能从一个标量开始。先把它变成一个数，例如 {sum} 或 {mean}；"
        "或者说明每个元素的权重：{weighed}，其中的张量与它形状相同。"
    ),
    "{root} has no history, so there is nothing to go back through: {why}": (
        "{root} 没有计算历史，反向传播无路可走：{why}"
    ),
    "nothing that {root} was computed from requires grad. Say requires_grad=True where the tensors that you want "
    "gradients for are made.": (
        "{root} 所依赖的张量都不需要梯度。想求哪些张量的梯度，就在创建它们时写 requires_grad=True。"
    ),
    "{place} gave the gradients that it is computed from, and these have a history only if that is asked for: write "
    "create_graph=True there.": (
        "它由{place}给出的梯度算出，而梯度只有在要求时才带有历史：在那里写 create_graph=True。"
    ),
    "No optimizer that has stepped since changes what {name} was computed from, so the first pass need not go there: "
    "write `{new}` in place of `{old}` on line {line}.": (
        "此后更新过的优化器都不改变计算 {name} 所用的参数，所以第一次反向传播不必经过那里："
        "把第 {line} 行的 `{old}` 写成 `{new}`。"
    ),
    "Compute {root} anew after {change}, the forward pass included, or let {change} come after {backward} (it then "
    "goes by the gradients of both passes).": (
        "请在 {change} 之后重新计算 {root}（包括前向传播），"
        "或者把 {change} 移到{backward}之后（那样它用的是两次反向传播的梯度之和）。"
    ),
    "A part of the graph behind {root} was used up: through {name}, it reaches back into what {before} went through "
    "and let go of. If nothing should flow back that far, detach what is carried over from there after that pass.": (
        "{root} 背后的计算图有一部分已经用掉了：它经由 {name} 一直通到{before}经过并释放的地方。"
        "如果梯度不该流回那么远，就在那次反向传播之后，把从那里沿用下来的张量 detach。"
    ),
    "If nothing should flow back that far, detach what is carried over from there after that pass.": (
        "如果梯度不该流回那么远，就在那次反向传播之后，把从那里沿用下来的张量 detach。"
    ),
    "torch.vmap runs the function once for all rows, and `{code}` writes what there is for each row into {name}, which "
    "is one tensor for all of them. Give it back with return, and write to {name} after torch.vmap.": (
        "torch.vmap 对所有行只运行一次函数，而 `{code}` 把每一行各自的结果写进 {name}，它却是所有行共用的一个张量。"
        "请用 return 返回它，在 torch.vmap 之后再写入 {name}。"
    ),
    "it was computed with {names}, which need no gradient since {place}. Leave that out for the parameters that should "
    "be trained.": "计算它用到了 {names}，从{place}起它们不需要梯度。要训练的参数不要这样设置。",
    "{place} cut it off. Leave that out where gradients should flow.": (
        "{place}把它从计算图上切断了。需要梯度流过的地方，不要写这个。"
    ),
    "{place} gives a result that has no derivative. Compute the loss from what it was given, with operations that have "
    "one.": ("{place}的结果没有导数。请从它的输入出发，用有导数的运算来算损失。"),
    "{place} uses {name}.data, which is the same memory without the history. Write {name} alone where gradients should "
    "flow.": ("{place}用了 {name}.data：同一块内存，却不带计算历史。需要梯度流过的地方，直接写 {name}。"),
    "{place} made a new leaf: the history of what it was given is left behind. Use that itself.": (
        "{place}新建了一个叶子节点：输入的计算历史就此丢掉了。请直接用它的输入。"
    ),
    "{place} ran under no_grad and gave the name {name} to a new tensor that does not require grad; the leaf was left "
    "behind. Change the leaf itself, in place, in the same block: `{mend}`.": (
        "{place}在 no_grad 之下运行，把名字 {name} 给了一个不需要梯度的新张量，原来的叶子节点被丢下了。"
        "请在同一个代码块里就地修改叶子节点本身：`{mend}`。"
    ),
    "{taken} took plain numbers out of the graph, and {place} made a new tensor of them, which knows nothing of what "
    "they were computed from. Leave both out and compute with {sources} where gradients should flow.": (
        "{taken} 从计算图里取出了普通的数，{place}又用这些数新建了一个张量，它不知道这些数是怎么算出来的。"
        "需要梯度流过的地方，这两步都不要写，直接用 {sources} 来算。"
    ),
    "{place} computes with plain numbers that {taken} took out of the graph. Compute with {sources} instead where "
    "gradients should flow.": (
        "{place}用的是 {taken} 从计算图里取出的普通数。需要梯度流过的地方，改用 {sources} 来算。"
    ),
    "{place} copied the numbers of {source} into a new tensor, which knows nothing of what they were computed from. "
    "Use {source} itself where gradients should flow.": (
        "{place}把 {source} 的数值复制到一个新张量里，它不知道这些数是怎么算出来的。"
        "需要梯度流过的地方，直接用 {source}。"
    ),
    "{place} made a new tensor of the numbers alone, which knows nothing of what they were computed from. Write "
    "torch.stack({source}): it joins tensors and keeps their history.": (
        "{place}只用数值新建了一个张量，它不知道这些数是怎么算出来的。"
        "请写 torch.stack({source})：它把张量拼在一起，并保留计算历史。"
    ),
    "{place} ran while gradients were switched off (torch.no_grad or the like). Compute it outside of that block.": (
        "{place}运行时梯度是关闭的（torch.no_grad 之类）。请在那个代码块之外计算它。"
    ),
    "{root} was not computed from {name}, so it has no gradient with respect to it. Was {name} rebound after it was "
    "used, or is another tensor meant? With allow_unused=True the answer is None instead of an error.": (
        "{root} 不是由 {name} 算出来的，所以对它没有梯度。是不是 {name} 用过之后又被重新赋值了，还是本想用另一个张量？"
        "写上 allow_unused=True，得到的就是 None 而不是报错。"
    ),
    # gradients that are not there
    "{grad} is None: {name} is no leaf, it was computed by {node}, and only leaves keep their gradient. Call "
    "{name}.retain_grad() before backward.": (
        "{grad} 是 None：{name} 不是叶子节点，而是由 {node} 算出来的，只有叶子节点才保留梯度。"
        "请在 backward 之前调用 {name}.retain_grad()。"
    ),
    "{grad} is None: {name} is no leaf any more. {place} computed it from the earlier {name}, and that is the leaf, to "
    "which the gradient goes.": (
        "{grad} 是 None：{name} 已经不是叶子节点了。它是{place}由先前的 {name} 算出来的，"
        "先前那个才是叶子节点，梯度归它。"
    ),
    "{grad} is None: {name} is no leaf. {place} computed it from another tensor, and that is the leaf, to which the "
    "gradient goes.": (
        "{grad} 是 None：{name} 不是叶子节点。它是{place}由另一个张量算出来的，那个张量才是叶子节点，梯度归它。"
    ),
    "Make the tensor of the right dtype and on the right device before it requires grad, for instance with dtype= "
    "where it is made, or let the new one be the leaf: `{mend}`.": (
        "请在张量开启梯度之前就定好 dtype 和设备，例如创建时写上 dtype=；或者让新张量成为叶子节点：`{mend}`。"
    ),
    "A parameter is not rebound but updated in place, inside `with torch.no_grad():`: `{mend}`.": (
        "更新参数不要重新赋值，而要在 `with torch.no_grad():` 里就地修改：`{mend}`。"
    ),
    "Give the result another name, or let it be the leaf: `{mend}`.": (
        "给结果另起一个名字，或者让它成为叶子节点：`{mend}`。"
    ),
    "{grad} is None: {name} does not require grad. {why}": "{grad} 是 None：{name} 不需要梯度。{why}",
    "{grad} is None: the last backward pass did not reach {name}. {why}": (
        "{grad} 是 None：上一次反向传播没有到达 {name}。{why}"
    ),
    "{grad} is None: {name} does not require grad. Say requires_grad=True where it is made.": (
        "{grad} 是 None：{name} 不需要梯度。在创建它的地方写 requires_grad=True。"
    ),
    "{grad} is None: no backward() has run yet. Gradients are there only after it.": (
        "{grad} 是 None：还没有运行过 backward()。运行之后才有梯度。"
    ),
    "{grad} is None: {place} cleared it, after the last backward pass. Use gradients between backward() and "
    "zero_grad().": (
        "{grad} 是 None：上一次反向传播之后，{place}把它清空了。要在 backward() 和 zero_grad() 之间使用梯度。"
    ),
    "{grad} is None: the last backward pass did not reach {name}; what it began at was not computed from {name}.": (
        "{grad} 是 None：上一次反向传播没有到达 {name}；它的起点并不是由 {name} 算出来的。"
    ),
    "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can change a "
    "little. Write {number}. instead of {number}, or give dtype=torch.float32.": (
        "`{code}` 要对整数（或布尔值）求梯度，而求导要求数值能连续变化。"
        "把 {number} 写成 {number}.，或者指定 dtype=torch.float32。"
    ),
    "{name} is part of a graph, and an array of NumPy's could not carry that on: what is done to it would be lost to "
    "autograd. {name}.detach().numpy() gives the plain numbers.": (
        "{name} 在计算图上，而 NumPy 数组没法延续计算图：对数组做的事 autograd 都看不到。"
        "只要数值的话，用 {name}.detach().numpy()。"
    ),
    "`{code}` asks for gradients of whole numbers (or truth values), and a derivative needs numbers that can change a "
    "little. Give dtype=torch.float32 where the tensor is made, or turn it into one with .float() before.": (
        "`{code}` 要对整数（或布尔值）求梯度，而求导要求数值能连续变化。"
        "在创建张量时指定 dtype=torch.float32，或者先用 .float() 转换。"
    ),
    "{grad} is None: {name} keeps its gradient from the backward passes after {name}.retain_grad(), and none has "
    "reached it since.": (
        "{grad} 是 None：{name} 只保留 {name}.retain_grad() 之后的反向传播的梯度，而此后还没有哪次到达过它。"
    ),
    # sizes
    "`{code}` multiplies shape {first} by shape {second}: the first must have as many columns ({inner}) as the second "
    "has rows ({other}).": (
        "`{code}` 把形状 {first} 和 {second} 相乘：前者的列数（{inner}）必须等于后者的行数（{other}）。"
    ),
    "the shapes": "两个形状",
    "`{code}` works element by element, and {shapes} do not go together: counted from the last dimension, two sizes "
    "must be equal, or one of them 1. Here {a} meets {b}.": (
        "`{code}` 逐元素运算，而{shapes}对不上：从最后一维数起，两个大小必须相等，或者其中一个是 1。"
        "这里 {a} 碰上了 {b}。"
    ),
    "The gradient given to backward says how much each element of {root} counts, so it must have the shape of {root}: "
    "{wanted}, not {given}.": (
        "传给 backward 的梯度说明 {root} 每个元素的权重，所以形状必须与 {root} 相同：是 {wanted}，不是 {given}。"
    ),
    "`{code}` makes a tensor of plain numbers, and would take a single number out of each tensor of the list; these "
    "have more. Tensors of one shape are joined by torch.stack({list}), which keeps their history as well.": (
        "`{code}` 是用普通的数来新建张量，要从列表里的每个张量取出一个数，可它们不止一个数。"
        "形状相同的张量用 torch.stack({list}) 拼在一起，它还会保留计算历史。"
    ),
    "backward of {name} must return as many gradients as forward takes arguments besides ctx: {expected}, not {got}. "
    "Return one for each argument, in their order, and None for those that need no gradient.": (
        "{name} 的 backward 返回的梯度个数，必须等于 forward 除 ctx 之外的参数个数：是 {expected} 个，不是 {got} 个。"
        "按顺序给每个参数返回一个，不需要梯度的返回 None。"
    ),
    "`{code}` looks rows up by their number, so it takes whole numbers: write .long() behind what it is given, or give "
    "dtype=torch.int64 where that is made.": (
        "`{code}` 按编号取行，所以要整数：在输入后面写 .long()，或者创建时指定 dtype=torch.int64。"
    ),
    "The target of `{code}` holds the number of the right class for each sample, so it must be of whole numbers: write "
    ".long() behind it, or give dtype=torch.int64 where it is made.": (
        "`{code}` 的目标是每个样本正确类别的编号，所以必须是整数："
        "在它后面写 .long()，或者创建时指定 dtype=torch.int64。"
    ),
    # changed in place
    "{name} is a leaf that requires grad, and `{code}` would change it in place, where autograd could not follow.": (
        "{name} 是需要梯度的叶子节点，`{code}` 会就地修改它，autograd 无法追踪。"
    ),
    "To update a parameter, do it inside `with torch.no_grad():`.": ("要更新参数，请在 `with torch.no_grad():` 里做。"),
    "{name} is a leaf that requires grad, and `{code}` would change it in place (by a layer with inplace=True), where "
    "autograd could not follow. Leave inplace=True out there, or give it a copy: `{copy}`.": (
        "{name} 是需要梯度的叶子节点，`{code}` 会（由一个写了 inplace=True 的层）就地修改它，autograd 无法追踪。"
        "请去掉那里的 inplace=True，或者给它一个副本：`{copy}`。"
    ),
    "{name}, a leaf that requires grad": "{name}（需要梯度的叶子节点）",
    "{name}, a view of {leaf}, which is a leaf that requires grad": (
        "{name}（它是 {leaf} 的视图，后者是需要梯度的叶子节点）"
    ),
    "`{code}` writes into {into}, where autograd could not follow. Set its elements inside `with torch.no_grad():`, or "
    "before it requires grad.": (
        "`{code}` 写入了 {into}，autograd 无法追踪。"
        "请在 `with torch.no_grad():` 里给元素赋值，或者在它开启梯度之前赋值。"
    ),
    "{name} is one of several views that one operation gave{by}, and `{code}` would write into it, which autograd does "
    "not allow.": ("{name} 是同一个运算一次给出的几个视图之一{by}，`{code}` 会写入它，而 autograd 不允许这样做。"),
    "{name} is a view that was made under no_grad ({place}), and `{code}` writes into it where gradients are on: "
    "autograd could not tell what is meant. Make the view outside of that block too, or write into it inside.": (
        "{name} 是在 no_grad 下（{place}）得到的视图，而 `{code}` 在梯度开启时写入它：autograd 分不清要怎么算。"
        "请在那个代码块之外取这个视图，或者在代码块之内写入它。"
    ),
    "{name} was made in torch.inference_mode(), and such a tensor cannot be changed outside of it. Take a copy first, "
    "`{copy}`, or use torch.no_grad() there.": (
        "{name} 是在 torch.inference_mode() 里创建的，这样的张量不能在它之外修改。"
        "请先复制一份：`{copy}`，或者那里改用 torch.no_grad()。"
    ),
    "{name} was made in torch.inference_mode(), and `{code}` would have to keep it for its gradient, which such a "
    "tensor does not allow. Use torch.no_grad() there, or a copy here: `{copy}`.": (
        "{name} 是在 torch.inference_mode() 里创建的，`{code}` 求梯度时要保存它，而这样的张量不允许保存。"
        "请在那里改用 torch.no_grad()，或者在这里用副本：`{copy}`。"
    ),
    "Several elements of {name} are one place in memory: it was stretched, as expand does{by}. Make it a tensor of its "
    "own before writing: `{copy}`.": (
        "{name} 的几个元素其实在内存中的同一处：它是像 expand 那样扩展得到的{by}。"
        "写入之前请先让它成为独立的张量：`{copy}`。"
    ),
    "{place} changed {name} in place, which {node} has kept for its gradient: the old values are needed on the way "
    "back, and they are gone.": (
        "{place}就地修改了 {name}，而 {node} 保存着它来求梯度：反向传播要用旧值，旧值却没了。"
    ),
    "{place} changed {name} in place, and {part} with it, which {node} has kept for its gradient: the old values are "
    "needed on the way back, and they are gone.": (
        "{place}就地修改了 {name}，{part} 也随之改变，而 {node} 保存着它来求梯度：反向传播要用旧值，旧值却没了。"
    ),
    "the result of {place}": "{place}的结果",
    "the output of {layer}": "{layer} 的输出",
    "Make a new tensor instead: `{code}`.": "改为新建一个张量：`{code}`。",
    "Make a new tensor instead of writing into that one.": "不要写入它，改为新建一个张量。",
    "Compute {root} anew after {change}, the forward pass included, or let {change} come after {backward}.": (
        "请在 {change} 之后重新计算 {root}（包括前向传播），或者把 {change} 移到{backward}之后。"
    ),
    "Compute {name} anew after {change}, the forward pass included.": (
        "请在 {change} 之后重新计算 {name}（包括前向传播）。"
    ),
    "With max_norm, the layer rescales rows of its weight in place whenever it is called.": (
        "设了 max_norm，这个层每次被调用都会就地缩放权重的某些行。"
    ),
    "Give what uses it a copy: {code}.": "用到它的地方请给副本：{code}。",
    "{layer} writes into what it is given: make it `{plain}` instead of `{inplace}`.": (
        "{layer} 会写入传给它的张量：请用 `{plain}`，不要用 `{inplace}`。"
    ),
    "Keep the parts in a list and make one tensor of them in the end, with torch.stack or torch.cat. Or give the "
    "operation a copy: {copies}.": (
        "请把各部分放在列表里，最后用 torch.stack 或 torch.cat 合成一个张量。或者给运算一个副本：{copies}。"
    ),
    "Give the operation a copy: {copies}.": "给运算一个副本：{copies}。",
    "`{code}` on line {number}": "第 {number} 行的 `{code}`",
    "Write into a copy: `{code}`, before {place}.": "请写入副本：在{place}之前写 `{code}`。",
    "Write into a copy: `{code}`, before {view} is taken from it.": "请写入副本：在取出 {view} 之前写 `{code}`。",
    "Write into a copy: `{code}` before that.": "请写入副本：在那之前写 `{code}`。",
    # numbers, optimizers, layers
    "{code} is a plain Python number, which has no history. Call backward() on the tensor itself, and keep item() for "
    "printing.": "{code} 是普通的 Python 数，没有计算历史。对张量本身调用 backward()，item() 只用来打印。",
    "{code} is a plain Python number since {place}, which has no history. Leave that call out, so that {code} is a "
    "tensor, and keep item() for printing.": (
        "从{place}起，{code} 就是普通的 Python 数，没有计算历史。去掉那个调用，让 {code} 仍是张量；item() 只用来打印。"
    ),
    "{code} is a plain Python number, which has no history. backward() is a method of tensors.": (
        "{code} 是普通的 Python 数，没有计算历史。backward() 是张量的方法。"
    ),
    ", shape {shape}": "，形状 {shape}",
    "{name} has {count} elements{shape}, and a plain number can be made of one only. Choose an element "
    "({name}[0].item()), make one of them ({name}.sum().item()), or take them all: {name}.tolist().": (
        "{name} 有 {count} 个元素{shape}，而只有单个元素才能变成普通的数。可以选一个元素（{name}[0].item()），"
        "把它们合成一个（{name}.sum().item()），或者全部取出：{name}.tolist()。"
    ),
    " ({place})": "（{place}）",
    "{name} was computed from other tensors{by}, so a step of the optimizer would not last. Give it the leaf, or make "
    "{name} one: {name} = {name}.detach().requires_grad_().": (
        "{name} 是由别的张量算出来的{by}，优化器对它的更新不会留下来。把叶子节点交给优化器，"
        "或者让 {name} 成为叶子节点：{name} = {name}.detach().requires_grad_()。"
    ),
    "One of the tensors was computed from others, so a step of the optimizer would not last. Give the optimizer "
    "leaves: tensors that were made with requires_grad=True, or the parameters of a module.": (
        "其中有张量是由别的张量算出来的，优化器对它的更新不会留下来。请把叶子节点交给优化器："
        "用 requires_grad=True 创建的张量，或模块的参数。"
    ),
    "The list that the optimizer was given is empty: there is nothing for it to change.": (
        "交给优化器的列表是空的：没有可更新的参数。"
    ),
    "{model}.parameters() is empty: a module knows only those tensors as its parameters that are wrapped in "
    "torch.nn.Parameter (as in self.w = nn.Parameter(torch.zeros(1))) or belong to layers such as nn.Linear.": (
        "{model}.parameters() 是空的：只有包在 torch.nn.Parameter 里的张量（例如 "
        "self.w = nn.Parameter(torch.zeros(1))），或属于 nn.Linear 这类层的张量，模块才认作参数。"
    ),
}
