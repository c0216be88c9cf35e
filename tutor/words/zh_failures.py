"""Usual failures, and mistakes without one, in Chinese."""

FAILURES: dict[str, str] = {
    # what a tensor is, and where it was made
    "{name} is {dtype}": "{name} 是 {dtype}",
    "{name} is {dtype}, made by {place}": "{name} 是 {dtype}，由{place}创建",
    "{name} is {dtype}, as is {source}, made by {place}": "{name} 是 {dtype}，它来自 {source}，由{place}创建",
    "{name} is on {device}": "{name} 在 {device} 上",
    "{name} is on {device}, made by {place}": "{name} 在 {device} 上，由{place}创建",
    "Write {fix} there.": "请在那里写 {fix}。",
    "none": "无",
    # classes and indices
    "The target of `{code}` holds {number}, and classes are numbered from 0 to one less than there are columns in the "
    "prediction.": "`{code}` 的目标里有 {number}，而类别编号从 0 开始，最大是预测的列数减一。",
    "{target} holds {number}, and {prediction} (shape {shape}) has {count} classes, which are numbered from 0 to "
    "{last}.": "{target} 里有 {number}，而 {prediction}（形状 {shape}）只有 {count} 个类别，编号从 0 到 {last}。",
    "{target} counts from 1: write {fix} there.": "{target} 是从 1 开始编号的：请在那里写 {fix}。",
    "Where it marks what should not count, give the loss ignore_index={number}.": (
        "如果它表示不参与计算的样本，请给损失加上 ignore_index={number}。"
    ),
    "With such targets the last layer must give {count} numbers for each sample.": (
        "目标是这样的话，最后一层必须给每个样本 {count} 个数。"
    ),
    "`{code}` takes one number of a class for each sample, so a target of shape {wanted}: {target} has shape "
    "{shape}.": "`{code}` 要每个样本一个类别编号，即形状为 {wanted} 的目标：{target} 的形状是 {shape}。",
    "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, that is {a}, and "
    "{target} has shape {second}, that is {b}. Its first size must be the number of samples.": (
        "`{code}` 要预测的每一行对应一个目标：{prediction} 的形状是 {first}，即 {a}，"
        "而 {target} 的形状是 {second}，即 {b}。第一维的大小必须是样本数。"
    ),
    "{count} sample": "{count} 个样本",
    "{count} samples": "{count} 个样本",
    "`{code}` takes one target for each row of the prediction: {prediction} has shape {first}, and {target} is a "
    "single number, of shape [].": (
        "`{code}` 要预测的每一行对应一个目标：{prediction} 的形状是 {first}，而 {target} 是单个数，形状是 []。"
    ),
    "Each of its rows has a single 1: write {fix} there.": "它的每一行恰好有一个 1：在那里写 {fix}。",
    "gather takes an index with as many dimensions as the tensor that it takes elements from, and {index} has shape "
    "{shape}. For one element of each row of a matrix, write {fix}.": (
        "gather 的索引必须与被取元素的张量维数相同，而 {index} 的形状是 {shape}。要在矩阵的每一行取一个元素，写 {fix}。"
    ),
    "The prediction has shape {given} and the target {target}: this loss compares element with element, so they must "
    "be the same.": "预测的形状是 {given}，目标的形状是 {target}：这个损失逐元素比较，所以两者形状必须相同。",
    "Bring one to the other's shape with reshape or unsqueeze.": (
        "用 reshape 或 unsqueeze 把其中一个变成另一个的形状。"
    ),
    "`{code}` looks up rows by their number, from 0 to {last}, as there are {count}; {name} holds {number}.": (
        "`{code}` 按编号取行，编号从 0 到 {last}，因为共有 {count} 行；而 {name} 里有 {number}。"
    ),
    "A table for all of them has {count} rows.": "要容纳所有编号，表需要 {count} 行。",
    "`{code}` looks up rows by their number, and there are fewer of them: the number must be at least 0 and less than "
    "the count of rows that the table was made with.": (
        "`{code}` 按编号取行，而行数没有那么多：编号至少是 0，并且小于创建表时给的行数。"
    ),
    "`{code}` makes a column for each class, from 0 on, and {name} holds {number}: it takes at least {count} of "
    "them.": "`{code}` 给每个类别一列，从 0 开始，而 {name} 里有 {number}：至少需要 {count} 列。",
    "`{code}` takes an element of a dimension that has none.": "`{code}` 要从一个没有元素的维度里取元素。",
    "`{code}` takes element {number} along dimension {dim}, which has the size {size}: its elements are numbered from "
    "0 to {last}, or from the end, from -{size} to -1.": (
        "`{code}` 要取第 {dim} 维的第 {number} 号元素，而该维大小是 {size}：编号从 0 到 {last}，"
        "或者从末尾数，从 -{size} 到 -1。"
    ),
    "{name} is a single number, a tensor of shape [], so there is nothing to choose from. {fix} gives it as a number "
    "of Python's; in a computation write {name} alone.": (
        "{name} 是单个数，即形状为 [] 的张量，没有可选的元素。{fix} 给出 Python 的数；计算时直接写 {name}。"
    ),
    "`{code}` gives more indices than {name} has dimensions: its shape is {shape}.": (
        "`{code}` 的下标个数比 {name} 的维数多：它的形状是 {shape}。"
    ),
    "`{code}` takes the elements where the mask is True, so the mask must have the shape [{shape}] of the tensor, or "
    "of its first dimensions; it has [{mask}].": (
        "`{code}` 取掩码为 True 的元素，所以掩码的形状必须是张量的形状 [{shape}]，或它前几维的形状；现在是 [{mask}]。"
    ),
    # devices
    "The tensors of `{code}` lie on different devices: {said}. Bring all to one, as in {fix}.": (
        "`{code}` 里的张量不在同一个设备上：{said}。把它们放到同一个设备上，例如 {fix}。"
    ),
    "A tensor on the device meta has a shape and a dtype, but no numbers, so `{code}` finds none. Make it on a real "
    "device; a module gets memory there by .to_empty(device=…), and its numbers by load_state_dict or by being "
    "initialised anew.": (
        "meta 设备上的张量有形状和 dtype，却没有数值，所以 `{code}` 拿不到数。请在真实设备上创建它；"
        "模块用 .to_empty(device=…) 得到内存，数值则来自 load_state_dict 或重新初始化。"
    ),
    "`{code}` asks for a GPU, and there is none that this PyTorch can use. Choose the device by what is there: device "
    '= "cuda" if torch.cuda.is_available() else "cpu", and .to(device).': (
        "`{code}` 要用 GPU，而这个 PyTorch 没有可用的 GPU。请按实际情况选择设备："
        'device = "cuda" if torch.cuda.is_available() else "cpu"，再用 .to(device)。'
    ),
    # dtypes
    "`{code}` writes results of {result} into {name}, which keeps its dtype: {said}.": (
        "`{code}` 把 {result} 的结果写进 {name}，而它的 dtype 不会变：{said}。"
    ),
    "Turn it into one that can hold them first: `{fix}`.": "先把它变成能容纳这些数的 dtype：`{fix}`。",
    "The gradient of {place} cannot be worked out: {said}, and the prediction is {wanted}. Write {fix} there.": (
        "算不出{place}的梯度：{said}，而预测是 {wanted}。请在那里写 {fix}。"
    ),
    "`{code}` compares predictions with targets element by element, so both must be {wanted}: {said}. Write {fix} "
    "there.": "`{code}` 逐元素比较预测和目标，所以两者都必须是 {wanted}：{said}。请在那里写 {fix}。",
    "`{code}` takes the number of the right class for each sample, and {name} holds {number}, which is none. Are "
    "numbers to be predicted? Then nn.MSELoss() is the loss.": (
        "`{code}` 要每个样本正确类别的编号，而 {name} 里有 {number}，它不是编号。"
        "如果要预测的是数值，损失应当用 nn.MSELoss()。"
    ),
    "`{code}` takes the number of the right class for each sample, as int64: {said}. Write {fix} there.": (
        "`{code}` 要每个样本正确类别的编号，类型是 int64：{said}。请在那里写 {fix}。"
    ),
    "{kind} makes float32 of whole numbers as well; `{call}` keeps them whole.": (
        "{kind} 把整数也变成 float32；`{call}` 则保持整数。"
    ),
    "`{code}` takes a target of the prediction's own shape as a probability for each class, as floating point numbers: "
    "{said}. Write {fix} there; or give the numbers of the classes, {numbers}, where each row has a single 1.": (
        "目标与预测形状相同时，`{code}` 把它当作各类别的概率，必须是浮点数：{said}。请在那里写 {fix}；"
        "如果每行只有一个 1，也可以给出类别编号 {numbers}。"
    ),
    "`{code}` takes two tensors of one dtype: {first}, and {second}. Turn one into the other's dtype: {fix}.": (
        "`{code}` 要两个 dtype 相同的张量：{first}，而 {second}。把其中一个转成另一个的 dtype：{fix}。"
    ),
    "`{code}` computes with two dtypes, {other} and {dtype}: {said}. Write {fix} there.": (
        "`{code}` 混用了两种 dtype：{other} 和 {dtype}：{said}。请在那里写 {fix}。"
    ),
    "`{code}` computes with two dtypes, {first} and {second}, and both must be the same: turn one into the other with "
    ".to(dtype=…), or give dtype= where it is made.": (
        "`{code}` 混用了两种 dtype：{first} 和 {second}，而两者必须相同：用 .to(dtype=…) 转换其中一个，"
        "或者在创建时写 dtype=。"
    ),
    "The weights of `{code}` are {kind}, and it takes an input of the same dtype: {said}. Write {fix} there.": (
        "`{code}` 的权重是 {kind}，输入的 dtype 必须相同：{said}。请在那里写 {fix}。"
    ),
    "`{code}` works on floating point numbers only: {said}. Write {fix} there.": (
        "`{code}` 只能用于浮点数：{said}。请在那里写 {fix}。"
    ),
    "`{code}` looks elements up by their number, so it takes whole numbers: {said}. Write {fix} there.": (
        "`{code}` 按编号取元素，所以要整数：{said}。请在那里写 {fix}。"
    ),
    "A tensor that is part of a graph cannot become an array of NumPy's, which could not carry the graph on. Its "
    "detach().numpy() gives the plain numbers.": (
        "在计算图上的张量不能变成 NumPy 数组，因为数组没法延续计算图。只要数值的话，用它的 detach().numpy()。"
    ),
    # hooks
    "A full backward hook of a module turns what goes into the module, and what comes out of it, into views, and "
    "`{code}` writes into one.": (
        "模块的 full backward hook 会把模块的输入和输出变成视图，而 `{code}` 写入了其中一个视图。"
    ),
    "{method} on line {line} turns what goes into {module}, and what comes out of it, into views, and `{code}` writes "
    "into one.": ("第 {line} 行的 {method} 把 {module} 的输入和输出变成视图，而 `{code}` 写入了其中一个视图。"),
    "Let the layer make a new tensor, without inplace=True, or use the hook of a tensor: output.register_hook(…).": (
        "去掉 inplace=True，让这一层新建张量；或者改用张量的 hook：output.register_hook(…)。"
    ),
    "Write {plain} in place of `{layer}`, so that it makes a new tensor, or use the hook of a tensor, "
    "output.register_hook(…).": (
        "把 `{layer}` 写成 {plain}，让它新建张量；或者改用张量的 hook：output.register_hook(…)。"
    ),
    "That is `{layer}` on line {line}: write {plain}, so that it makes a new tensor, or use the hook of a tensor, "
    "output.register_hook(…).": (
        "就是第 {line} 行的 `{layer}`：写成 {plain}，让它新建张量；或者改用张量的 hook：output.register_hook(…)。"
    ),
    # vmap
    "torch.vmap runs the function once for all rows, so that a tensor in it stands for many numbers, and no plain "
    "number can be taken out of it.": (
        "torch.vmap 对所有行只运行一次函数，所以函数里的一个张量代表许多数，没法从中取出一个普通的数。"
    ),
    "Compute with {name} itself, without .item().": "直接用 {name} 计算，不要写 .item()。",
    "`{code}` asks for one; keep to operations on tensors there.": "`{code}` 要取出一个数；请只用张量运算。",
    "The bounds of the slice `{code}` must be plain numbers.": "切片 `{code}` 的上下界必须是普通的数。",
    "Take the elements by their numbers: `{fix}`.": "改为按编号取元素：`{fix}`。",
    "torch.vmap runs the function once for all rows, so that `{code}` stands for many answers, and Python's if and "
    "while need one.": (
        "torch.vmap 对所有行只运行一次函数，所以 `{code}` 代表许多个真假值，而 Python 的 if 和 while 只要一个。"
    ),
    "Compute both sides and choose with torch.where(condition, a, b).": (
        "把两边都算出来，再用 torch.where(condition, a, b) 选择。"
    ),
    "Compute both sides and choose: `{fix}`.": "把两边都算出来再选择：`{fix}`。",
    "torch.vmap runs the function once for all rows, and `{code}` would have another length for each. Keep the shape: "
    "put a neutral number where the condition does not hold, with torch.where(condition, a, 0.0).": (
        "torch.vmap 对所有行只运行一次函数，而 `{code}` 在每一行的长度都不同。请保持形状："
        "条件不成立处放一个中性的数，用 torch.where(condition, a, 0.0)。"
    ),
    "`{code}` draws random numbers inside of torch.vmap, which must be told whether each row gets its own "
    '(randomness="different") or all the same (randomness="same").': (
        '`{code}` 在 torch.vmap 里抽取随机数，必须说明每一行各用各的（randomness="different"），'
        '还是共用一份（randomness="same"）。'
    ),
    "torch.vmap goes along the first dimension of each argument, so all must have the same size there; these have "
    "{sizes}. For an argument that is the same for every row, say None in in_dims: in_dims=(0, None).": (
        "torch.vmap 沿每个参数的第一维展开，所以它们在那一维的大小必须相同；现在是 {sizes}。"
        "对每一行都相同的参数，在 in_dims 里写 None：in_dims=(0, None)。"
    ),
    # what is no tensor, or another kind of thing
    "{name} is None, and backward() is a method of tensors. Does the function that it comes from return the loss?": (
        "{name} 是 None，而 backward() 是张量的方法。给出它的函数有没有返回损失？"
    ),
    "{name} is a {kind}, and backward() is a method of tensors. Make one loss of them: {fix}.": (
        "{name} 是 {kind}，而 backward() 是张量的方法。把它们合成一个损失：{fix}。"
    ),
    "{name} was computed from tensors that require grad, so it does too. {fix} is the same numbers without the "
    "history.": "{name} 是由需要梯度的张量算出来的，所以它也需要梯度。{fix} 是同样的数，但不带计算历史。",
    "{name} does not require grad, so no gradient is worked out for it. Write {fix} before it is used.": (
        "{name} 不需要梯度，所以不会为它计算梯度。在使用它之前写 {fix}。"
    ),
    "`{code}` was given a tensor that was made in torch.inference_mode(): autograd can never use such a one. Make it "
    "under torch.no_grad() instead, or use its clone().": (
        "`{code}` 的输入是在 torch.inference_mode() 里创建的张量，autograd 永远不能使用它。"
        "改用 torch.no_grad()，或者用它的 clone()。"
    ),
    "{name} was computed from other tensors{by}, and a deep copy would have to copy their graph as well. Copy the "
    "numbers alone: {fix}.": ("{name} 是由别的张量算出来的{by}，深拷贝就得连它们的计算图一起复制。只复制数值：{fix}。"),
    "What is copied holds {name}, which was computed from other tensors, and a deep copy would have to copy their "
    "graph as well. Keep {fix} there.": (
        "被复制的对象里有 {name}，它是由别的张量算出来的，深拷贝就得连它们的计算图一起复制。在那里保存 {fix}。"
    ),
    "What is copied holds a tensor that was computed from others, and a deep copy would have to copy their graph as "
    "well. Keep its detach() there, or copy state_dict() instead.": (
        "被复制的对象里有由别的张量算出来的张量，深拷贝就得连它们的计算图一起复制。"
        "在那里保存它的 detach()，或者改为复制 state_dict()。"
    ),
    "`{code}` needs one truth value, and the tensor has one for each element.": (
        "`{code}` 只要一个真假值，而张量的每个元素各有一个。"
    ),
    "Element by element it is `{fix}`, and whether that holds for all, `{all}`.": (
        "逐元素写作 `{fix}`；问是否全都成立，写 `{all}`。"
    ),
    "Element by element it is `{fix}`.": "逐元素写作 `{fix}`。",
    "Whether it is one of them, as an object, says `{fix}`.": "要问它是不是其中某个对象，写 `{fix}`。",
    "Say whether all must be true, {all}, or one is enough, {any}.": (
        "请说明是要全部为真（{all}），还是有一个为真就行（{any}）。"
    ),
    "{name} is a generator, and what went through it before has used it up. Make a list of it: {name} = "
    "list({source}).": "{name} 是生成器，之前遍历它时已经用完了。把它变成列表：{name} = list({source})。",
    "An optimizer is given a list of tensors; {name} is a tensor: write [{name}].": (
        "优化器要的是张量的列表；{name} 是一个张量：请写 [{name}]。"
    ),
    "{name} is the method; with parentheses it gives the parameters: {name}().": (
        "{name} 是方法本身；加上括号才给出参数：{name}()。"
    ),
    "An optimizer is given the parameters of a module, not the module: {name}.parameters().": (
        "交给优化器的是模块的参数，不是模块本身：{name}.parameters()。"
    ),
    "A module takes parameters and layers only after nn.Module has been initialised: the first line of __init__ is "
    "super().__init__().": ("nn.Module 初始化之后，模块才能接受参数和层：__init__ 的第一行写 super().__init__()。"),
    "{name} has no method forward, which is what runs when the module is called. Is it there, spelled so, and indented "
    "as deep as __init__?": (
        "{name} 没有 forward 方法，而调用模块时运行的就是它。它写了吗？拼写对吗？缩进与 __init__ 一样吗？"
    ),
    "nn.Sequential takes the layers one by one, not a list of them: {fix}.": (
        "nn.Sequential 要一个一个的层，而不是层的列表：{fix}。"
    ),
    "`{code}` hands on a tuple where a tensor is taken. nn.LSTM, nn.GRU and nn.RNN give two things, the outputs and "
    "the state: out, state = rnn(x), and out goes on.": (
        "`{code}` 把元组传给了要张量的地方。nn.LSTM、nn.GRU 和 nn.RNN 给出两样东西：输出和状态："
        "out, state = rnn(x)，往下传 out。"
    ),
    "{name} is a parameter of the module, and a plain tensor cannot take its place: `{fix}`. To keep the parameter "
    "that the optimizer knows, change its numbers inside `with torch.no_grad():`, by copy_().": (
        "{name} 是模块的参数，普通张量不能取代它：`{fix}`。如果要保留优化器所知道的那个参数，"
        "就在 `with torch.no_grad():` 里用 copy_() 改它的数值。"
    ),
    "While it trains, `{code}` works out the mean and the variance of each channel over the batch, and this batch has "
    "a single value. Train with more samples (DataLoader(…, drop_last=True)); to predict, call eval() first.": (
        "训练时 `{code}` 要在整个批次上算每个通道的均值和方差，而这个批次只有一个值。"
        "训练时用更多样本（DataLoader(…, drop_last=True)）；预测时先调用 eval()。"
    ),
    "{name} has shape {held} in what is loaded and {own} in the module, which must have been made with the same "
    "sizes.": "{name} 在要加载的内容里形状是 {held}，在模块里是 {own}；创建模块时的大小必须相同。",
    "The keys of what is loaded begin with {prefix}, those of the module do not: it was saved from a module around "
    "this one. Take it off: `{fix}`.": (
        "要加载的键以 {prefix} 开头，模块的键却没有：它是从包在外面的模块保存的。去掉它：`{fix}`。"
    ),
    "A state_dict fits a module with the same names only. The module needs and does not find: {missing}; what is "
    "loaded has besides: {unexpected}. With strict=False both are passed over.": (
        "state_dict 只适合名字相同的模块。模块需要却没找到：{missing}；要加载的内容里多出：{unexpected}。"
        "写 strict=False 则两者都略过。"
    ),
    "What is loaded is of an optimizer with another number of parameters. Make the optimizer over the same parameters, "
    "in the same groups, as the one that was saved.": (
        "要加载的状态来自参数个数不同的优化器。请用相同的参数、相同的分组创建优化器。"
    ),
    "A gradient has a number for each element of its tensor, so it has its shape: [{own}], not [{given}].": (
        "梯度给张量的每个元素一个数，所以形状相同：是 [{own}]，不是 [{given}]。"
    ),
    "`{code}` writes a result of shape [{wide}] into a tensor of shape [{own}], which cannot grow.": (
        "`{code}` 要把形状 [{wide}] 的结果写进形状 [{own}] 的张量，而它不能变大。"
    ),
    # the first nan
    "{node} makes the first {kind} of this pass": "本次反向传播的第一个 {kind} 出自 {node}",
    "inf or nan": "inf 或 nan",
    "{chooser} does not keep it out: what is not chosen gets the gradient 0, and 0 × {factor} is nan": (
        "{chooser} 挡不住它：没被选中的元素得到梯度 0，而 0 × {factor} 是 nan"
    ),
    "give the operation another input there, {fix} in place of {name}": "在那里给运算另一个输入：{fix}，代替 {name}",
    "keep its input away from there, {fix} in place of {name}": "让输入避开那里：{fix}，代替 {name}",
    # all pairs
    "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own": (
        "{first} 与 {second} 相遇得到 {wide}：每个预测都和每个目标比较，而不是只和自己的目标比较"
    ),
    "{first} meets {second} and gives {wide}: each prediction is compared with each target, not with its own; write "
    "{unsqueezed} or {squeezed}": (
        "{first} 与 {second} 相遇得到 {wide}：每个预测都和每个目标比较，而不是只和自己的目标比较；"
        "请写 {unsqueezed} 或 {squeezed}"
    ),
    # no optimizer
    "no optimizer changes {names}, though gradients came in {count} passes": (
        "没有优化器更新 {names}，尽管有 {count} 次反向传播带来了梯度"
    ),
    "{name}.grad adds up from pass to pass, and no optimizer changes {name}": (
        "{name}.grad 一次次累加，却没有优化器更新 {name}"
    ),
    "give it to the optimizer, or let it need no gradient: {fix}": "把它交给优化器，或者让它不需要梯度：{fix}",
    "{owner} is a plain {container}, in which a module does not look for parameters: write {module} for it": (
        "{owner} 是普通的{container}，模块不会到里面去找参数：请改用 {module}"
    ),
    "it was made on line {line}, after the optimizer (line {optimizer}): make the optimizer when the model is "
    "complete": "它在第 {line} 行创建，晚于优化器（第 {optimizer} 行）：等模型完整之后再创建优化器",
    "list": "列表",
    "dict": "字典",
}
