"""Notes where the program starts other Python processes: what runs in them is not recorded.

Workers of a DataLoader, servers of managers and compilers' helpers run no code that one would look for.
"""

from __future__ import annotations

import functools
import multiprocessing.process
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from tutor.worker.project import Project

_PYTHON = re.compile(r"(python|pypy|ipython)[\d.]*t?w?(\.exe)?")
_LAUNCHERS = frozenset({"torchrun", "accelerate", "deepspeed", "horovodrun", "torchx", "lightning", "fabric", "ray"})
_BEFORE = frozenset({
    "env", "exec", "nice", "nohup", "numactl", "setsid", "stdbuf", "sudo", "taskset", "time", "timeout", "xargs",
    "mpirun", "mpiexec", "srun", "sh", "bash", "zsh", "dash",
})  # fmt: skip
"""Programs that run the one that stands after them."""
_TAKES_ONE = frozenset({"-X", "-W", "--check-hash-based-pycs"})
_TOOLS = frozenset(
    {"pip", "venv", "virtualenv", "ensurepip", "compileall", "site", "sysconfig", "platform", "uv", "conda"}
)
_HELPERS = ("torch.utils.data.", "multiprocessing.managers", "torch._inductor.", "torch._dynamo.", "triton.")


class Children:
    """Calls `say` with a word for how, whenever the program has started a Python process with code of its own."""

    def __init__(self, project: Project, own: dict[int, Any], say: Callable[[str], None]) -> None:
        self._project = project
        self._own = own
        self._say = say

    def watch(self) -> None:
        """From now on."""
        process: Any = multiprocessing.process.BaseProcess
        process.start = self._after(process.start, self._by_process)
        popen: Any = subprocess.Popen
        popen.__init__ = self._after(popen.__init__, self._by_command)
        os.fork = self._after(os.fork, self._by_fork)
        os.system = self._after(os.system, self._by_shell)

    def _after(self, start: Callable[..., Any], judge: Callable[..., str | None]) -> Callable[..., Any]:
        @functools.wraps(start)
        def started(*args: Any, **kwargs: Any) -> Any:
            try:
                how = judge(*args, **kwargs)
            except Exception:  # arguments that no process can be started with
                how = None
            result = start(*args, **kwargs)
            if how is not None and not (start.__name__ == "fork" and result == 0):
                self._say(how)
            return result

        return started

    def _by_process(self, process: Any) -> str | None:
        module = getattr(getattr(process, "_target", None), "__module__", None) or ""
        helps = module.startswith(_HELPERS) or self._starter().startswith(_HELPERS)
        return None if helps else "torch.multiprocessing" if module.startswith("torch.") else "multiprocessing"

    def _by_fork(self) -> str | None:
        return "os.fork" if id(sys._getframe(2).f_code) in self._own else None

    def _by_shell(self, command: str) -> str | None:
        return self._judged(command)

    def _by_command(self, popen: Any, args: Any, *more: Any, **kwargs: Any) -> str | None:
        return self._judged(args)

    def _judged(self, args: Any) -> str | None:
        if isinstance(args, str | bytes | os.PathLike):
            commands = _split(os.fsdecode(args))
        else:
            commands = [[os.fsdecode(word) for word in args]]
        return next((how for command in commands if (how := self._runs_python(command))), None)

    def _runs_python(self, words: Sequence[str]) -> str | None:
        """How a command runs Python code of the learner's; None where it does not."""
        for at, word in enumerate(words):
            name = os.path.basename(word)
            if name in _LAUNCHERS:
                return name
            if word == sys.executable or _PYTHON.fullmatch(name):
                return self._what_python_runs(words[at + 1 :])
            if " " in word and at and os.path.basename(words[0]) in _BEFORE:  # `sh -c "python …"`
                return next((how for command in _split(word) if (how := self._runs_python(command))), None)
            if os.path.basename(words[0]) not in _BEFORE and "=" not in words[0]:
                return None
        return None

    def _what_python_runs(self, words: Sequence[str]) -> str | None:
        at = 0
        while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "-c", "-m"):
            if words[at] in ("-V", "-VV", "--version", "-h", "--help"):
                return None
            at += 2 if words[at] in _TAKES_ONE else 1
        what = words[at] if at < len(words) else "-"
        if what in ("-", "-c"):
            return "subprocess" if self._starter() == "" else None
        if what == "-m":
            module = words[at + 1] if at + 1 < len(words) else ""
            launches = module in ("torch.distributed.run", "torch.distributed.launch") or module.endswith(".launch")
            known = module.partition(".")[0] in sys.stdlib_module_names | _TOOLS | {"torch", "tutor"}
            return "torch.distributed.run" if launches else None if known else "subprocess"
        if os.path.basename(what) in _LAUNCHERS:
            return os.path.basename(what)
        return "subprocess" if self._project.is_own(os.path.abspath(what)) else None

    def _starter(self) -> str:
        """The module that starts the process, but for Python's own; empty where it is the learner's."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            name = str(frame.f_globals.get("__name__"))
            if id(frame.f_code) in self._own:
                return ""
            if name != __name__ and name.partition(".")[0] not in sys.stdlib_module_names:
                return name
            frame = frame.f_back
        return ""


def _split(command: str) -> list[list[str]]:
    """The commands in a line for a shell, as words."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word and not word.strip(";&|()\n"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [words for words in commands if words]
