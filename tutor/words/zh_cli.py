"""The command line in Chinese: its help, and what it refuses."""

ZH: dict[str, str] = {
    "Walk real PyTorch code in the terminal, forward and back in time, down to each node of the backward pass.\n\n"
    "Without LESSON and COMMAND the list of lessons opens. LESSON is a lesson's id (graph/two-paths), its slug "
    "(two-paths) or a part of its id that no other has; a path to a script or a recording opens that.": (
        "在终端里逐步走过真正的 PyTorch 代码，可以前进，也可以后退，一直细到反向传播的每个节点。\n\n"
        "不写 LESSON 和 COMMAND，就打开课程列表。LESSON 是课程的编号（graph/two-paths）、短名（two-paths），"
        "或编号中独有的一部分；写脚本或记录的路径，就打开那个文件。"
    ),
    "commands": "命令",
    "open a Python script of your own, unchanged; what follows FILE is the script's": (
        "打开自己的 Python 脚本，无需改动；FILE 之后的都归脚本"
    ),
    "run a script without a screen and keep the recording": "不用屏幕界面运行脚本，保存记录",
    "walk through a recording; needs no torch": "走一份记录；不需要 torch",
    "the lessons": "课程列表",
    "the steps of a lesson, a script or a recording, one per line": "课程、脚本或记录的各步，每步一行",
    "everything at one point, as text": "某一处的全部情况，以文本给出",
    "for authors of lessons: what is wrong with them, with file and line": ("给课程作者：哪里有错，在哪个文件、哪一行"),
    "write a lesson to begin with": "写出一课的样板，从这里开始",
    "Python, torch, CUDA, the terminal, and what does not fit": "Python、torch、CUDA、终端，以及哪里不合适",
    "more about a command": "某个命令的详细说明",
    "options, before or after a command's TARGET": "选项，写在命令的 TARGET 之前或之后都行",
    "exit status: 0 fine; 1 the script failed or exited with a status other than 0; 2 wrong use, an ambiguous name or "
    "a malformed file; 3 something is not there (a file, CUDA, a terminal); 130 interrupted": (
        "退出状态：0 正常；1 脚本出错，或以非 0 状态退出；2 用法不对、名称有歧义或文件格式不对；"
        "3 缺少什么（文件、CUDA、终端）；130 被中断"
    ),
    "Open a Python script of your own, unchanged. Everything after FILE is the script's.": (
        "打开自己的 Python 脚本，无需改动。FILE 之后的都归脚本。"
    ),
    "Run a script without a screen and keep the recording. Everything after FILE is the script's; only "
    "`FILE -o OUT.trace` is ours where nothing else follows.": (
        "不用屏幕界面运行脚本，保存记录。FILE 之后的都归脚本；只有 `FILE -o OUT.trace` 后面再没有别的时，才归我们。"
    ),
    "Walk through a recording. Needs no torch, and not the script either.": "走一份记录。不需要 torch，也不需要脚本。",
    "The lessons, in the order in which one learns, with your progress.": "按学习的先后列出课程，以及你的进度。",
    "The steps of a lesson, a script or a recording, one per line. With --json one object per line.": (
        "课程、脚本或记录的各步，每步一行。加 --json 则每行一个对象。"
    ),
    "Everything at one point of a lesson, a script or a recording: tensors, graph, series, output.": (
        "课程、脚本或记录在某一处的全部情况：张量、计算图、曲线、输出。"
    ),
    "Read and run lessons and say everything that is wrong with them, with file and line. PATH is a lesson's file or a "
    "folder of them; if not given, all lessons.": (
        "读取并运行课程，指出所有的错，以及文件和行号。PATH 是一课的文件，或放课程的文件夹；不写则是全部课程。"
    ),
    "Write a lesson that says what to put where, and passes `gradtutor check`: into the folder of --lessons, which is "
    "made if need be, else into that of the checkout.": (
        "写出一课的样板，说明哪里该写什么，并且能通过 `gradtutor check`：放进 --lessons 的文件夹（没有就新建），"
        "不写则放进源代码里的课程文件夹。"
    ),
    "What this machine has of what gradtutor needs, and what does not fit.": (
        "gradtutor 需要的，这台机器有哪些，哪里不合适。"
    ),
    "where to look: end (as if not given); a step's number; line:N, after the statement on line N has run for the last "
    "time; line:N#K, after it has run for the K-th time; FILE:N, a line of another file; cell:C, the end of code cell "
    "C": (
        "看哪里：end（不写也是它）；步数；line:N，第 N 行的语句最后一次运行之后；line:N#K，它第 K 次运行之后；"
        "FILE:N，另一个文件的某行；cell:C，单元格 C 的末尾"
    ),
    "for programs: JSON, whose fields stay": "给程序用：JSON，字段不会变",
    "walk without a full screen: a step per Enter": "不用屏幕界面：按一次 Enter 走一步",
    "set the knob `device` of a lesson or script": "设定课程或脚本的旋钮 `device`",
    "the language, else that of the locale; L changes it on the screen": (
        "语言，不写则按系统区域设置；在屏幕上按 L 切换"
    ),
    "set a knob for this run; may be repeated": "为这次运行设定旋钮，可以写多次",
    "take the lessons from this folder, not those that come with gradtutor": (
        "用这个文件夹里的课程，不用 gradtutor 自带的"
    ),
    "say which version this is": "显示版本",
    "show this help": "显示本帮助",
    "a Python script": "Python 脚本",
    "the script's own arguments": "脚本自己的参数",
    "where to; if not given, FILE with .trace": "写到哪里；不写则是 FILE 加上 .trace",
    "a recording": "一份记录",
    "a path to a script or a recording, or the name of a lesson": "脚本或记录的路径，或课程的名称",
    "a lesson, or a folder of lessons": "一课，或放课程的文件夹",
    "what the lesson is called, for instance graph/two-paths": "课程叫什么，例如 graph/two-paths",
    # what argparse says
    "usage: ": "用法：",
    "positional arguments": "位置参数",
    "options": "选项",
    "the following arguments are required: %s": "缺少必需的参数：%s",
    "unrecognized arguments: %s": "不认识的参数：%s",
    "argument %(argument_name)s: %(message)s": "参数 %(argument_name)s：%(message)s",
    "expected one argument": "需要一个值",
    "invalid choice: %(value)r (choose from %(choices)s)": "不能是 %(value)r（可选 %(choices)s）",
    "ignored explicit argument %r": "它不带值，不能写 %r",
    # what is wrong with the arguments
    "{problem}. `{command} --help` shows how it is used.": "{problem}。用法见 `{command} --help`。",
    "there is no command `{word}`. `gradtutor --help` lists them.": (
        "没有命令 `{word}`。`gradtutor --help` 会列出所有命令。"
    ),
    "there is no command `{word}`. Did you mean `{near}`?": "没有命令 `{word}`。你是想写 `{near}` 吗？",
    "--set wants KNOB=VALUE, not {text}. For instance: --set lr=0.1": (
        "--set 要写成 KNOB=VALUE，而不是 {text}。例如：--set lr=0.1"
    ),
    # what cannot be done
    "Which one? Its number or name, or Enter for none: ": "选哪一课？请输入编号或名称，按 Enter 则不选：",
    "{name} is a recording. `gradtutor view {name}` walks through it.": (
        "{name} 是一份记录。用 `gradtutor view {name}` 来走。"
    ),
    "{name} is not a recording. `gradtutor open {name}` runs a script.": (
        "{name} 不是记录。用 `gradtutor open {name}` 来运行脚本。"
    ),
    "{name} is a recording already.": "{name} 已经是记录了。",
    "{out} is a folder. Name a file to write, for instance {example}.": (
        "{out} 是文件夹。请写一个文件名，例如 {example}。"
    ),
    "there is no folder {folder} to write {name} into.": "没有文件夹 {folder}，{name} 无处可写。",
    "{out} is the script itself. Name another file to write.": "{out} 就是脚本本身。请另写一个文件名。",
    "{out} is there, and is no recording. Name another file to write.": (
        "{out} 已经存在，而且不是记录。请另写一个文件名。"
    ),
    "{out} is not a file that can be written. Name another file to write.": (
        "{out} 不是可以写入的文件。请另写一个文件名。"
    ),
    "cannot write: {why}": "写不出去：{why}",
    "recorded {count:,} steps in {out}": "{count:,} 步已记录到 {out}",
    "say where the lesson is to go: gradtutor new FAMILY/SLUG --lessons DIR": (
        "请说明课程放在哪里：gradtutor new FAMILY/SLUG --lessons DIR"
    ),
    "wrote {path}\nEdit it, then `gradtutor check {path}` says what is wrong with it.": (
        "已写出 {path}\n改好之后，用 `gradtutor check {path}` 看哪里有错。"
    ),
    "`gradtutor new graph/first --lessons {folder}` writes one.": (
        "`gradtutor new graph/first --lessons {folder}` 会写出一课。"
    ),
    "there is no lesson in this folder.": "这个文件夹里没有课程。",
    "{error} Or the command `gradtutor {command}`?": "{error} 还是想用命令 `gradtutor {command}`？",
    "{name} is a recording: --set and --device are for what is run.": (
        "{name} 是一份记录：--set 和 --device 只用于要运行的东西。"
    ),
    "{name} cannot be read: {why}.": "{name} 读不了：{why}。",
    "{name} cannot be run: {why}.": "{name} 无法运行：{why}。",
    "{name} cannot be written: {why}.": "{name} 写不了：{why}。",
}
