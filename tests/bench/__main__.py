"""`make bench`: how long one waits and how much it takes, each against something simple, within one run.

Nothing here fails: figures are printed beside their targets, and written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from tests.bench import keys, lessons, memory, peers, reading, recording, starting
from tests.bench.document import write
from tests.bench.figures import Figure, table
from tests.bench.processes import leave_on_signals

GROUPS = {
    "recording": recording.run,
    "peers": peers.run,
    "reading": reading.run,
    "starting": starting.run,
    "lessons": lessons.run,
    "keys": keys.run,
    "memory": memory.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", help=f"what to measure: {', '.join(GROUPS)}; all, if none is named")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md too")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that each figure can be taken")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    leave_on_signals()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each start would compile all of gradtutor again
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"Something else keeps this machine busy (load {load:.1f}); expect noise.\n")
    figures: dict[str, list[Figure]] = {}
    loads: dict[str, float] = {}
    started = time.time()
    with tempfile.TemporaryDirectory(prefix="gradtutor-bench-") as home:
        for group in arguments.groups or GROUPS:
            loads[group] = os.getloadavg()[0]
            began = time.monotonic()
            figures[group] = GROUPS[group](Path(home), arguments.quick)
            print(f"{table(figures[group])}\n{group} took {time.monotonic() - began:.0f} s\n", flush=True)
            if arguments.write and not arguments.quick:
                write(group, figures[group], loads[group])
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "started": started, "seconds": time.time() - started, "load": load, "cores": os.cpu_count(),
        "python": platform.python_version(), "torch": version("torch"), "textual": version("textual"),
        "machine": platform.platform(),
    }  # fmt: skip
    found = {group: [figure.plain() for figure in each] for group, each in figures.items()}
    arguments.json.write_text(json.dumps({"about": about, "figures": found}, indent=1, ensure_ascii=False) + "\n")
    missed = sum(figure.verdict == "not met" for each in figures.values() for figure in each)
    print(f"{missed or 'no'} target{'' if missed == 1 else 's'} not met; all figures are in {arguments.json}")


if __name__ == "__main__":
    main()
