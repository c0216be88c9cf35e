"""What other tools cost on the same works, where they are installed.

PySnooper, snoop and birdseye watch one function, so each work is made a function for them; they see nothing of what it
calls. TorchLens logs one forward pass, and is measured against one. Each runs in a process of its own:
`python -m tests.bench.peers TOOL PAIRS FILE=COUNT …`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, in_pairs
from tests.bench.processes import in_fork
from tests.bench.works import WORKS
from tests.e2e.terminal import end_with_parent, environment

ROOT = Path(__file__).resolve().parents[2]
Script = Callable[[], object]


def _as_function(path: Path, folder: Path) -> Any:
    """Return a script as a function, in a file of its own: these tools read the source of what they watch."""
    lines = path.read_text(encoding="utf-8").splitlines()
    copy = folder / path.name
    copy.write_text("def script():\n" + "\n".join(f"    {line}" for line in lines) + "\n", encoding="utf-8")
    names: dict[str, Any] = {"__name__": "script"}
    exec(compile(copy.read_text(encoding="utf-8"), str(copy), "exec"), names)
    return names["script"]


def _pysnooper(path: Path, folder: Path) -> tuple[Script, Script]:
    plain = _as_function(path, folder)
    return plain, import_module("pysnooper").snoop(io.StringIO(), color=False)(plain)


def _snoop(path: Path, folder: Path) -> tuple[Script, Script]:
    plain = _as_function(path, folder)
    return plain, import_module("snoop").Config(out=io.StringIO(), color=False).snoop(plain)


def _birdseye(path: Path, folder: Path) -> tuple[Script, Script]:
    os.environ["BIRDSEYE_DB"] = f"sqlite:///{folder / 'birdseye.db'}"
    plain = _as_function(path, folder)
    return plain, import_module("birdseye").eye(plain)


def _torchlens(path: Path, folder: Path) -> tuple[Script, Script]:
    lens = import_module("torchlens")
    os.environ["COUNT"] = "0"
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    net, x = names["net"], names["x"]

    return lambda: net(x), lambda: lens.trace(net, x)


def _script(path: Path) -> Script:
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    return lambda: exec(code, {"__name__": "__main__"})


def _profiler(path: Path, folder: Path) -> tuple[Script, Script]:
    import torch

    plain = _script(path)

    def profiled() -> None:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
            plain()

    return plain, profiled


def _anomaly(path: Path, folder: Path) -> tuple[Script, Script]:
    import torch

    plain = _script(path)

    def detecting() -> None:
        with torch.autograd.set_detect_anomaly(True):
            plain()

    return plain, detecting


TOOLS: dict[str, tuple[str, Callable[[Path, Path], tuple[Script, Script]], str]] = {
    "PySnooper": ("pysnooper", _pysnooper, "abcdef"),
    "snoop": ("snoop", _snoop, "abcdef"),
    "birdseye": ("birdseye", _birdseye, "abcdef"),
    "TorchLens": ("torchlens", _torchlens, "bcde"),
    "torch.profiler": ("torch", _profiler, "abcde"),
    "detect_anomaly": ("torch", _anomaly, "abcde"),
}
"""By name: its module, how a work runs without and with it, and the works that it can be tried on."""


def run(home: Path, quick: bool = False) -> list[Figure]:
    """Measure the tools that are installed."""
    figures = []
    for tool, (module, _, letters) in TOOLS.items():
        if find_spec(module) is None:
            print(f"{tool} is not installed: pip install -e '.[bench]'")
            continue
        works = [work for work in WORKS if work.name[1] in letters]
        counts = [f"{work.path}={1 if quick else work.short}" for work in works]
        command = [sys.executable, "-m", "tests.bench.peers", tool, "1" if quick else "3", *counts]
        env = {**environment(home), "OUTDATED_IGNORE": "1"}  # birdseye asks the network for newer versions
        done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        for work, (plain, watched) in zip(works, json.loads(done.stdout), strict=True):
            figures.append(
                in_pairs([1e3 * cpu for cpu in watched], [1e3 * cpu for cpu in plain], unit="ms",
                         name=f"{work.name}, by {tool}", of="one forward pass" if tool == "TorchLens" else "plain")
            )  # fmt: skip
    return figures


def main() -> None:
    end_with_parent()
    tool, pairs, *works = sys.argv[1:]
    import torch

    torch.set_num_threads(1)
    out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
    measured = []
    with tempfile.TemporaryDirectory(prefix="gradtutor-bench-") as folder:
        for work in works:
            path, _, count = work.partition("=")
            os.environ["COUNT"] = count

            def measure(path: str = path) -> dict[str, Any]:
                plain, watched = TOOLS[tool][1](Path(path), Path(folder))
                plain(), watched()  # what is imported late

                def cpu(script: Script) -> float:
                    started = time.process_time()
                    script()
                    return time.process_time() - started

                return {"pairs": [(cpu(plain), cpu(watched)) for _ in range(int(pairs))]}

            measured.append(list(zip(*in_fork(measure)["pairs"], strict=True)))
    json.dump(measured, out)


if __name__ == "__main__":
    main()
