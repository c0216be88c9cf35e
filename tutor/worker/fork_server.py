"""A fork server: imports torch once, then runs each requested lesson in a fork. For checks and tests.

`python -P -m tutor.worker.fork_server SOCKET`. A request is a header, its descriptors and its text (see
`tutor.trace.command`). The first descriptor takes the answer: the exit status of the fork when it has ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import weakref
from importlib import import_module

from tutor.trace.command import HEADER, STATUS, CrashLocation, ForkRequest, RunCommand, decode, encode

_MOST = 9
"""Descriptors of a request, at most."""


def main() -> None:
    """Serve until the client closes the socket."""
    prepare()
    record(*serve(int(sys.argv[1])))


def prepare() -> None:
    """Import what each fork would import itself: torch, the reader of lessons, what any optimizer needs."""
    # Asking whether there is a GPU must not touch CUDA here, or no fork could use it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    for module in ("jupytext", "tutor.worker.run"):
        import_module(module)
    from tutor.recorder.torch_private import import_dynamo

    with contextlib.suppress(OSError):  # it needs a folder for temporary files; most lessons need neither
        import_dynamo()
    decode(encode(ForkRequest(RunCommand("", ""))), ForkRequest)  # the first one takes 8 ms


def serve(control: int) -> tuple[bytes, list[int]]:
    """Fork for each request. Return the request in the fork; the server itself exits with the client."""
    client = socket.socket(fileno=control)
    client.set_inheritable(False)
    running: dict[int, int] = {}

    def answer(*_: object) -> None:
        """Send the exit status of each fork that has ended."""
        for child in list(running):
            with contextlib.suppress(ChildProcessError):  # another signal came in between and was handled first
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    _send(running.pop(child), os.waitstatus_to_exitcode(status))

    signal.signal(signal.SIGCHLD, answer)
    for finalizer in weakref.finalize._registry:  # type: ignore[attr-defined]
        finalizer.atexit = False  # torch's take most of the time of a short run
    gc.collect()
    gc.freeze()  # so that collections in forks do not copy what torch has imported
    while True:
        header, descriptors, _, _ = socket.recv_fds(client, HEADER.size, _MOST)
        if not header:
            sys.exit()
        length, count = HEADER.unpack(header)
        assert len(descriptors) == count
        text = client.recv(length, socket.MSG_WAITALL)
        # Its end must not be handled before `running` knows it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            client.close()
            for descriptor in (*running.values(), descriptors[0]):
                os.close(descriptor)
            for descriptor in descriptors[1:]:
                os.set_inheritable(descriptor, False)
            return text, descriptors[1:]
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        running[child] = descriptors[0]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _send(answer: int, status: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the client is gone
        os.write(answer, STATUS.pack(status))
    os.close(answer)


def record(text: bytes, descriptors: list[int]) -> None:
    """In the fork: run like the worker process. Never returns."""
    from tutor.recorder.recorder import Recorder
    from tutor.worker.run import Run

    request = decode(text, ForkRequest)
    events, *printed = descriptors
    reseed()
    print_to(printed)
    signal.alarm(request.seconds)
    command = request.command
    recorder = Recorder(events, CrashLocation(bytearray(12)), command.max_events, command.max_bytes)
    os._exit(Run(command, recorder).run())


def reseed() -> None:
    """Seed the random generators differently in each fork, as in each process."""
    import torch

    torch.default_generator.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def print_to(descriptors: list[int]) -> None:
    """Make these descriptors, if there are any, standard output and error."""
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    main()
