"""The worker process: `python -P -m tutor.worker CONTROL EVENTS MEMORY [TERMINAL] PARENT`.

CONTROL, EVENTS, MEMORY and TERMINAL are descriptors that it inherits, the last one for what the program asks; PARENT is
the process number of the front end, which may have died before this process could ask for it.

The worker imports torch, reports that it is ready, and stands by until the front end has sent a run over the control
socket. It runs that one and ends. A run that comes earlier is read meanwhile, and its text sent back, so that one can
read it. When the control socket closes, the worker ends at once, with its children.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import select
import signal
import socket
import sys
from os import killpg  # the one that writes no events first: the pipe may be full

from tutor.recorder.event_writer import GuardedDescriptor, move_up

PATIENCE = 0.5
"""Seconds to wait for a run before torch is imported: the front end sends it once its screen is drawn."""


def main() -> None:
    """Stand by, run, end."""
    *numbers, parent = map(int, sys.argv[1:])
    control_number, events, memory_file, *terminals = map(move_up, numbers)
    control = socket.socket(fileno=control_number)
    _end_with(parent)
    memory = mmap.mmap(memory_file, mmap.PAGESIZE)
    os.close(memory_file)
    _raise_stack_limit()

    from tutor.trace.command import READY, CrashLocation
    from tutor.worker.program import ProgramReader

    is_early = bool(select.select([control], [], [], PATIENCE)[0])
    reader = ProgramReader(control.makefile("rb"), events)
    if is_early:  # the text comes first, before torch takes the processor
        reader.wait()

    from tutor.recorder.recorder import Recorder
    from tutor.worker.run import Run, nudge_when_due

    with contextlib.suppress(OSError):
        control.sendall(READY)
    read = reader.wait()
    if read is None:
        return
    command, program = read

    guard = GuardedDescriptor(control.fileno())

    def look_at_control() -> None:
        if not guard.is_same:  # the program has closed it, or given its number to another
            return
        readable, _, _ = select.select([control], [], [], 0)
        if readable and not control.recv(1, socket.MSG_PEEK):
            killpg(os.getpgrp(), signal.SIGKILL)  # a fork that was gone back to leads no group

    recorder = Recorder(events, CrashLocation(memory), command.max_events, command.max_bytes)
    recorder.writer.on_idle = look_at_control
    process = os.getpid()

    def forked() -> None:
        if recorder.is_forking:
            _end_with(process)

    os.register_at_fork(after_in_child=forked)
    if command.nudge is not None:
        nudge_when_due(recorder, command.nudge)
    status = Run(command, recorder, program, terminals[0] if terminals else None).run()
    # Skip the interpreter's shutdown: nothing may follow the last event, and libraries may crash there.
    os._exit(status)


def _end_with(parent: int) -> None:
    """Have Linux kill this process when its parent dies, even while C code holds the interpreter.

    The parent is the front end; that of a fork to go back to is the program.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _raise_stack_limit() -> None:
    """Raise the stack limit: walking and freeing a graph of 100,000 nodes takes more than the usual 8 MiB."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    try:
        resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    except (ValueError, OSError):
        return  # not allowed here: such graphs may crash then


if __name__ == "__main__":
    main()
