"""Run a target in a worker process and feed a timeline with its events."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tutor import i18n
from tutor.lesson.catalog import Target
from tutor.lesson.model import MISSING
from tutor.session.worker_process import StartError, WorkerProcess, Workers, check_room, describe_failed_start
from tutor.trace import wire
from tutor.trace.command import ENDED, Reply, RunCommand, signal_name
from tutor.trace.events import Answered, CellEnd, Event, Failed, Gap, Output, RunEnd, Waiting
from tutor.trace.selection import CodeLine, Part, Selection
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import Writer, save

UPDATE_INTERVAL = 0.03
"""Seconds between two calls of `updated`, at least."""
TICK = 0.5
"""Seconds between two calls of `tick`."""
MAX_PRINTED = 1 << 20
"""Bytes that are kept of what C code and child processes print."""
LINE_WAIT = 0.06
"""Seconds to wait for the end of a line, longer than text waits in the worker, so that two sources mix whole lines."""

Updated = Callable[[], None]


class Session:
    """One run of one target, from its start to its end.

    Args:
        target: The lesson or script.
        workers: Where its worker process comes from; by default the session makes them.
        knobs: Values for knobs of the lesson, by name.
        device: The value for its `device` knob; None for the lesson's own.
        args: The program's command-line arguments.
        max_events: The budget of the recording in events.
        max_bytes: The budget in bytes.
        samples_loops: Whether the middle of loops that do not touch tensors is left out.
        keep: Which iterations of the training loop are recorded.
        loop: Where that loop begins; None for the one around the first backward pass.
        skip: The numbers of the code cells that do not run.
        part: The part of the program that is recorded.
        until: nan, inf, error or an expression: iterations where it happens are recorded too.
        last: How many of them.
        stdin: What the program's standard input is, a value of `RunCommand.stdin`.
        stdin_path: The file that it is instead; empty for none.
        with_pictures: Whether figures are recorded as pictures of pixels, too.

    Attributes:
        command: What the worker is asked to run.
        timeline: The recording, which grows while the program runs.
        phase: "starting" (Python), "importing" (torch), "running" or "ended".
        refused: The end of a run that could not start, as the file is malformed or has no such knob; else None.
        torch_imported: Whether the worker has imported torch.
    """

    def __init__(
        self,
        target: Target,
        *,
        workers: Workers | None = None,
        knobs: dict[str, str] | None = None,
        device: str | None = None,
        args: list[str] | None = None,
        max_events: int = 1_000_000,
        max_bytes: int = 256 << 20,
        samples_loops: bool = False,
        keep: Selection | None = None,
        loop: CodeLine | None = None,
        skip: list[int] | None = None,
        until: str = "",
        last: int = 0,
        stdin: str = ENDED,
        stdin_path: str = "",
        with_pictures: bool = False,
        part: Part | None = None,
    ) -> None:
        self.target = target
        self.workers = workers or Workers()
        self.command = RunCommand(
            target.typed or str(target.path), target.name, args or [], knobs or {}, device,
            max_events=max_events, max_bytes=max_bytes, samples_loops=samples_loops, module=target.module,
            keep=keep, loop=loop, until=until, last=last, skip=skip or [], stdin=stdin, stdin_path=stdin_path,
            with_pictures=with_pictures, part=part or Part(),
        )  # fmt: skip
        self.timeline = Timeline()
        self.phase = "starting"
        self.refused: RunEnd | None = None
        self.torch_imported = False
        self._worker: WorkerProcess | None = None
        self._stopping = False
        self._updated: Updated = lambda: None
        self._writer: Writer | None = None
        self._update_due = False
        self._typed_for: Waiting | None = None
        """What somebody has typed a line for."""

    def again(self, **changes: Any) -> Session:
        """Return a new session for the same run, with these changes to its `command`, and the replies of this one."""
        new = Session(self.target, workers=self.workers)
        replies = replies_in(self.timeline)
        earlier = self.command.replies
        if replies == earlier[: len(replies)]:  # it may have ended before it came to the others
            replies = earlier
        new.command = msgspec.structs.replace(self.command, **{"replies": replies, **changes})
        return new

    @property
    def exit_status(self) -> int:
        """The exit status of the program; 1 while it runs."""
        end = self.timeline.run_end
        return 1 if end is None else end.status

    @property
    def began(self) -> bool:
        """Whether the program has reached its first line, or was stopped before; if not, the end's note says why."""
        end = self.timeline.run_end
        return bool(self.timeline.cells) or end is None or not end.note or end.outcome == "stopped"

    # ------------------------------------------------------------ running

    async def run(self, updated: Updated = lambda: None, *, out: Path | None = None) -> None:
        """Run the target to its end.

        Args:
            updated: Called when there is more to show, at most every 30 ms.
            out: A file that the recording is written to as it grows.

        Raises:
            OSError: The recording cannot be written.
        """
        self._updated = updated
        if out is not None:
            self._writer = Writer(out, self.timeline)
        try:
            await self._run()
            if not self.began:
                if self._writer is not None:
                    self._writer.abandon()
            elif self._writer is not None:
                self._writer.finish()
            elif out is not None:
                save(self.timeline, out)
        except BaseException:
            if self._writer is not None:
                self._writer.abandon()
            raise
        finally:
            await self.close()
            self.phase = "ended"
            updated()

    async def _run(self) -> None:
        try:
            worker = self._worker = await self.workers.take()
        except StartError as error:
            self._refuse(RunEnd("refused", MISSING, str(error)))
            return
        self._enter("importing")
        printed = [
            asyncio.create_task(self._read_printed(name, reader))
            for name, reader in zip(("stdout", "stderr"), worker.printed, strict=True)
        ]
        try:
            await worker.run(msgspec.structs.replace(self.command, language=i18n.current_language()))
            # What the program is comes before torch is imported.
            await asyncio.gather(self._read_frames(worker), self._wait_for_torch(worker))
            status = await worker.wait()
            if worker.lost_its_pipe:
                self._add([Gap(0, "pipe")])
            await asyncio.wait(printed, timeout=0.2)  # a grandchild may keep them open
        finally:
            for task in printed:
                task.cancel()
        end = self.timeline.run_end
        if end is not None and end.outcome == "refused":
            self.refused = end
        elif end is None and not self._stopping and not self.timeline.cells:
            self._end_failed_start(status)
        elif end is None:
            self._end_died(worker, status)

    async def _wait_for_torch(self, worker: WorkerProcess) -> None:
        self.torch_imported = await worker.ready()
        if self.torch_imported:
            self._enter("running")

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._updated()

    async def _read_frames(self, worker: WorkerProcess) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(worker.events, "rb", buffering=0)
        )
        buffer = bytearray()
        try:
            while data := await reader.read(1 << 16):
                buffer += data
                for frame in wire.split(buffer):
                    self._feed(frame)
                    await asyncio.sleep(0)  # so that the screen stays responsive
        except wire.WireError as error:  # the learner's code wrote into the pipe
            self._add([Gap(0, "damaged", detail=str(error))])
            worker.kill()
        finally:
            transport.close()

    def _feed(self, frame: bytes) -> None:
        self.timeline.feed(frame)
        if self._writer is not None:
            try:
                self._writer.catch_up()
            except OSError:  # try again when the program has ended: there may be room then
                self._writer.abandon()
                self._writer = None
        if not self._update_due:
            self._update_due = True
            asyncio.get_running_loop().call_later(UPDATE_INTERVAL, self._notify)

    def _notify(self) -> None:
        self._update_due = False
        self._updated()

    def _add(self, events: list[Event]) -> None:
        """Feed events that only the front end can know of."""
        self._feed(wire.pack(events, sum(event.kind is not None for event in events)))

    async def _read_printed(self, name: str, reader: asyncio.StreamReader) -> None:
        """Add what is written to a descriptor, in whole lines if their ends come soon."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        size = lost = 0
        while data := await _read_lines(reader):
            if self._is_mid_line(name):
                await asyncio.sleep(LINE_WAIT)
            room = max(0, MAX_PRINTED - size)
            size += len(data[:room])
            lost += len(data[room:])
            text = decoder.decode(data[:room])
            if text:
                self._add([Output(name, text)])
        if lost:
            self._add([Gap(0, "bytes", lost)])

    def _is_mid_line(self, stream: str) -> bool:
        """Return whether the text recorded last in a stream has no line end yet."""
        parts = (part for part in reversed(self.timeline.contents.printed) if part.stream == stream)
        part = next(parts, None)
        return part is not None and not part.text.endswith("\n")

    # ------------------------------------------------------------ ending

    def _refuse(self, end: RunEnd) -> None:
        self._add([end])
        self.refused = end

    def _end_failed_start(self, status: int) -> None:
        """End the run of a worker that ended before the first cell; its last output is the only clue."""
        printed = {"stdout": "", "stderr": ""}
        for part in self.timeline.contents.printed:
            printed[part.stream] += part.text
        note = describe_failed_start(status, "\n".join(printed.values()))
        if not self.torch_imported and status >= 0:
            self._refuse(RunEnd("refused", MISSING, note))
        else:
            self._add([RunEnd("died" if status < 0 else "exited", 128 - status if status < 0 else status or 1, note)])

    def _end_died(self, worker: WorkerProcess, status: int) -> None:
        """End the run of a worker that sent no end; note how and where it died."""
        statement, operation = worker.crash_location
        sites = self.timeline.sites
        site = sites.get(statement)
        if operation in sites and sites[operation].statement == statement:
            site = sites[operation]  # else the number is an earlier statement's
        place = ""
        if site is not None:
            path = self.timeline.sources[site.file].path
            place = f"{Path(path).name}:{site.span[0]}"
            code = self.timeline.definitions.code(site.file, site.span)
            if code:
                place += f" `{code.splitlines()[0]}`"
        events: list[Event] = []
        cells = self.timeline.cells
        outcome = "stopped" if self._stopping else "exited" if status >= 0 else "died"
        exit_status = 130 if self._stopping else status if status >= 0 else 128 - status
        if cells and cells[-1].end is None:
            if outcome == "died" and site is not None:
                events.append(Failed(signal_name(-status), "", site.file, site.span, site.function, None))
            events.append(CellEnd(cells[-1].cell, outcome, status=exit_status, place=place))
        events.append(RunEnd(outcome, exit_status, place=place))
        self._add(events)

    async def stop(self) -> None:
        """Stop the run by KeyboardInterrupt, then by a kill; keep what was recorded."""
        if self._worker is not None and self._worker.alive:
            self._stopping = True
            await self._worker.stop()

    @property
    def waiting(self) -> Waiting | None:
        """What the program waits for that somebody types."""
        return None if self.phase == "ended" else self.timeline.contents.waiting

    def type_line(self, text: str | None) -> bool:
        """Give the program the line that it waits for, None for the end of its input; return whether it waited."""
        if self._worker is None or self.waiting is None or self.waiting is self._typed_for:
            return False
        self._typed_for = self.waiting
        self._worker.type_line(text)
        return True

    async def close(self) -> None:
        """End all processes of this run."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    def kill(self) -> None:
        """As `close`, at once, for signal handlers."""
        if self._worker is not None:
            self._worker.kill()


def replies_in(timeline: Timeline) -> list[Reply]:
    """Return what was answered to the program, for another run of it."""
    events = [aside.event for aside in timeline.side_events]
    return [Reply(*msgspec.structs.astuple(event)) for event in events if isinstance(event, Answered)]


async def _read_lines(reader: asyncio.StreamReader) -> bytes:
    """Read what is there, up to a line's end if that comes within `LINE_WAIT`; b"" at the end of the file."""
    data = chunk = await reader.read(1 << 16)
    with contextlib.suppress(TimeoutError):
        while chunk and not chunk.endswith(b"\n") and len(data) < 1 << 16:
            async with asyncio.timeout(LINE_WAIT):
                chunk = await reader.read(1 << 16)
            data += chunk
    return data


def record_blocking(
    session: Session,
    *,
    out: Path | None = None,
    echo: Callable[[str, str], None] | None = None,
    tick: Callable[[Timeline], None] | None = None,
    asked: Callable[[str], None] | None = None,
) -> Timeline:
    """Run a session without a screen, to its end; Ctrl-C stops the run and keeps the recording.

    Args:
        session: The session.
        out: A file that the recording is written to as it grows.
        echo: Called with what is printed, as it comes: stream and text.
        tick: Called twice a second while the program runs.
        asked: Called with the prompt when the program waits for a line that is typed.

    Raises:
        OSError: The recording cannot be written.
        StartError: There are too few descriptors for an event loop.
    """
    echoed = 0
    waiting: Waiting | None = None

    def updated() -> None:
        nonlocal echoed, waiting
        if asked is not None and session.waiting is not waiting:
            waiting = session.waiting
            if waiting is not None:
                asked(waiting.prompt)
        if echo is not None and session.timeline.cells:  # else the end's note quotes what was printed
            parts = session.timeline.contents.printed
            for part in parts[echoed:]:
                echo(part.stream, part.text)
            echoed = len(parts)

    async def keep_ticking(tick: Callable[[Timeline], None]) -> None:
        while True:
            await asyncio.sleep(TICK)
            if session.timeline.cells:
                tick(session.timeline)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        ticking = None if tick is None else asyncio.create_task(keep_ticking(tick))
        stopping: set[asyncio.Task[None]] = set()

        def interrupted() -> None:
            stopping.add(asyncio.create_task(session.stop()))

        loop.add_signal_handler(signal.SIGINT, interrupted)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, interrupted)
        try:
            await session.run(updated, out=out)
        finally:
            if ticking is not None:
                ticking.cancel()
            await session.workers.close()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    check_room()
    asyncio.run(run())
    updated()
    return session.timeline
