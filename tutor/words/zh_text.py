"""The plain front end in Chinese."""

ZH: dict[str, str] = {
    "this step cannot be explained: {error}": "这一步无法解释：{error}",
    "and {count:,} more": "还有 {count:,} 个",
    "The screen wants {columns} columns and {lines} lines.": "屏幕界面需要 {columns} 列、{lines} 行。",
    "Lines and marks are drawn in ASCII: the encoding is not UTF-8.": "线条和记号用 ASCII 画：编码不是 UTF-8。",
    "none, as NO_COLOR says": "无，因为设置了 NO_COLOR",
    "16 million": "1600 万",
    "gradtutor needs Python {version}.": "gradtutor 需要 Python {version}。",
    "Install torch (https://pytorch.org/get-started): recordings can be viewed without it, lessons not run.": (
        "请安装 torch（https://pytorch.org/get-started）：没有它可以看记录，但不能运行课程。"
    ),
    "gradtutor needs torch {version} or newer.": "gradtutor 需要 torch {version} 或更新的版本。",
    "{what}, tested": "{what}，测试过",
    "{what}, not tested (gradtutor was with {versions})": "{what}，没有测试过（测试过的是 {versions}）",
    "terminal": "终端",
    "This terminal cannot draw a screen: --plain walks without one.": "这个终端画不了屏幕界面：请用 --plain。",
    "size": "大小",
    "{columns} columns, {lines} lines": "{columns} 列，{lines} 行",
    "colours": "颜色",
    "encoding": "编码",
    "none: this torch was built without it": "无：这个 torch 构建时不带 CUDA",
    "built for {version}, but torch finds no device": "为 {version} 构建，但 torch 找不到设备",
    "torch finds no CUDA device.": "torch 找不到 CUDA 设备。",
    "none: the output goes elsewhere": "无：输出去了别处",
    "TERM is not set": "没有设置 TERM",
    "All fits.": "一切就绪。",
    "it says nothing": "它什么也没说",
    "importing it takes more than {count} seconds": "导入超过 {count} 秒",
    "torch cannot be imported.": "torch 无法导入。",
    "Python cannot be started: {error}": "Python 无法启动：{error}",
    "Lessons cannot be run.": "课程无法运行。",
    "{name} shares its storage with {others}": "{name} 与 {others} 共用存储",
    "saved for backward": "为反向传播保存",
    "{name} shares its storage with {others}; version {version} since step {step}": (
        "{name} 与 {others} 共用存储；从第 {step} 步起是版本 {version}"
    ),
    "shared storage": "共用的存储",
    " of its own": "（自己的）",
    "{node} kept {what}{own}": "{node} 曾保存 {what}{own}",
    "{node} keeps {what}{own}": "{node} 保存 {what}{own}",
    "{what} as {name}": "{what}，名为 {name}",
    "{count} bytes": "{count} 字节",
    "and more": "还有更多",
    "version {number}": "版本 {number}",
    "freed": "已释放",
    "which is at version {number} now: backward would fail": "现在是版本 {number}：再反向传播就会失败",
    "which is at version {number} now: backward will fail": "现在是版本 {number}：反向传播会失败",
    "done": "已完成",
    "begun": "进行中",
    "There are no lessons here.": "这里没有课程。",
    "needs {what}": "需要 {what}",
    " Off: {places}.": "不对的是：{places}。",
    "your answer ({within})": "你的答案（{within}）",
    "the number of the line": "行号",
    "the number of your choice": "所选项的编号",
    "Now see.": "往下看。",
    "the answer is {value}": "答案是 {value}",
    "Exercise {name}: {problem} (`e` on the full screen changes the code.)": (
        "练习 {name}：{problem}（在全屏界面按 `e` 改代码。）"
    ),
    "{what} is {value}": "{what} 是 {value}",
    "it is line {value}": "是第 {value} 行",
    "Skipped.": "已跳过。",
    "Type an answer, or s to skip.": "请输入答案，或用 s 跳过。",
    "Exercise {name}: solved.": "练习 {name}：已解出。",
    "{what} could not be computed: {error}": "{what} 算不出来：{error}",
    "You skipped the question: {what}.": "你跳过了这道题：{what}。",
    "Right: {what}.": "答对了：{what}。",
    "You said {answer}, but {what}.{off}": "你答的是 {answer}，但{what}。{off}",
    "live": "有效",
    "new": "新",
    "graph": "计算图",
    "output": "输出",
    "step {number} of {count}": "第 {number} 步，共 {count} 步",
    "name": "名称",
    "value": "值",
    "leaf": "叶子",
    "yes": "是",
    "no": "否",
    "graph of pass {number}": "第 {number} 次反向传播的计算图",
    "output (the last {last} of {count} lines)": "输出（{count} 行中的最后 {last} 行）",
    "{name} by backward pass: {points}": "{name}，按反向传播次数：{points}",
    "{name} by backward pass (the last {last} of {count}): {points}": (
        "{name}，按反向传播次数（{count} 个中的最后 {last} 个）：{points}"
    ),
    "knobs: {knobs}": "旋钮：{knobs}",
    "figures: {count}": "图：{count}",
    "before the first of {count} steps": "第一步之前，共 {count} 步",
    "cell {number}": "单元格 {number}",
    "line {number}": "第 {number} 行",
    "in {function}": "{function} 中",
    "turn {number}": "迭代 {number}",
    "backward pass {number}": "第 {number} 次反向传播",
    "node": "节点",
    "makes": "产生",
    "gradient": "梯度",
    "state": "状态",
    "from": "来自",
    "tensors in {function}": "{function} 中的张量",
    "tensors": "张量",
    "none": "无",
    "and {count} before them": "前面还有 {count} 个",
    "This was the last step.": "这已经是最后一步。",
    "This is the first step.": "这是第一步。",
    "No statement comes after this one.": "后面没有语句了。",
    "This is the first statement.": "这是第一条语句。",
    "Nothing to step into here.": "这里没有可以进入的。",
    "Nothing to step out of here.": "这里没有可以跳出的。",
    "This is the last cell that ran.": "这是运行过的最后一个单元格。",
    "This is the first cell.": "这是第一个单元格。",
    "No turn of a loop comes after this.": "后面没有迭代了。",
    "No turn of a loop comes before this.": "前面没有迭代了。",
    "No backward pass comes after this.": "后面没有反向传播了。",
    "No backward pass comes before this.": "前面没有反向传播了。",
    "a recording": "一份记录",
    ", {count} steps. Enter takes a step, ? helps.": "，共 {count} 步。Enter 走一步，? 看帮助。",
    " ? lists the commands.": " ? 列出命令。",
    "{what}, s skips: ": "{what}，s 跳过：",
    "This step is no failure.": "这一步没有出错。",
    "Where this became inevitable is not known.": "不知道这个错误从哪一步起已经注定。",
    "c goes to the step that made it inevitable.": "c 去让它注定出错的那一步。",
    """\
Enter  the next step            b   the step before
n      the next statement       p   the statement before
i      into a call              o   out of it
]      the next cell            [   the cell before
}      the next turn of a loop  {   the turn before
f      the next backward pass   F   the backward pass before
t      everything here          c   what made this failure inevitable
7      to step 7                line:8  to where line 8 has run; also cell:2, end, line:8#3
s      skip a question          ?   this help
q      quit
""": """\
Enter  下一步                   b   上一步
n      下一条语句               p   上一条语句
i      进入调用                 o   跳出
]      下一个单元格             [   上一个单元格
}      下一次迭代               {   上一次迭代
f      下一次反向传播           F   上一次反向传播
t      这里的全部情况           c   去让这个错误注定发生的那一步
7      去第 7 步                line:8  去第 8 行运行之后；还有 cell:2、end、line:8#3
s      跳过问题                 ?   本帮助
q      退出
""",
    " The recording was full at step {step:,}.": "记录在第 {step:,} 步满了。",
}
