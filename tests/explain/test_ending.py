"""How a run ended is told from facts, in the language that is spoken now; older recordings in their own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.worker.servers import forked_workers
from tutor import explain
from tutor.i18n import use
from tutor.lesson.catalog import Target
from tutor.session.session import Session, record_blocking
from tutor.trace import events as ev
from tutor.trace import tracefile, wire
from tutor.trace.timeline import Timeline
from tutor.trace.tracefile import save


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    yield
    use("en")


def told(timeline: Timeline) -> tuple[str, str]:
    """The end of the run, and the line of its last step."""
    assert timeline.run_end is not None
    return explain.describe_end(timeline.run_end), explain.plain(timeline, timeline.steps)


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        (
            "os.kill(os.getpid(), 11)",
            "the process died of SIGSEGV at end.py:2 `os.kill(os.getpid(), 11)`: it touched memory that is not its own "
            "(a segmentation fault)",
            "进程在 end.py:2 `os.kill(os.getpid(), 11)` 死于 SIGSEGV：它访问了不属于自己的内存（段错误）",
        ),
        (
            "os.kill(os.getpid(), 9)",
            "the process died of SIGKILL at end.py:2 `os.kill(os.getpid(), 9)`: something killed it (out of memory?)",
            "进程在 end.py:2 `os.kill(os.getpid(), 9)` 死于 SIGKILL：被系统或别的程序杀死（内存不足？）",
        ),
        (
            "os._exit(3)",
            "the program ended itself with exit status 3, at end.py:2 `os._exit(3)`",
            "程序自行退出，退出状态 3，在 end.py:2 `os._exit(3)`",
        ),
        ("raise SystemExit(4)", "the program ended itself with exit status 4", "程序自行退出，退出状态 4"),
    ],
)
def test_an_end_is_told_in_each_language(code: str, english: str, chinese: str, tmp_path: Path) -> None:
    script, trace = tmp_path / "end.py", tmp_path / "end.trace"
    script.write_text(f"import os\n{code}\n", encoding="utf-8")
    timeline = record_blocking(Session(Target("file", script, str(script)), workers=forked_workers()), out=trace)
    end, line = told(timeline)
    assert end == english
    assert english in line
    use("zh")
    # The recording was made in English; it, and the file, are told in Chinese.
    for one in (timeline, tracefile.load(trace)):
        end, line = told(one)
        assert end == chinese
        assert chinese in line


def test_an_older_recording_is_told_in_its_own_words(tmp_path: Path) -> None:
    note = "the process died of SIGKILL: something killed it (out of memory?), at loop.py:3"
    timeline = Timeline()
    # As they were written: without the fields that have come since.
    old = [(11, 1, "died", note), (46, 0, "The recording was full."), (47, "died", 137, note)]
    timeline.feed(wire.pack([ev.CellStart(1), *old], 2))
    save(timeline, tmp_path / "old.trace")
    use("zh")
    loaded = tracefile.load(tmp_path / "old.trace")
    assert told(loaded) == (note, f"单元格 1 崩溃了: {note}")
    assert loaded.notices == ["The recording was full."]


@pytest.mark.parametrize(
    ("gap", "english", "chinese"),
    [
        (ev.Gap(0, "printed", 1200), "1,200 more characters", "打印的字符比记录能保存的多 1,200 个。"),
        (ev.Gap(0, "full", 5000), "full after 5,000 events", "记录到 5,000 个事件就满了。"),
        (ev.Gap(0, "damaged", detail="data"), "damaged by the program: data.", "记录被程序弄坏了：data。"),
    ],
)
def test_what_is_missing_is_told_in_each_language(gap: ev.Gap, english: str, chinese: str) -> None:
    timeline = Timeline()
    timeline.feed(wire.pack([gap], 0))
    assert english in timeline.notices[0]
    use("zh")
    assert timeline.notices[0].startswith(chinese)


def test_a_check_is_told_as_far_as_it_was_recorded() -> None:
    both = ev.Checked(1, "slope", False, {"en": "It is 3.", "zh": "它是 3。"})
    older = msgspec.msgpack.decode(msgspec.msgpack.encode([54, 1, "slope", False, "It is 3.", 7]), type=ev.Checked)
    assert [explain.describe_check_failure(one) for one in (both, older)] == ["It is 3.", "It is 3."]
    use("zh")
    assert [explain.describe_check_failure(one) for one in (both, older)] == ["它是 3。", "It is 3."]
