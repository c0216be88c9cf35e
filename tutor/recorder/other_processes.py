"""Record what other processes do: memory that they share, collectives, and Python processes that are started.

Shared memory: other processes can write to it unseen. A tensor is moved there by `share_memory_()` (an operation, see
`operations`), or when it is pickled for another process, as an argument of `Process` or through a queue.

Collectives of `torch.distributed` write to tensors without raising their versions. All their Python functions end in
methods of `ProcessGroup`. Between the call and the `wait` of its work a tensor may be written to at any time, so it is
compared at each statement; after the `wait` it is recorded. Works are waited for one by one, in any order.

Processes: what runs in another Python process is not recorded, and the recording says so. Workers of a DataLoader,
servers of managers and helpers of compilers do not count, since none of the learner's code is looked for there.
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
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch.multiprocessing import reductions

from tutor.recorder.call_sites import Project
from tutor.recorder.operations import quiet
from tutor.recorder.tensors import Storage, TensorRecorder
from tutor.recorder.torch_private import writing_collectives

_reducers: dict[type, Callable[[Any], Any]] = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
_LOADER = "torch.utils.data"


class SharedMemoryWatcher:
    """Exposes the tensors that another process may write to."""

    def __init__(self, tensors: TensorRecorder, is_on: Callable[[], bool]) -> None:
        self._tensors = tensors
        self._is_on = is_on

    def watch(self) -> None:
        """Expose the tensors that are sent to other processes, or come from them, from now on."""
        for kind in [kind for kind in _reducers if issubclass(kind, torch.Tensor)]:
            ForkingPickler.register(kind, self._sending(_reducers[kind]))
        rebuild: Any = reductions.rebuild_tensor

        def rebuild_shared(*args: Any) -> Any:
            tensor = rebuild(*args)
            if not _is_loading():
                self._expose(tensor)
            return tensor

        # It is found by its name when a tensor arrives.
        rebuild_shared.__name__ = rebuild_shared.__qualname__ = rebuild.__name__
        rebuild_shared.__module__ = rebuild.__module__
        reductions.rebuild_tensor = rebuild_shared

    def _sending(self, reduce: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def reduce_shared(tensor: torch.Tensor) -> Any:
            self._expose(tensor)
            return reduce(tensor)

        return reduce_shared

    def _expose(self, tensor: torch.Tensor) -> None:
        if self._is_on() and tensor.device.type == "cpu":
            with quiet():
                self._tensors.expose(tensor)


def _is_loading() -> bool:
    """Return whether a batch arrives from a worker of a DataLoader, which does not write to it again."""
    frame = sys._getframe(2)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_LOADER):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


_WRITING = (
    "allreduce", "allreduce_coalesced", "broadcast", "reduce", "allgather", "allgather_coalesced",
    "allgather_into_tensor_coalesced", "all_gather_single", "all_gather_single_coalesced", "gather", "scatter",
    "reduce_scatter", "reduce_scatter_tensor_coalesced", "reduce_scatter_single",
    "reduce_scatter_single_coalesced", "alltoall", "alltoall_base", "all_to_all_single", "recv", "recv_anysource",
)  # fmt: skip
"""The methods of `ProcessGroup` that write to tensors, in any version of torch."""
_SYNCHRONOUS = ("_broadcast_coalesced",)
"""C++ functions that have written when they return. DDP calls them for parameters, and for buffers before each pass."""
_WAITS = ("wait", "synchronize", "block_current_stream")


def is_distributed() -> bool:
    """Return whether this process exchanges tensors with others."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


class CollectiveWatcher:
    """Records what collectives write to."""

    def __init__(self, tensors: TensorRecorder, is_on: Callable[[], bool]) -> None:
        self._tensors = tensors
        self._is_on = is_on
        self._pending: list[tuple[weakref.ref[Any], Storage]] = []
        """Works that were not waited for yet, and the memory that they may write to."""

    def watch(self) -> None:
        """Record the tensors of collectives from now on."""
        if not torch.distributed.is_available():
            return
        group, work = torch.distributed.ProcessGroup, torch.distributed.Work
        for name in (*_WRITING, *writing_collectives(group)):
            if hasattr(group, name):
                setattr(group, name, self._wrap(getattr(group, name), self._begin_work))
        distributed: Any = torch.distributed
        for name in _SYNCHRONOUS:
            if hasattr(distributed, name):
                setattr(distributed, name, self._wrap(getattr(distributed, name), self._record_written))
        for name in _WAITS:
            if hasattr(work, name):
                setattr(work, name, self._wrap(getattr(work, name), self._end_work))

    def _wrap(self, original: Callable[..., Any], then: Callable[[Any, Iterable[Any]], None]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if self._is_on():
                with quiet():
                    then(result, (*args, *kwargs.values()))
            return result

        return method

    def _begin_work(self, work: Any, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is None:
                record = self._tensors.find(tensor)
                storages = [pending for _, pending in self._pending if record is not None and pending is record.storage]
                storage = storages[0] if storages else None
            if storage is not None:
                self._pending.append((weakref.ref(work), storage))

    def _record_written(self, result: None, arguments: Iterable[Any]) -> None:
        for tensor in _tensors_in(arguments):
            storage = self._tensors.expose(tensor)
            if storage is not None:
                self._tensors.unexpose_storage(storage)

    def _end_work(self, result: Any, arguments: Iterable[Any]) -> None:
        work = next(iter(arguments))
        ended = [storage for held, storage in self._pending if held() is work]
        self._pending = [
            (held, storage)
            for held, storage in self._pending
            if held() is not work and any(view.ref() is not None for view in storage.views)
        ]
        waiting = {id(storage): storage for _, storage in self._pending}.values()
        for storage in [*waiting, *ended]:  # the others may have written as well
            self._tensors.unexpose_storage(storage)
        for storage in waiting:
            self._tensors.expose_storage(storage)


def _tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from _tensors_in(argument)


_PYTHON = re.compile(r"(python|pypy|ipython)[\d.]*t?w?(\.exe)?")
_LAUNCHERS = frozenset({"torchrun", "accelerate", "deepspeed", "horovodrun", "torchx", "lightning", "fabric", "ray"})
_PREFIXES = frozenset({
    "env", "exec", "nice", "nohup", "numactl", "setsid", "stdbuf", "sudo", "taskset", "time", "timeout", "xargs",
    "mpirun", "mpiexec", "srun", "sh", "bash", "zsh", "dash",
})  # fmt: skip
"""Programs that run the command in their arguments."""
_OPTIONS_WITH_VALUE = frozenset({"-X", "-W", "--check-hash-based-pycs"})
_TOOLS = frozenset(
    {"pip", "venv", "virtualenv", "ensurepip", "compileall", "site", "sysconfig", "platform", "uv", "conda"}
)
_HELPERS = ("torch.utils.data.", "multiprocessing.managers", "torch._inductor.", "torch._dynamo.", "triton.")


class ChildProcessWatcher:
    """Reports that the program starts a Python process with code of its own.

    Args:
        project: Which files are the learner's.
        own: The learner's code objects, by `id`.
        report: Called with how it was started, such as "os.fork".
    """

    def __init__(self, project: Project, own: dict[int, Any], report: Callable[[str], None]) -> None:
        self._project = project
        self._own = own
        self._report = report

    def watch(self) -> None:
        """Report processes from now on."""
        process: Any = multiprocessing.process.BaseProcess
        process.start = self._wrap_start(process.start, self._how_of_process)
        popen: Any = subprocess.Popen
        popen.__init__ = self._wrap_start(popen.__init__, self._how_of_popen)
        os.fork = self._wrap_start(os.fork, self._how_of_fork)
        os.system = self._wrap_start(os.system, self._how_of_shell)

    def _wrap_start(self, start: Callable[..., Any], judge: Callable[..., str | None]) -> Callable[..., Any]:
        @functools.wraps(start)
        def started(*args: Any, **kwargs: Any) -> Any:
            try:
                how = judge(*args, **kwargs)
            except Exception:  # the arguments are invalid
                how = None
            result = start(*args, **kwargs)
            if how is not None and not (start.__name__ == "fork" and result == 0):
                self._report(how)
            return result

        return started

    def _how_of_process(self, process: Any) -> str | None:
        module = getattr(getattr(process, "_target", None), "__module__", None) or ""
        helps = module.startswith(_HELPERS) or self._starter().startswith(_HELPERS)
        return None if helps else "torch.multiprocessing" if module.startswith("torch.") else "multiprocessing"

    def _how_of_fork(self) -> str | None:
        return "os.fork" if id(sys._getframe(2).f_code) in self._own else None

    def _how_of_shell(self, command: str) -> str | None:
        return self._how_of_command(command)

    def _how_of_popen(self, popen: Any, args: Any, *more: Any, **kwargs: Any) -> str | None:
        return self._how_of_command(args)

    def _how_of_command(self, args: Any) -> str | None:
        if isinstance(args, str | bytes | os.PathLike):
            commands = _split(os.fsdecode(args))
        else:
            commands = [[os.fsdecode(word) for word in args]]
        return next((how for command in commands if (how := self._runs_python(command))), None)

    def _runs_python(self, words: Sequence[str]) -> str | None:
        """Return how a command runs Python code of the learner's; None where it does not."""
        for at, word in enumerate(words):
            name = os.path.basename(word)
            if name in _LAUNCHERS:
                return name
            if word == sys.executable or _PYTHON.fullmatch(name):
                return self._how_of_python(words[at + 1 :])
            if " " in word and at and os.path.basename(words[0]) in _PREFIXES:  # `sh -c "python …"`
                return next((how for command in _split(word) if (how := self._runs_python(command))), None)
            if os.path.basename(words[0]) not in _PREFIXES and "=" not in words[0]:
                return None
        return None

    def _how_of_python(self, words: Sequence[str]) -> str | None:
        at = 0
        while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "-c", "-m"):
            if words[at] in ("-V", "-VV", "--version", "-h", "--help"):
                return None
            at += 2 if words[at] in _OPTIONS_WITH_VALUE else 1
        target = words[at] if at < len(words) else "-"
        if target in ("-", "-c"):
            return "subprocess" if self._starter() == "" else None
        if target == "-m":
            module = words[at + 1] if at + 1 < len(words) else ""
            launches = module in ("torch.distributed.run", "torch.distributed.launch") or module.endswith(".launch")
            is_tool = module.partition(".")[0] in sys.stdlib_module_names | _TOOLS | {"torch", "tutor"}
            return "torch.distributed.run" if launches else None if is_tool else "subprocess"
        if os.path.basename(target) in _LAUNCHERS:
            return os.path.basename(target)
        return "subprocess" if self._project.is_own(os.path.abspath(target)) else None

    def _starter(self) -> str:
        """Return the module that starts the process, not counting Python's own; "" for the learner's code."""
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
    """Split a shell line into commands, each a list of words."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word and not word.strip(";&|()\n"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [words for words in commands if words]
