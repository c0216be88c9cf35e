"""The explanations in Chinese."""

from __future__ import annotations

from tutor.words.zh_failures import FAILURES
from tutor.words.zh_mistakes import MISTAKES
from tutor.words.zh_rules import RULES
from tutor.words.zh_shapes import SHAPES

ZH: dict[str, str] = {
    # how pieces are put together
    ", ": "，",
    "{words}, {word}": "{words}、{word}",
    "{words} and {last}": "{words} 和 {last}",
    "{said}, {clause}": "{said}，{clause}",
    "{said} and {clause}": "{said}，{clause}",
    "{sentence} {next}": "{sentence}{next}",
    "{said}; {more}": "{said}；{more}",
    "{said} ({more})": "{said}（{more}）",
    # cells and lines
    "cell {number} begins": "单元格 {number} 开始",
    ", with {settings}": "，设定 {settings}",
    "cell {number} is done": "单元格 {number} 已完成",
    "cell {number} has failed": "单元格 {number} 出错了",
    "cell {number} has ended the program": "单元格 {number} 结束了程序",
    "cell {number} was stopped": "单元格 {number} 被停止",
    "cell {number} has died": "单元格 {number} 崩溃了",
    "cell {number} {outcome}": "单元格 {number} {outcome}",
    # how it ended
    "it touched memory that is not its own (a segmentation fault)": "它访问了不属于自己的内存（段错误）",
    "something killed it (out of memory?)": "被系统或别的程序杀死（内存不足？）",
    "C code gave up (abort)": "C 代码主动中止（abort）",
    "a signal ended it": "被信号终止",
    "the program ended itself with exit status {status}": "程序自行退出，退出状态 {status}",
    "the process died of {name}: {how}": "进程死于 {name}：{how}",
    "the process died of {name} at {place}: {how}": "进程在 {place} 死于 {name}：{how}",
    "{how}, at {place}": "{how}，在 {place}",
    "at {place}": "在 {place}",
    "Your code stopped with {error}.": "你的代码出错停下了：{error}。",
    "Your code stopped with {error}: {said}": "你的代码出错停下了：{error}：{said}",
    "There is no `{error}`: your code does not define it.": "没有 `{error}`：你的代码没有定义它。",
    "The check could not run: {error}.": "无法检查：{error}。",
    "The check could not run: {error}: {said}": "无法检查：{error}：{said}",
    "the solution stopped with {error}": "参考答案出错停下了：{error}",
    "the solution stopped with {error}: {said}": "参考答案出错停下了：{error}：{said}",
    "line {number}": "第 {number} 行",
    "in {function}": "{function} 中",
    "turn {number}": "迭代 {number}",
    "Line {number}: {code}": "第 {number} 行：{code}",
    "Line {number}, {where}: {code}": "第 {number} 行，{where}：{code}",
    "caught by the code around it": "被外层代码捕获",
    # operations
    "operation": "运算",
    "{operation}: {said}": "{operation}：{said}",
    " in {composite}": "（{composite} 内部）",
    "{target} stays {value}": "{target} 仍为 {value}",
    "{target} was {old} and is now {new}.": "{target} 原为 {old}，现为 {new}。",
    "memory not yet filled": "尚未填数的内存",
    "a tensor of its own": "没有名字的张量",
    # the backward pass
    "backward pass {number}": "第 {number} 次反向传播",
    "{backward} begins at {roots} with gradient {gradient}": "{backward}从 {roots} 开始，起始梯度为 {gradient}",
    "keeps its graph": "保留计算图",
    "makes a graph of its own": "同时为梯度建图",
    "nothing": "无",
    "backward pass {number} was broken off": "第 {number} 次反向传播中断",
    "backward pass {number} is over": "第 {number} 次反向传播结束",
    "{count} node ran": "运行了 {count} 个节点",
    "{count} nodes ran": "运行了 {count} 个节点",
    "its graph is kept": "计算图保留",
    "what its nodes had saved is let go": "节点保存的张量已释放",
    "its nodes had saved nothing": "节点没有保存任何张量",
    # gradients that arrive
    "it was {old}, and {gradient} arrived": "原为 {old}，传来 {gradient}",
    "{gradient} arrived": "传来 {gradient}",
    "G = {gradient} arrived": "传来 G = {gradient}",
    "each gets {formula}": "各得{formula}",
    " · in pass {number}'s graph": " · 在第 {number} 次反向传播建的图里",
    "{name}.grad was {old}; {gradient} arrives; it is now {new}.": (
        "{name}.grad 原为 {old}；传来 {gradient}；现为 {new}。"
    ),
    "{function} returns {gradient}": "{function} 返回 {gradient}",
    " for {tensor}": "，即 {tensor} 的梯度",
    "since line {line} {name} means another tensor, which is no leaf: {name}.grad gets nothing": (
        "从第 {line} 行起 {name} 指的是另一个张量，它不是叶子节点：{name}.grad 得不到梯度"
    ),
    "{name} means another tensor now, which is no leaf: {name}.grad gets nothing": (
        "现在 {name} 指的是另一个张量，它不是叶子节点：{name}.grad 得不到梯度"
    ),
    "hook {name}": "钩子 {name}",
    "{hook} on {tensor}": "{tensor} 上的{hook} ",
    "{hook} leaves {what} as it is: {value}": "{hook}没有改动{what}：{value}",
    "{hook} changes {what}: {value}": "{hook}改动了{what}：{value}",
    "the gradient": "梯度",
    "what reaches it": "到达它的梯度",
    "what it sends to {target}": "它传给 {target} 的梯度",
    "what it sends": "它传出的梯度",
    # nodes
    "a node": "某个节点",
    "a node that is not in the recording ran": "运行了一个没有记录下来的节点",
    "A node that is not in the recording ran.": "运行了一个没有记录下来的节点。",
    ", of which {element}": "，其中 {element}",
    ", which is {element}": "，即 {element}",
    " · arrives {gradient}": " · 传来 {gradient}",
    ", of the graph that pass {number} made": "（属于第 {number} 次反向传播建的图）",
    "{node}: the gradient {gradient} arrives": "{node}：传来梯度 {gradient}",
    "{node}: no gradient arrives": "{node}：没有梯度传来",
    "{said}; in general, {rule}": "{said}；一般地，{rule}",
    "{gradient} to {target}": "{gradient}（给 {target}）",
    "{said}, and it sends {gradients}.": "{said}，它传出 {gradients}。",
    "{said}, and it sends nothing on.": "{said}，它不再往下传。",
    "{node}, of {equation}: the gradient {gradient} arrives.": "{node}（{equation}）：传来梯度 {gradient}。",
    "{node}, of {equation}: the gradient G, {gradient}, arrives.": "{node}（{equation}）：传来梯度 G = {gradient}。",
    "{target} gets {gradient}, as {derivative}.": "{target} 得到 {gradient}，因为 {derivative}。",
    "{target} gets {gradient}, which is {formula}.": "{target} 得到 {gradient}，即 {formula}。",
    "Its element {index} is {sum}.": "其中元素 {index} 是 {sum}。",
    "It is {sum}.": "算式是 {sum}。",
    "a gradient of shape {shape}": "形状为 {shape} 的梯度",
    "{number} in each of its {count} elements": "{number}（{count} 个元素都是）",
    "sum over {count} of {product} = {result}": "每 {count} 项 {product} 求和 = {result}",
    "{sum} ({count} terms) = {result}": "{sum}（共 {count} 项）= {result}",
    # what nodes keep
    "its input": "它的输入",
    "its second input": "它的第二个输入",
    "both its inputs": "它的两个输入",
    "its result": "它的结果",
    "its nodes": "图上的节点",
    "{node} of {tensor}": "{node}（{tensor}）",
    "the storage of {tensor}": "{tensor} 的存储",
    "{count} more node": "另外 {count} 个节点",
    "{count} more nodes": "另外 {count} 个节点",
    "{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward would fail": (
        "{tensor} 由 {nodes} 保存时是版本 {old}，现在是版本 {new}：若做反向传播就会失败"
    ),
    "{tensor} was kept by {nodes} at version {old} and is now at version {new}: backward will fail": (
        "{tensor} 由 {nodes} 保存时是版本 {old}，现在是版本 {new}：反向传播会失败"
    ),
    "{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see the change, backward "
    "will use {new}": (
        "{tensor} 由 {nodes} 保存时是 {old}，版本却仍是 {version}：autograd 看不到这个改动，反向传播会用 {new}"
    ),
    "{tensor} was kept by {nodes} as {old}, and its version stays {version}: autograd cannot see the change, backward "
    "would use {new}": (
        "{tensor} 由 {nodes} 保存时是 {old}，版本却仍是 {version}：autograd 看不到这个改动，反向传播就会用 {new}"
    ),
    "where all that it is taken of is -inf, its result is nan already: leave a finite number": (
        "如果参与计算的全是 -inf，它的结果本来就是 nan：至少留一个有限的数"
    ),
    "a view of {tensor}": "{tensor} 的视图",
    "grad({target}) = {sent}, and {true} with what it had kept": "grad({target}) = {sent}，用保存时的值则是 {true}",
    "{node} had saved {tensors}": "{node} 保存了 {tensors}",
    "a second pass would fail: {why}": "再做一次反向传播会失败：{why}",
    "a second pass would not fail, it would add to the gradients again: {nodes} saved nothing": (
        "再做一次反向传播不会失败，梯度会再累加一次：{nodes} 没有保存任何张量"
    ),
    "{tensor} was {old} when {node} kept it and is {new}": "{node} 保存 {tensor} 时它是 {old}，现在是 {new}",
    "{what}, changed where autograd cannot see it": "{what}，改动发生在 autograd 看不到的地方",
    "{changed}: the gradient may not be the true one": "{changed}：梯度可能不对",
    "{changed}: {what}": "{changed}：{what}",
    "grad({target}) = {sent}, where {true} is right": "grad({target}) = {sent}，正确的是 {true}",
    # optimizers
    "{name}: {change}, gradient {gradient}": "{name}：{change}，梯度 {gradient}",
    "{count} more parameter": "另外 {count} 个参数",
    "{count} more parameters": "另外 {count} 个参数",
    "{count} more gradient": "另外 {count} 个梯度",
    "{count} more gradients": "另外 {count} 个梯度",
    "no parameter has a gradient": "没有参数带梯度",
    "filled with zeros": "全部置零",
    "the larger of {old} and {new}": "{old} 与 {new} 中较大的",
    "value - lr × grad": "值 - lr × 梯度",
    "value - lr × mean of grad / (√mean of grad² + eps)": "值 - lr × 梯度均值 / (√梯度²均值 + eps)",
    "value × (1 - lr × weight_decay) - lr × mean of grad / (√mean of grad² + eps)": (
        "值 × (1 - lr × weight_decay) - lr × 梯度均值 / (√梯度²均值 + eps)"
    ),
    "value - lr × grad / (√mean of grad² + eps)": "值 - lr × 梯度 / (√梯度²均值 + eps)",
    "value - lr × grad / (√sum of grad² + eps)": "值 - lr × 梯度 / (√梯度²之和 + eps)",
    # what runs on the learner's behalf
    "torch.func.grad runs this pass inside, on stand-ins of its arguments: it writes no .grad": (
        "这次反向传播由 torch.func.grad 在内部对参数的替身进行：不会写入 .grad"
    ),
    "torch.func.grad_and_value runs this pass inside, on stand-ins of its arguments: it writes no .grad": (
        "这次反向传播由 torch.func.grad_and_value 在内部对参数的替身进行：不会写入 .grad"
    ),
    "torch.func.vjp: calling the function that it returned runs this pass, from the gradient given to it; it writes no "
    ".grad": "torch.func.vjp：调用它返回的函数就运行这次反向传播，从传入的梯度开始；不会写入 .grad",
    "an inner tensor of {call}": "{call} 内部的一个张量",
    "a leaf without a name": "没有名字的叶子",
    "a tensor without a name": "没有名字的张量",
    "{node}, of {code}": "{node}，来自 {code}",
    "its first matrix": "它的第一个矩阵",
    "its second matrix": "它的第二个矩阵",
    "its weight": "它的权重",
    "its target": "它的目标",
    "its mask": "它的掩码",
    "its index": "它的索引",
    "its indices": "它的索引",
    "torch.func.jacrev runs one pass for all rows of the Jacobian together, by vmap; it writes no .grad": (
        "torch.func.jacrev 借助 vmap，用一次反向传播求雅可比矩阵的所有行；不会写入 .grad"
    ),
    "torch.func.jacfwd works forward, with tangents; this pass belongs to what it was given": (
        "torch.func.jacfwd 用切向量正向计算；这次反向传播属于传给它的函数"
    ),
    "torch.vmap runs this pass once for the whole batch": "torch.vmap 对整个批次只运行一次这个反向传播",
    "checkpoint has run the forward again, and runs this pass inside the other one, through the graph which "
    "that made": ("checkpoint 重新运行了前向，并在外层反向传播之中，沿着由此建的图进行这次反向传播"),
    "torch.func.grad differentiates with respect to a stand-in of the argument, not your tensor": (
        "torch.func.grad 是对参数的替身求导，不是对你的张量"
    ),
    "torch.func.grad_and_value differentiates with respect to a stand-in of the argument, not your tensor": (
        "torch.func.grad_and_value 是对参数的替身求导，不是对你的张量"
    ),
    "torch.func.vjp runs the function on a stand-in of the argument, and keeps the graph for later": (
        "torch.func.vjp 用参数的替身运行函数，并留着计算图备用"
    ),
    "torch.func.jacrev runs the function on a stand-in of the argument, then a pass backward": (
        "torch.func.jacrev 用参数的替身运行函数，再做一次反向传播"
    ),
    "checkpoint had kept only the inputs: the operations before this step ran a second time, during backward": (
        "checkpoint 只保存了输入：这一步之前的运算在反向传播期间又运行了一遍"
    ),
    "this node does nothing of its own: the backward hooks of a module run here": (
        "这个节点本身不做事：模块的反向钩子在这里运行"
    ),
    "forward mode: the result carries a tangent, and so does whatever is computed from it; no pass backward is "
    "needed": ("正向模式：结果带着切向量，由它算出的一切也都带着；不需要反向传播"),
    "forward mode: the value, and its tangent, which is the derivative along the tangent of the input": (
        "正向模式：取出值和它的切向量，即沿输入切向量方向的导数"
    ),
    "checkpoint runs the forward again, as it had kept only the inputs: this is a second time, in the pass": (
        "checkpoint 只保存了输入，所以重新运行前向：这是反向传播中的第二遍"
    ),
    "gradients are off here, as under no_grad: no graph is made": "这里梯度是关闭的（如 no_grad 之下）：不建图",
    "made in inference mode: no graph is made": "在推理模式下创建：不建计算图",
    "autograd does not record this change of a leaf": "autograd 不记录对叶子节点的这次修改",
    ".data is the same memory as {name}, but autograd does not see what is done with it": (
        ".data 与 {name} 是同一块内存，但 autograd 看不到对它做的事"
    ),
    "{name} gets other memory, and autograd does not see the change": (
        "{name} 换成了另一块内存，autograd 看不到这个改动"
    ),
    "in a Function's forward gradients are off: no graph is made of it, its backward stands in for one": (
        "在 Function 的 forward 里梯度是关闭的：里面的运算不建图，由它的 backward 代替"
    ),
    "in a Function's backward gradients are off, unless the pass is run with create_graph=True": (
        "在 Function 的 backward 里梯度是关闭的，除非这次反向传播用了 create_graph=True"
    ),
    "{function} runs this pass inside, to give back what it finds; it writes no .grad": (
        "这次反向传播由 {function} 在内部进行，结果由它返回；不会写入 .grad"
    ),
    "the same memory, but cut off from the graph: gradients stop here": "同一块内存，但与计算图断开：梯度到此为止",
    "other processes start here: what runs in them is not recorded": "这里启动了其他进程：它们里面运行的内容没有记录",
    # a recording that was full
    "the recording is full here": "记录到这里满了",
    "a shorter run is recorded whole: fewer iterations, or less data": "想完整记录，就让运行短一些：减少迭代次数或数据",
    "A shorter run is recorded whole: fewer iterations, or less data.": (
        "想完整记录，就让运行短一些：减少迭代次数或数据。"
    ),
    "The recording is full here, at {place}, after {count:,} events; {follows}. {help}": (
        "记录到这里满了：{place}，共 {count:,} 个事件；{follows}。{help}"
    ),
    "The recording is full here, at {place}, after so many bytes as it may have; {follows}. {help}": (
        "记录到这里满了：{place}，字节数已达上限；{follows}。{help}"
    ),
    "the recording was full at step {step}, at {place}": "记录在第 {step} 步满了：{place}",
    "a place that is not in the recording": "一个不在记录里的位置",
    "line {number} of {file}": "{file} 第 {number} 行",
    "{line}, iteration {number:,} of the loop": "{line}，循环的第 {number:,} 次迭代",
    "{line}, iteration {numbers} of the loops": "{line}，各层循环的第 {numbers} 次迭代",
    "what follows is the end of the run": "接下来是运行结束时的状态",
    "the run goes on, and is not recorded": "运行还在继续，但不再记录",
    "what ran after this is not recorded": "之后运行的内容没有记录",
}
ZH |= FAILURES | MISTAKES | RULES | SHAPES
