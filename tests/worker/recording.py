"""A recording made for a test, and questions to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tutor.check.runner import Runner
from tutor.session.session import Session, record_blocking
from tutor.trace import events as ev
from tutor.trace import names, values
from tutor.trace.command import RunCommand
from tutor.trace.state import State
from tutor.trace.timeline import Timeline

SCRIPTS = Path(__file__).parent / "scripts"
_Kind = TypeVar("_Kind", bound=ev.Event)


@dataclass
class Recording:
    """What a run left: its timeline, what was printed to the descriptors (`raw`) and in all, how it ended."""

    timeline: Timeline
    status: int
    stdout: str = ""
    stderr: str = ""
    raw: dict[str, str] = field(default_factory=dict)
    shown: str = ""
    """The results that a notebook shows."""

    @property
    def end(self) -> State:
        return self.timeline.state(self.timeline.steps)

    @property
    def events(self) -> list[ev.Event]:
        """All of them, in order."""
        return list(self._events())

    def _events(self) -> Iterator[ev.Event]:
        timeline = self.timeline
        yield from timeline.following(0)
        for step in range(1, timeline.steps + 1):
            yield timeline.event(step)
            yield from timeline.following(step)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """The events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def steps_of(self, kind: str) -> list[int]:
        return [step for step in range(1, self.timeline.steps + 1) if self.timeline.kind(step) == kind]

    def code(self, step: int) -> str | None:
        return self.timeline.view(step).code

    def ops(self) -> list[tuple[str, str | None]]:
        """Operations at the learner's level: the name, and the code that its span marks."""
        views = (self.timeline.view(step) for step in self.steps_of("op"))
        return [(view.site.op or "", view.code) for view in views if view.site is not None and view.depth == 0]

    def op(self, code: str, count: int = 1) -> int:
        """The step of the `count`-th operation whose span marks this code."""
        found = [step for step in self.steps_of("op") if self.code(step) == code]
        assert len(found) >= count, f"{len(found)} operations {code!r} in {self.ops()}"
        return found[count - 1]

    def line(self, number: int, count: int = 1) -> int:
        """The step at which the statement that begins on a line was about to run for the `count`-th time."""
        found = [step for step in self.steps_of("line") if self.timeline.view(step).line == number]
        assert len(found) >= count, f"line {number} ran {len(found)} times"
        return found[count - 1]

    def names(self, step: int | None = None, frame: int | None = None) -> dict[str, int]:
        return names.names_of(self.end if step is None else self.timeline.state(step), frame)

    def value(self, name: str, step: int | None = None) -> Any:
        """What a name's tensor holds, as lists; None where nothing has the name."""
        state = self.end if step is None else self.timeline.state(step)
        number = names.names_of(state).get(name)
        return None if number is None else value_in(state, number)

    def grad(self, name: str, step: int | None = None) -> Any:
        """What its gradient holds."""
        state = self.end if step is None else self.timeline.state(step)
        grad = state.tensors[names.names_of(state)[name]].grad
        return None if grad is None else value_in(state, grad)


def value_in(state: State, number: int) -> Any:
    tensor = state.tensors[number]
    return values.to_json(tensor.value, tensor.dtype)


def plain_value(value: Any, dtype: str = "float32") -> Any:
    """A value of an event as lists."""
    return None if value is None else values.to_json(value, dtype)


def record_session(session: Session) -> Recording:
    """Run a session as the command line does, and keep what is printed."""
    printed = {"stdout": "", "stderr": "", "display": ""}

    def echo(stream: str, text: str) -> None:
        printed[stream] += text

    timeline = record_blocking(session, echo=echo)
    return Recording(timeline, session.exit_status, printed["stdout"], printed["stderr"], shown=printed["display"])


class Forker:
    """Records scripts without importing torch anew for each."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self._runner = runner
        self._folder = folder
        self._runs = 0

    def __call__(
        self,
        script: str | Path,
        *,
        args: list[str] | None = None,
        max_events: int = 1_000_000,
        max_bytes: int = 256 << 20,
        beside: dict[str, str] | None = None,
        samples_loops: bool = False,
        **others: Any,
    ) -> Recording:
        """Records a file, or this text as `script.py` with other files `beside` it; `others` are for the command."""
        self._runs += 1
        folder = self._folder / str(self._runs)
        folder.mkdir()
        if isinstance(script, str):
            for name, text in (beside or {}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
            path = folder / "script.py"
            path.write_text(script, encoding="utf-8")
        else:
            path = script
        command = RunCommand(str(path), str(path), args or [], max_events=max_events, max_bytes=max_bytes,
                             samples_loops=samples_loops, **others)  # fmt: skip
        files = {name: folder / f"{name}.out" for name in ("stdout", "stderr")}
        with files["stdout"].open("wb") as out, files["stderr"].open("wb") as err:
            ran = self._runner.run(command, seconds=0, printed=[out.fileno(), err.fileno()])
        raw = {name: file.read_text(encoding="utf-8", errors="replace") for name, file in files.items()}
        printed = {"stdout": "", "stderr": "", "display": ""}
        for part in ran.timeline.contents.printed:
            printed[part.stream] += part.text
        return Recording(ran.timeline, ran.status, printed["stdout"], printed["stderr"], raw, printed["display"])
