"""A program in a pseudo-terminal of its own, and its screen as somebody sees it who sits in front of it."""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte
from ptyprocess import PtyProcess

GRADTUTOR = (sys.executable, "-P", "-m", "tutor")
QUIET = 0.05
"""Seconds without a byte after which a frame is whole."""
PATIENCE = 60.0
"""Seconds after which what is waited for will not come. Generous: other programs share the machine."""
KEYS = {
    "right": "\x1b[C", "left": "\x1b[D", "up": "\x1b[A", "down": "\x1b[B", "home": "\x1b[H", "end": "\x1b[F",
    "enter": "\r", "escape": "\x1b", "tab": "\t", "space": " ", "ctrl+c": "\x03",
    "ctrl+d": "\x04",
}  # fmt: skip
"""What a terminal sends for the keys that have names; all others send themselves."""

# Not understood by pyte, which would print their last letter: kitty's keyboard protocol, and titles and pointers (OSC).
_FOREIGN = re.compile(rb"\x1b\[[<>=][\d;:]*u|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_UNFINISHED = re.compile(rb"\x1b(?:\[[\d;:<>=?]*|\][^\x07\x1b]*\x1b?)?\Z")
_OTHER_SCREEN = re.compile(rb"\x1b\[\?1049[hl]")
"""To the alternate screen and back: both are empty, as nothing was there before."""
_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_SPEAKING = ("COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "COLORFGBG", "PYTHONPATH")
_OURS = ("GRADTUTOR", "TEXTUAL", "XDG_")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends; on Linux alone."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A terminal with true colour, and an empty home: the user's progress is not touched."""
    kept = {key: value for key, value in os.environ.items() if key not in _SPEAKING and not key.startswith(_OURS)}
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "CONFIG", "CACHE", "STATE")}
    return {
        **kept, **folders, "HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor",
        "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(extra or {}),
    }  # fmt: skip


class Terminal:
    """Starts a program, types, and reads what it draws. As a context manager it leaves no process behind."""

    def __init__(
        self,
        command: Sequence[str],
        home: Path,
        *,
        columns: int = 120,
        rows: int = 36,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        draws: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.modes: dict[int, bool] = {}
        """The private modes that the program set (True) and took back (False)."""
        self.ended = False
        """Whether the program has closed its side."""
        self._stream = pyte.ByteStream(self.screen)
        self._draws = draws
        self._rest = b""
        self._family: set[tuple[int, str]] = set()
        self.started = time.perf_counter()

        def prepare() -> None:
            end_with_parent()
            for descriptor in pass_fds:
                os.set_inheritable(descriptor, True)

        self._process = PtyProcess.spawn(
            list(command), env=environment(home, env), cwd=str(cwd or home), dimensions=(rows, columns),
            preexec_fn=prepare, pass_fds=pass_fds,
        )  # fmt: skip

    # ------------------------------------------------------------ what it shows

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        """The first line that has this text in it; empty if none has."""
        return next((line for line in self.lines if part in line), "")

    @property
    def is_clean(self) -> bool:
        """Whether the terminal is as it was: no alternate screen, the cursor shown, no mouse reports, lines wrapped."""
        asked = {mode: on for mode, on in self.modes.items() if mode in (47, 1000, 1002, 1003, 1004, 1049, 2004)}
        return not any(asked.values()) and self.modes.get(25, True) and self.modes.get(7, True)

    # ------------------------------------------------------------ hands on it

    def press(self, *keys: str) -> None:
        """Type keys, by name or as they are."""
        self.write("".join(KEYS.get(key, key) for key in keys).encode())

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._process.write(data)

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as when somebody pulls at the window."""
        self.screen.resize(rows, columns)
        self._process.setwinsize(rows, columns)

    def signal(self, number: int) -> None:
        """A signal to the program itself."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """The terminal goes away, as when a connection is lost."""
        self.family()
        os.close(self._process.fd)
        self._process.closed = self.ended = True

    # ------------------------------------------------------------ waiting

    def read(self, seconds: float) -> bytes:
        """Return the next output; empty if none comes within this number of seconds."""
        if self.ended or not select.select([self._process.fd], [], [], max(seconds, 0))[0]:
            return b""
        try:
            data = os.read(self._process.fd, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            data = b""
        if not data:
            self.ended = True
        for modes, switch in _MODE.findall(data):
            self.modes.update((int(mode), switch == b"h") for mode in modes.split(b";") if mode)
        if self._draws:
            self.draw(data)
        return data

    def draw(self, data: bytes) -> None:
        """Draw what was read; `read` does so unless it was said that it does not."""
        data = self._rest + data
        cut = _UNFINISHED.search(data)
        self._rest = data[cut.start() :] if cut else b""
        screens = _OTHER_SCREEN.split(_FOREIGN.sub(b"", data[: cut.start()] if cut else data))
        for at, part in enumerate(screens):
            if at:
                self.screen.reset()
            self._stream.feed(part)

    def wait(self, until: str | Callable[[], bool], *, quiet: float = QUIET, patience: float = PATIENCE) -> None:
        """Read until a text is on the screen (or a condition holds) and the screen has been still for `quiet` seconds.

        Without the second half, frames would be judged half painted.
        """
        holds = until if callable(until) else lambda: until in self.text
        last = time.monotonic()
        end = last + patience
        while time.monotonic() < end:
            data = self.read(0.01 if holds() else 0.2)
            if data:
                last = time.monotonic()
            elif holds() and (self.ended or time.monotonic() - last >= quiet):
                return
            elif self.ended:
                break
            if not quiet and holds():
                return
        why = "the program has ended" if self.ended else f"{patience:.0f} seconds have passed"
        raise AssertionError(f"{until!r} is not on the screen, and {why}:\n{self.text}")

    def wait_for_end(self, patience: float = PATIENCE) -> int:
        """Read to the end; the exit status, minus the signal's number where one ended it."""
        end = time.monotonic() + patience
        while not self.ended and time.monotonic() < end:
            self.read(0.2)
        while self._process.isalive() and time.monotonic() < end:
            time.sleep(0.01)
        if self._process.isalive():
            raise AssertionError(f"the program is still there after {patience:.0f} seconds:\n{self.text}")
        if self._process.signalstatus is not None:
            return -int(self._process.signalstatus)
        return int(self._process.exitstatus)

    # ------------------------------------------------------------ processes

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def family(self) -> dict[int, str]:
        """The processes under this one that live now, and what they run. They are remembered for `orphans`."""
        found: dict[int, str] = {}
        parents = {pid: stat[1] for pid in _pids() if (stat := _stat(pid)) is not None}
        new = [self.pid]
        while new:
            new = [pid for pid, parent in parents.items() if parent in new]
            found.update((pid, _command(pid)) for pid in new)
        self._family.update((pid, stat[2]) for pid in found if (stat := _stat(pid)) is not None)
        return {pid: command for pid, command in found.items() if command}

    def orphans(self) -> list[int]:
        """Those of the processes seen by `family` that still run."""
        return [pid for pid, born in self._family if (stat := _stat(pid)) is not None and stat[2] == born and stat[0]]

    def wait_for_no_orphans(self, patience: float = 20.0) -> None:
        """All processes ever seen under this one are gone."""
        end = time.monotonic() + patience
        while self.orphans() and time.monotonic() < end:
            time.sleep(0.02)
        left = {pid: _command(pid) for pid in self.orphans()}
        assert not left, f"left behind: {left}"

    def close(self) -> None:
        """Ends the program and all under it, whatever they do."""
        self.family()
        if self._process.isalive():
            self._process.kill(signal.SIGKILL)
        for pid in self.orphans():
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while self._process.isalive() and time.monotonic() < end:  # on a busy machine this takes a while
            time.sleep(0.01)
        if not self._process.closed:
            self._process.close(force=True)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def resident(pid: int) -> int:
    """How many bytes of memory a process holds; Linux says."""
    fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) * 1024


HAS_PROC = Path("/proc/self/stat").exists()
"""Whether the system tells about processes; without it `family` and `orphans` know of none."""


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()] if HAS_PROC else []


def _stat(pid: int) -> tuple[bool, int, str] | None:
    """Whether a process runs (a zombie does not), its parent, and when it was born."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0] not in "ZX", int(fields[1]), fields[19]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
