"""What several front ends say, in Chinese: errors about places and answers, notices of progress."""

ZH: dict[str, str] = {
    "shape {shape}, for {count} at once": "形状 {shape}，同时代表 {count} 份",
    "Choose a number from 1 to {count}.": "请选 1 到 {count} 之间的编号。",
    "The answer is the number of a line.": "请回答行号。",
    "The answer is a line from {first} to {last}.": "请回答第 {first} 到 {last} 行之间的行号。",
    "An answer is a number, a list such as [1, 2], True, False or None.": (
        "答案是一个数、一个列表（如 [1, 2]）、True、False 或 None。"
    ),
    "{where} is no place in a recording: say {forms}.": "{where} 不是记录中的位置：可以写 {forms}。",
    "end, a step number, line:N, line:N#K, FILE:N, cell:C or cell:C:N": (
        "end、步数、line:N、line:N#K、FILE:N、cell:C 或 cell:C:N"
    ),
    "There is no step {number}: this recording has {count}.": "没有第 {number} 步：这份记录共 {count} 步。",
    "Code cell {number} did not run: cells 1 to {ran} did.": "单元格 {number} 没有运行：运行了 1 到 {ran}。",
    "Code cell {number} did not run: no cell did.": "单元格 {number} 没有运行：一个也没有运行。",
    "This recording has no source text.": "这份记录里没有源代码。",
    "In a notebook lines are counted in each code cell: say cell:C:N.": "笔记本按单元格数行：请写 cell:C:N。",
    "This is no notebook, its lines are those of the file: say line:N.": "这不是笔记本，行号是文件的：请写 line:N。",
    "There is no code cell {number} in this recording: the last is {last}.": (
        "这份记录里没有单元格 {number}：最后一个是 {last}。"
    ),
    "{name} may be any of {paths}.": "{name} 可能是 {paths} 中的任何一个。",
    "No file {name} is in this recording; there is {paths}.": "这份记录里没有文件 {name}；有的是 {paths}。",
    "none": "无",
    "{name} has no line {line}: it has {count}.": "{name} 没有第 {line} 行：它共 {count} 行。",
    "There is no statement on line {line} of {name}.": "{name} 的第 {line} 行没有语句。",
    "Executions are counted from 1: say line:{line}#1.": "执行次数从 1 数起：请写 line:{line}#1。",
    "The statement on line {line} of {name} never ran.": "{name} 第 {line} 行的语句从未运行。",
    "The statement on line {line} of {name} was begun, but never completed.": (
        "{name} 第 {line} 行的语句开始了，但一次也没有运行完。"
    ),
    "The statement on line {line} of {name} was completed once only.": "{name} 第 {line} 行的语句只运行完一次。",
    "The statement on line {line} of {name} was completed {count} times only.": (
        "{name} 第 {line} 行的语句只运行完 {count} 次。"
    ),
    "The progress of {lesson} cannot be read: {why}.": "读不了 {lesson} 的进度：{why}。",
    "Progress is not kept: {why}.": "进度没有保存：{why}。",
    "The progress of {lesson} is kept: {why}.": "{lesson} 的进度没有清除：{why}。",
    "knob `{name}` is True or False, not {text}.": "旋钮 `{name}` 只能是 True 或 False，不能是 {text}。",
    "knob `{name}` cannot be {text}.": "旋钮 `{name}` 不能是 {text}。",
    "It is {choices}.": "可以是 {choices}。",
    "knob `{name}`: {text} {problem}.": "旋钮 `{name}`：{text} {problem}。",
    "knob `{name}` is a number, not {text}.": "旋钮 `{name}` 要一个数，不能是 {text}。",
    "is not one of {choices}": "不在 {choices} 之中",
    "is not True or False": "不是 True 或 False",
    "is not a text": "不是文本",
    "is not a number": "不是数",
    "is not a whole number": "不是整数",
    "is below the least, {least}": "小于最小值 {least}",
    "is above the most, {most}": "大于最大值 {most}",
    "and": "和",
    "or": "或",
    "The end of this file is damaged; the recording itself is whole.": "文件末尾有损坏；记录本身是完整的。",
    "This recording was cut off: it was not finished, or a part of the file is missing.": (
        "这份记录不完整：没有录完，或文件缺了一部分。"
    ),
    "This file is damaged or cut off: what comes after step {step} is lost.": "文件有损坏：第 {step} 步之后的都丢了。",
    # lessons and scripts that cannot be used
    "nothing": "无",
    "{words}, {word}": "{words}、{word}",
    "CUDA is not there: torch finds no GPU.": "没有 CUDA：torch 找不到 GPU。",
    "`gradtutor doctor` says more.": "详情见 `gradtutor doctor`。",
    "Did you mean {names}?": "你是想写 {names} 吗？",
    "There is {names}.": "可以是 {names}。",
    "There are none.": "一个也没有。",
    "there is no such folder of lessons.": "没有这个课程文件夹。",
    "is no folder of lessons.": "不是课程文件夹。",
    "is the lesson {id}, as {path} is.": "和 {path} 是同一课 {id}。",
    "`{name}` is no family of lessons.": "没有 `{name}` 这一类课程。",
    "is not named as a lesson is.": "文件名不合课程的规矩。",
    "has no header, so it has no title.": "没有文件头，所以没有标题。",
    "stands in no family's folder.": "不在任何一类课程的文件夹里。",
    "Put it into one of {names}.": "请放进 {names} 之一。",
    "For instance: 01-two-paths.py": "例如：01-two-paths.py",
    "A lesson begins with `# ---`, see CONTRIBUTING.md.": "课程以 `# ---` 开头，见 CONTRIBUTING.md。",
    "Give one of them another name.": "请给其中一个换个名字。",
    "the code makes a cell of its own.": "代码里另开了一个单元格。",
    "Take out the line with `# %%`.": "请去掉带 `# %%` 的那一行。",
    "there is no code cell {number} to edit.": "没有单元格 {number} 可以修改。",
    "there is no lesson `{shown}`.": "没有课程 `{shown}`。",
    "`gradtutor list` shows all lessons.": "`gradtutor list` 会列出所有课程。",
    "there is no such file.": "没有这个文件。",
    "there is no such file, and no such lesson.": "没有这个文件，也没有这一课。",
    "`{text}` could be {ids}.": "`{text}` 可能是 {ids}。",
    "Name one of them.": "请写明是哪一个。",
    "is a folder, not a script.": "是文件夹，不是脚本。",
    "Name a file in it.": "请写出其中的一个文件。",
    "is not a regular file.": "不是普通文件。",
    "Save the script to a file first.": "请先把脚本保存成文件。",
    "is too large for a script ({size:,} bytes).": "太大了，不像脚本（{size:,} 字节）。",
    "cannot be opened: {why}.": "打不开：{why}。",
    "cannot be read: {why}.": "读不了：{why}。",
    "cannot be written: {why}.": "写不了：{why}。",
    "is not text: it holds a zero byte.": "不是文本：里面有零字节。",
    "Name a Python script.": "请写一个 Python 脚本。",
    "Name a Python script (.py).": "请写一个 Python 脚本（.py）。",
    "is not UTF-8: byte 0x{byte:02x} stands at offset {start}.": "不是 UTF-8：偏移 {start} 处是字节 0x{byte:02x}。",
    "Save it as UTF-8.": "请存成 UTF-8。",
    "is a notebook, which cannot be opened yet.": "是笔记本，现在还不能打开。",
    "is Markdown, which cannot be opened yet.": "是 Markdown，现在还不能打开。",
    "syntax error: {problem}.{shown}": "语法错误：{problem}。{shown}",
    "Python cannot compile this: {why}.": "Python 编译不了：{why}。",
    # the header
    "the header is not YAML: {problem}.": "文件头不是 YAML：{problem}。",
    "the header is not YAML: {error}.": "文件头不是 YAML：{error}。",
    "it cannot be read": "读不懂",
    "`gradtutor` in the header holds no keys.": "文件头里的 `gradtutor` 下面没有任何键。",
    "It needs at least a title.": "至少要有标题。",
    "the header has an unknown key `{key}`.": "文件头里有不认识的键 `{key}`。",
    "`{key}` must give a text for each language.": "`{key}` 要按语言给出文字。",
    'For instance: {key}: {{en: "…"}}': '例如：{key}: {{en: "…"}}',
    "`{key}` has an unknown language `{language}`.": "`{key}` 里有不认识的语言 `{language}`。",
    "the lesson has no title.": "课程没有标题。",
    'Put one into the header: title: {en: "…"}': '请写进文件头：title: {en: "…"}',
    "`needs` must be a list.": "`needs` 要是列表。",
    "For instance: needs: [cuda]": "例如：needs: [cuda]",
    "`needs` names `{need}`, which is unknown.": "`needs` 里有不认识的 `{need}`。",
    # knobs
    "For instance: lr = 0.05  # @param {type: number, min: 0.001, max: 1}": (
        "例如：lr = 0.05  # @param {type: number, min: 0.001, max: 1}"
    ),
    "a knob must be a line `name = literal`, the literal a number, True, False or a text.": (
        "旋钮要写成一行 `名称 = 字面值`，字面值是数、True、False 或文本。"
    ),
    "what follows @param of knob `{name}` is not YAML: {problem}.": (
        "旋钮 `{name}` 的 @param 后面不是 YAML：{problem}。"
    ),
    "the choices of knob `{name}` must be numbers or texts.": "旋钮 `{name}` 的选项要是数或文本。",
    "knob `{name}` has an unknown key `{key}`.": "旋钮 `{name}` 有不认识的键 `{key}`。",
    "knob `{name}` has the unknown type `{kind}`.": "旋钮 `{name}` 的类型 `{kind}` 不认识。",
    "only a number can have min, max and step, and knob `{name}` is a {kind}.": (
        "只有 number 才能有 min、max 和 step，而旋钮 `{name}` 是 {kind}。"
    ),
    "`{key}` of knob `{name}`": "旋钮 `{name}` 的 `{key}`",
    "{what} is not a number.": "{what}不是数。",
    "what follows @param of knob `{name}` must be a mapping or a list of choices.": (
        "旋钮 `{name}` 的 @param 后面要是键值对，或选项的列表。"
    ),
    "the literal of knob `{name}`, {default}, {problem}.": "旋钮 `{name}` 的字面值 {default} {problem}。",
    "there is no knob `{name}`.": "没有旋钮 `{name}`。",
    "--device: this has no knob `device`, so it chooses its device itself.": (
        "--device：这里没有旋钮 `device`，用哪个设备由它自己决定。"
    ),
    'A line `device = "cpu"  # @param ["cpu", "cuda"]` would make one.': (
        '写一行 `device = "cpu"  # @param ["cpu", "cuda"]` 就有了。'
    ),
    # cells
    "an exercise": "练习",
    "a hint": "提示",
    "a solution": "参考答案",
    "a check": "检查",
    "the cell's attributes cannot be read: {value}": "单元格的属性读不懂：{value}",
    'They look like key="value".': '要写成 key="value" 的样子。',
    "the cell has an unknown attribute `{key}`.": "单元格有不认识的属性 `{key}`。",
    "`tags` must be a list.": "`tags` 要是列表。",
    'For instance: tags=["hint"]': '例如：tags=["hint"]',
    "the cell has an unknown tag `{tag}`.": "单元格有不认识的标签 `{tag}`。",
    "a hint must be prose.": "提示要是文字。",
    'Mark it `# %% [markdown] tags=["hint"]`.': '请标成 `# %% [markdown] tags=["hint"]`。',
    "{kind} must be code.": "{kind}要是代码。",
    "`of` stands on a cell that asks nothing.": "`of` 写在了没有提问的单元格上。",
    'Say which question: question="predict"': '请写明是什么题：question="predict"',
    "the cell has an unknown language `{language}`.": "单元格的语言 `{language}` 不认识。",
    "the live value `{expression}` is not an expression.": "实时值 `{expression}` 不是表达式。",
    "the lesson has no code cell.": "课程没有代码单元格。",
    "A line `# %%` begins one.": "写一行 `# %%` 就开始一个。",
    "knob `{name}` is there twice.": "旋钮 `{name}` 出现了两次。",
    "no code follows the question, so nothing can answer it.": "题目后面没有代码，所以没有答案。",
    "there are two exercises `{exercise}`.": "有两个练习都叫 `{exercise}`。",
    "{kind} must follow {names}.": "{kind}前面必须是{names}。",
    "The order is exercise, hints, solution, check.": "次序是练习、提示、参考答案、检查。",
    "the question is of an unknown kind, `{question}`.": "题目的种类 `{question}` 不认识。",
    "the question does not say what answers it.": "题目没有写明答案从哪里来。",
    'Add an expression: of="w.grad"': '请加上表达式：of="w.grad"',
    "`of` is not an expression: {of}": "`of` 不是表达式：{of}",
    "the question has no list to choose from.": "选择题没有选项。",
    "the question has no list to choose from in `{language}`.": "选择题没有 `{language}` 的选项。",
    "Write two items or more, `- …`.": "请写两项以上，`- …`。",
    "the question has not as many items to choose from in each language.": "选择题各语言的选项个数不一样。",
    "the exercise has no id.": "练习没有 id。",
    'Add one: id="slope"': '请加上：id="slope"',
    "an exercise cannot have a number as its id: `{exercise}`.": "练习的 id 不能是数：`{exercise}`。",
    'Use words: id="slope"': '请用单词：id="slope"',
    "the exercise is of an unknown kind, `{kind}`.": "练习的种类 `{kind}` 不认识。",
    "the exercise does not say its kind.": "练习没有写明种类。",
    "the exercise `{exercise}` must be followed by its hints, a solution and a check.": (
        "练习 `{exercise}` 后面要有提示、参考答案和检查。"
    ),
    'Tag them tags=["hint"], ["solution"] and ["check"].': '分别标上 tags=["hint"]、["solution"] 和 ["check"]。',
    # a new lesson
    "there is a lesson {name} already: {path}.": "已经有课程 {name}：{path}。",
    "Choose another name.": "请换个名字。",
    "a lesson is called family/slug, not `{name}`.": "课程的名称是 family/slug，而不是 `{name}`。",
    "For instance: graph/two-paths": "例如：graph/two-paths",
    "`{slug}` is no name for a lesson.": "`{slug}` 不能作课程的名称。",
    "Use small letters, digits and single dashes, 40 at most: two-paths": (
        "请用小写字母、数字和单个连字符，最多 40 个：two-paths"
    ),
    "the condition is true before the cell begins": "单元格开始之前条件就已经成立",
    "the condition never becomes true": "条件一直没有成立",
    # what is missing from a recording
    "The recording was full after {count:,} events. What ran after that is not in it, but for the charts and the state "
    "at the end.": "记录到 {count:,} 个事件就满了。之后运行的不在记录里，只有图表和结束时的状态。",
    "{count:,} more characters were printed than the recording keeps.": "打印的字符比记录能保存的多 {count:,} 个。",
    "{count:,} more bytes were printed by C code or child processes than are kept.": (
        "C 代码或子进程打印的内容比能保存的多 {count:,} 字节。"
    ),
    "The recording was damaged by the program: {detail}.": "记录被程序弄坏了：{detail}。",
    "What runs in {detail}, another thread, is not recorded. What it leaves in tensors is, at the next statement.": (
        "在另一个线程 {detail} 中运行的代码没有被记录；它留在张量里的结果，会在下一条语句处记录下来。"
    ),
    "The program has closed the pipe that its recording goes through (it closes all descriptors, perhaps). What ran "
    "after that is not in it.": ("程序关闭了传送记录的管道（也许它关闭了所有描述符）；此后运行的内容不在记录里。"),
    "An operation could not be recorded: {detail}.": "有一个运算没能记录下来：{detail}。",
    "A backward pass ran that was not seen to begin (in another thread, or from gradient edges): its nodes are not "
    "shown, the gradients that it wrote are.": (
        "有一次反向传播没看到开头（在另一个线程里，或从 gradient edge 开始）：它的节点没有显示，它写下的梯度有显示。"
    ),
    "{why} ({count:,} events)": "{why}（{count:,} 个事件）",
    "An event of kind {detail} is not in the recording: it takes {count:,} bytes.": (
        "有一个 {detail} 类的事件不在记录里：它有 {count:,} 字节。"
    ),
    "An event of kind {detail} could not be written.": "有一个 {detail} 类的事件写不下来。",
    "More was printed than is kept: what comes after {count:,} characters.": (
        "打印的内容超过了保留的上限：第 {count:,} 个字符之后的没有保留。"
    ),
    "a frame of more or other events than it announces": "一帧里的事件数与它声明的不符，或者太多",
    "a frame that takes too much memory": "一帧占用的内存太多",
    "{path} is no regular file": "{path} 不是普通文件",
    "there is no home folder": "没有主文件夹",
    "it takes too much memory": "占用的内存太多",
    "This recording takes too much memory: what comes after step {step} is not shown.": (
        "这份记录占用的内存太多：第 {step} 步之后的内容不显示。"
    ),
    "Some steps of the recording are not what it says they are: they cannot be read.": (
        "记录里有些步与它声明的种类不符：它们读不了。"
    ),
    "{path} is too large for a recording ({size:,} bytes).": "{path} 太大了，不像记录（{size:,} 字节）。",
    "{path} is not a recording of gradtutor.": "{path} 不是 gradtutor 的记录。",
    "{path} is a recording of format {version}; this gradtutor reads format {ours}.": (
        "{path} 是格式 {version} 的记录；这个 gradtutor 读的是格式 {ours}。"
    ),
    "A part of the recording cannot be read and was left out: {error}.": "记录有一部分读不了，已略去：{error}。",
    "Some events of kind {kind} are damaged and were skipped.": "有些 {kind} 类的事件有损坏，已跳过。",
    "Events of kind {kind}, from a later version of gradtutor, were skipped.": (
        "{kind} 类的事件来自更新版本的 gradtutor，已跳过。"
    ),
    "Some events are damaged and were skipped.": "有些事件有损坏，已跳过。",
    "a frame of {length:,} bytes": "一帧有 {length:,} 字节",
    "damaged data ({error})": "数据有损坏（{error}）",
    "data that is cut off, or inflates to too much": "数据不完整，或解压之后太大",
    "data that is no list of events": "数据不是事件的列表",
    "This part of the recording cannot be read.": "记录的这一部分读不了。",
    "A part of the recording cannot be read: {error}.": "记录有一部分读不了：{error}。",
    "A part of the recording has {count} steps where {wanted} are announced.": (
        "记录有一部分只有 {count} 步，本该是 {wanted} 步。"
    ),
    # values that cannot be listed
    "a meta tensor has no elements": "meta 张量没有元素",
    "a nested tensor": "嵌套张量",
    "a quantized tensor": "量化张量",
    "its memory was released": "它的内存已经释放",
    "not made yet": "还没有创建",
    # derivatives that cannot be measured
    "tensor {number}": "张量 {number}",
    "only the gradient of a leaf can be measured: a tensor that no operation made.": (
        "只能测量叶子节点的梯度，也就是不由任何运算产生的张量。"
    ),
    "{name} is {dtype}: only real floating-point numbers can be nudged.": (
        "{name} 是 {dtype}：只有实浮点数才能稍微改动。"
    ),
    "no backward pass on show here has brought a gradient to {name} yet.": (
        "这里显示的反向传播还没有给 {name} 带来梯度。"
    ),
    "the recording does not tell where {name} was used.": "记录里看不出 {name} 在哪里用过。",
    "{name} is made in the statement that uses it: give it a line of its own.": (
        "{name} 是在用到它的那条语句里创建的：请让它自成一行。"
    ),
    "what the pass began with is too large: the recording has no single elements of it.": (
        "反向传播的起点太大：记录里没有它的各个元素。"
    ),
    "{name} is too large: the recording has no single elements of it.": "{name} 太大：记录里没有它的各个元素。",
    "the program gives other numbers when it runs again ({here:g}, then {again:g}): does it set a seed?": (
        "程序再运行一次，得到的数不一样（先是 {here:g}，后是 {again:g}）：它固定随机种子了吗？"
    ),
    "the program did not come to this pass when it ran again.": "程序再运行一次，没有走到这次反向传播。",
    "The program starts other processes ({detail}): what runs in them is not in the recording.": (
        "程序启动了其他进程（{detail}）：在它们里面运行的内容不在记录里。"
    ),
    # a recording that was full
    "The recording was full at step {step:,}: what ran after that is not in it, but for what was printed, the charts "
    "and the state at the end.": (
        "记录在第 {step:,} 步满了：之后运行的内容不在其中，只有打印的文字、图表和结束时的状态。"
    ),
    "The recording was full at step {step:,}: what ran after that is not in it.": (
        "记录在第 {step:,} 步满了：之后运行的内容不在其中。"
    ),
    "The statement on line {line} of {name} did not run before the recording was full, at step {step:,}.": (
        "记录在第 {step:,} 步就满了，在那之前 {name} 第 {line} 行的语句没有运行。"
    ),
    "The statement on line {line} of {name} was completed {count} times before the recording was full, at "
    "step {step:,}.": "记录在第 {step:,} 步就满了，在那之前 {name} 第 {line} 行的语句运行完了 {count} 次。",
    # files that are hard to read
    "cannot be read in the encoding that it names: {why}.": "无法按它指明的编码读取：{why}。",
    "is too large for a script ({count:,} lines, and {most:,} are the most).": (
        "作为脚本太大了（{count:,} 行，最多 {most:,} 行）。"
    ),
    "the mark of this cell cannot be read: {why}.": "这个单元格的标记无法读取：{why}。",
    # a process that does not start
    "the process that runs the code cannot be started: {why}. `gradtutor doctor` says more.": (
        "运行代码的进程无法启动：{why}。详情见 `gradtutor doctor`。"
    ),
    "the current folder cannot be used: {why}": "当前文件夹无法使用：{why}",
    "the process that runs the code died of {name} before the first line.": (
        "运行代码的进程在第一行之前就被 {name} 结束了。"
    ),
    "the process that runs the code ended with exit status {status} before the first line.": (
        "运行代码的进程在第一行之前就结束了，退出状态是 {status}。"
    ),
    "It printed last: `{line}`.": "它最后打印的是：`{line}`。",
}
