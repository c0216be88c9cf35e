"""Records scripts and lessons, and is the worker of sessions, each in a fork of one process that has imported torch:
`python recording_server.py SOCKET`, with requests as `tutor.worker.fork_server` has them, or for a worker.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from typing import Any

from tests.worker.huge_pages import take_huge_pages
from tutor.worker import __main__ as worker
from tutor.worker import fork_server


def main() -> None:
    fork_server.prepare()
    take_huge_pages()
    text, descriptors = fork_server.serve(int(sys.argv[1]))
    request = json.loads(text)
    if "mutation" in request:  # of `tests/recorder/mutations.py`
        path, name = request["mutation"]
        runpy.run_path(path)[name]()
    if "folder" in request:
        os.chdir(request["folder"])
    if "environment" in request:
        work(request, descriptors)
    fork_server.record(text, descriptors)


def work(request: dict[str, Any], descriptors: list[int]) -> None:
    """In the fork: the worker process, with its control socket, events, page, streams, and where to tell its number."""
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    fork_server.reseed()
    *numbers, stdin, stdout, stderr, told = descriptors
    os.dup2(stdin, 0)
    os.close(stdin)
    fork_server.print_to([stdout, stderr])
    os.write(told, str(os.getpid()).encode())
    os.close(told)
    sys.argv[1:] = map(str, [*numbers, os.getppid()])
    worker.main()
    os._exit(0)


if __name__ == "__main__":
    main()
