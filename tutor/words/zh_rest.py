"""What several front ends say, in Chinese: errors about places and answers, notices of progress."""

ZH: dict[str, str] = {
    "Choose a number from 1 to {count}.": "请选 1 到 {count} 之间的编号。",
    "The answer is the number of a line.": "请回答行号。",
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
}
