"""What authors of lessons are told, in Chinese."""

ZH: dict[str, str] = {
    "warning: {what}": "警告：{what}",
    # the summary
    "1 lesson checked": "检查了 1 课",
    "{lessons} lessons checked": "检查了 {lessons} 课",
    " 1 warning.": "有 1 条警告。",
    " {count} warnings.": "有 {count} 条警告。",
    "{checked}, nothing wrong.{warnings}": "{checked}，没有错误。{warnings}",
    "{checked}: 1 thing is wrong.{warnings}": "{checked}：有 1 处错误。{warnings}",
    "{checked}: {count} things are wrong.{warnings}": "{checked}：有 {count} 处错误。{warnings}",
    "{checked}: {count} things are wrong in {files} files.{warnings}": (
        "{checked}：{files} 个文件里有 {count} 处错误。{warnings}"
    ),
    # seen by reading
    "there is no lesson in this folder.": "这个文件夹里没有课程。",
    "A lesson is <family>/<nn>-<slug>.py.": "课程文件应当是 <family>/<nn>-<slug>.py。",
    "is not named as a lesson is.": "文件名不合课程的规矩。",
    "For instance: 01-two-paths.py": "例如：01-two-paths.py",
    "stands in no family's folder.": "不在任何一类课程的文件夹里。",
    "There is {names}.": "可以是 {names}。",
    "has no header, so it is no lesson.": "没有文件头，所以不是课程。",
    "A lesson begins with `# ---`, see CONTRIBUTING.md.": "课程以 `# ---` 开头，见 CONTRIBUTING.md。",
    "the lesson has no {key} in {names}.": "课程缺少 {names} 的 {key}。",
    "the prose is not there in {names}.": "这段正文缺少 {names}。",
    "the question is not there in {names}.": "这道题缺少 {names}。",
    "the hint is not there in {names}.": "这条提示缺少 {names}。",
    'Write it right after it, with the same attributes and lang="{language}".': (
        '紧接着写上，属性相同，并且 lang="{language}"。'
    ),
    "the answer to the question does not come from the run: {of}": "这道题的答案不是从运行中来的：{of}",
    'For instance: of="1 if y.requires_grad else 2"': '例如：of="1 if y.requires_grad else 2"',
    "the check's assertion has no message.": "检查里的断言没有说明。",
    "the check's message is not there in {names}.": "检查的说明缺少 {names}。",
    'Tell the learner what is wrong: assert …, {"en": "…", "zh": "…"}': (
        '告诉学习者错在哪里：assert …, {"en": "…", "zh": "…"}'
    ),
    "the code line has {count} columns, and {columns} are the most.": "这行代码有 {count} 列，最多 {columns} 列。",
    "Break it in two.": "请分成两行。",
    "the text does not say which language it is in.": "这段文字没有说明是哪种语言。",
    'Mark it lang="en".': '请标上 lang="en"。',
    'the text with lang="zh" is not Chinese.': '标着 lang="zh" 的文字不是中文。',
    # seen by running
    "was not run: {note}": "没有运行：{note}",
    "the starter fails with {error}: {message}": "起始代码出错：{error}：{message}",
    "the cell fails with {error}: {message}": "单元格出错：{error}：{message}",
    "with the exercises solved, the cell fails with {error}: {message}": "练习做对之后，单元格出错：{error}：{message}",
    "Let it stand in `try` and `except`, or mend it.": "请放进 `try` 和 `except`，或者改好它。",
    "the cell does not come to its end: {why}.": "单元格没有运行到底：{why}。",
    "A lesson must come to its end.": "课程必须能运行到底。",
    "the run did not come to an end, and was stopped.": "运行没有尽头，已被停止。",
    "the run was ended by signal {number}.": "运行被信号 {number} 终止。",
    "the process ended with exit status {status}.": "进程退出，退出状态 {status}。",
    "the recording has a gap: {notice}": "记录有缺口：{notice}",
    "the recording has {size} MB, and {most} are the most.": "记录有 {size} MB，最多 {most} MB。",
    "the recording has {events:,} events, and {most:,} are the most.": "记录有 {events:,} 个事件，最多 {most:,} 个。",
    "the lesson took {seconds:.1f} seconds here, and should take {most}.": (
        "这一课在这里用了 {seconds:.1f} 秒，应当不超过 {most} 秒。"
    ),
    "Make a loop shorter.": "请缩短某个循环。",
    "`{of}` cannot be computed: {error}.": "`{of}` 算不出来：{error}。",
    "It is worked out when the next code cell has ended.": "它在下一个代码单元格运行完时计算。",
    "`{of}` gives {value}, and the options are numbered 1 to {count}.": "`{of}` 得到 {value}，而选项是 1 到 {count}。",
    "Let it give the number of the right one.": "它应当给出正确选项的编号。",
    "`{of}` gives {value}, which cannot be typed as an answer.": "`{of}` 得到 {value}，没法作为答案输入。",
    "Ask for a number, a small list, True, False or None; or give a choice.": (
        "请问一个数、一个小列表、True、False 或 None；或者改成选择题。"
    ),
    "`{of}` has {count} elements, and a learner can type {small}.": (
        "`{of}` 有 {count} 个元素，学习者最多能输入 {small} 个。"
    ),
    "Ask for a part of it.": "请只问其中一部分。",
    "the starter of `{exercise}` already passes its check.": "`{exercise}` 的起始代码已经能通过检查。",
    "Leave something to do, and check for it.": "请留下要做的事，并检查它做了没有。",
    "the check of `{exercise}` fails without a word.": "`{exercise}` 的检查失败时什么也没说。",
    "the solution of `{exercise}`, run after the starter, fails: {why}": (
        "`{exercise}` 的参考答案在起始代码之后运行，没有通过：{why}"
    ),
    "Let it define all that it changes.": "它要改动的，都应当由它自己定义。",
    "the solution of `{exercise}` does not pass its check: {why}": "`{exercise}` 的参考答案没有通过检查：{why}",
    "It must stand alone, in place of the starter.": "它必须能独自代替起始代码。",
    "the live value `{expression}` has no value here.": "实时值 `{expression}` 在这里没有值。",
    "Simple ones can be filled in: w, w.grad, w.item(), w.tolist(), w.shape, of names that are there.": (
        "能填的是简单的几种：w、w.grad、w.item()、w.tolist()、w.shape，而且名字要已经存在。"
    ),
    "the text says that `{name}` is {said}, and in the run it is {right}.": (
        "文中说 `{name}` 是 {said}，运行中却是 {right}。"
    ),
    "Write {{{{ {name} }}}}, and the run fills it in.": "请写 {{{{ {name} }}}}，由运行来填。",
    "what happens here is another thing in each run.": "这里每次运行的结果都不一样。",
    "Call torch.manual_seed before the first random number is drawn.": "在抽第一个随机数之前调用 torch.manual_seed。",
}
