"""`gradtutor` whose workers are forks of the tests' server, and import no torch: `python -P by_forks.py WORDS…`.

What a command makes of a worker that cannot start is for the tests that run `python -m tutor`.
"""

# ruff: noqa: E402
from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from tests.worker import servers
from tutor.check.runner import Fork, ForkServer, Runner
from tutor.cli import main
from tutor.session.worker_process import Workers

SOCKET = "GRADTUTOR_TEST_SERVER"
COMMAND = (sys.executable, "-P", __file__)


def inherited(env: dict[str, str]) -> dict[str, Any]:
    """Return what `subprocess` needs to run `COMMAND` in this environment."""
    control = servers.recording_server()._control.fileno()
    return {"env": {**env, SOCKET: str(control)}, "pass_fds": [control]}


class Inherited(ForkServer):
    """The server of the process that has started this one."""

    def __init__(self, control: int) -> None:
        self._control = socket.socket(fileno=control)

    def fork(self, request: bytes, descriptors: Sequence[int]) -> Fork:
        """As any, in the folder of this process."""
        return super().fork(json.dumps({"folder": os.getcwd(), **json.loads(request)}).encode(), descriptors)

    def close(self) -> None:
        """Leave it to that process."""


if __name__ == "__main__":
    server = Inherited(int(os.environ.pop(SOCKET)))
    servers.use_recording_server(server)
    Workers.__init__.__defaults__ = (servers.launch_fork,)
    Runner.__init__.__defaults__ = (server,)
    sys.exit(main())
