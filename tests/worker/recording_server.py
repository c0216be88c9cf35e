"""Records scripts and lessons, and is the worker of sessions, each in a fork of one process that has imported torch:
`python recording_server.py SOCKET`, with requests as `tutor.worker.forking` has them, or for a worker.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from tutor.worker import __main__ as worker
from tutor.worker import forking


def main() -> None:
    forking.prepare()
    text, descriptors = forking.serve(int(sys.argv[1]))
    request = json.loads(text)
    if "environment" in request:
        work(request, descriptors)
    forking.record(text, descriptors)


def work(request: dict[str, Any], descriptors: list[int]) -> None:
    """In the fork: the worker process, with its control socket, events, page, output, and where to tell its number."""
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    forking.draw_anew()
    *numbers, stdout, stderr, told = descriptors
    forking.print_to([stdout, stderr])
    os.write(told, str(os.getpid()).encode())
    os.close(told)
    sys.argv[1:] = map(str, numbers)
    worker.main()
    os._exit(0)


if __name__ == "__main__":
    main()
