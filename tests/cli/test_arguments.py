"""The command line taken apart."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutor import i18n
from tutor.arguments import UsageError, parse
from tutor.lesson.catalog import Target
from tutor.options import COMMANDS, HelpWanted
from tutor.recordings import Refusal, load
from tutor.text_width import width
from tutor.trace.selection import CodeLine, Part, Selection


def test_a_lesson_or_nothing() -> None:
    assert (parse([]).command, parse([]).target) == ("", None)
    assert parse(["graph/two-paths"]).target == "graph/two-paths"
    found = parse(["--plain", "two-paths", "--lang", "zh"])
    assert (found.plain, found.target, found.lang) == (True, "two-paths", "zh")


@pytest.mark.parametrize("words", [["--json", "steps", "x"], ["steps", "--json", "x"], ["steps", "x", "--json"]])
def test_options_stand_before_and_after(words: list[str]) -> None:
    found = parse(words)
    assert (found.command, found.target, found.json) == ("steps", "x", True)


def test_values_of_options_are_no_targets() -> None:
    found = parse(["--device", "cuda:1", "--set", "lr=0.1", "--lessons", "dir", "show", "--at", "line:3#2", "x.py"])
    assert (found.command, found.target, found.device, found.at) == ("show", "x.py", "cuda:1", "line:3#2")
    assert (found.knobs, found.lessons) == ({"lr": "0.1"}, "dir")
    assert parse(["--set", "a=1", "steps", "x", "--set", "b=c=d", "--set=a=2"]).knobs == {"a": "2", "b": "c=d"}


@pytest.mark.parametrize("command", ["open", "record", "steps", "show"])
@pytest.mark.parametrize(
    ("words", "target", "script"),
    [
        (["x.py", "a", "--all"], "x.py", ["a", "--all"]),
        (["x.py", "--all", "--lang=en", "--lr", "3", "--help"], "x.py", ["--lr", "3", "--help"]),
        (["--all", "x.py", "--set", "a=1", "-x", "--", "b"], "x.py", ["-x", "--", "b"]),
        (["x.py", "--all", "--", "--all", "--", "b"], "x.py", ["--all", "--", "b"]),
        (["--", "-x.py", "--all"], "-x.py", ["--all"]),
        (["x.py", "-"], "x.py", ["-"]),
        (["x.py", "-m", "pkg"], "x.py", ["-m", "pkg"]),
        (["-m", "pkg.train", "--all", "-m", "3", "--all"], "pkg.train", ["-m", "3", "--all"]),
        (["--all", "-m", "pkg.train", "--", "--all"], "pkg.train", ["--all"]),
        (["-m", "pkg.train"], "pkg.train", []),
    ],
)
def test_the_scripts_words_begin_where_ours_end(command: str, words: list[str], target: str, script: list[str]) -> None:
    found = parse([command, *words])
    assert (found.target, found.script, found.is_module) == (target, script, words[0] != "x.py" and "-m" in words)
    assert found.all is ("--all" in words[: len(words) - len(script)])


def test_images_are_shown_by_a_protocol_and_kept_by_a_switch() -> None:
    opened = parse(["open", "--images", "kitty", "train.py", "--images", "none"])
    assert (opened.images, opened.with_pictures, opened.script) == ("none", False, [])
    viewed = parse(["view", "a.trace", "--images=sixel"])
    assert (viewed.images, viewed.target) == ("sixel", "a.trace")
    kept = parse(["record", "--images", "train.py", "kitty"])
    assert (kept.images, kept.with_pictures, kept.target, kept.script) == ("none", True, "train.py", ["kitty"])
    with pytest.raises(UsageError, match="kitty"):
        parse(["view", "--images", "png", "a.trace"])


def test_options_of_show_after_its_target() -> None:
    found = parse(["show", "train.py", "--at", "line:9", "--json", "--lr", "--at", "2"])
    assert (found.at, found.json, found.script) == ("line:9", True, ["--lr", "--at", "2"])


@pytest.mark.parametrize(
    ("words", "output", "script"),
    [
        (["-o", "out.trace", "x.py"], "out.trace", []),
        (["-o", "out.trace", "x.py", "a", "-o", "b"], "out.trace", ["a", "-o", "b"]),
        (["x.py", "-o", "out.trace"], "out.trace", []),
        (["x.py", "-oout.trace"], "out.trace", []),
        (["x.py", "--output", "out.trace"], "out.trace", []),
        (["x.py", "--output=out.trace"], "out.trace", []),
        (["x.py", "-o", "out.trace", "a"], "out.trace", ["a"]),
        (["x.py", "a", "-o", "out.trace"], None, ["a", "-o", "out.trace"]),
        (["x.py", "--set", "a=1"], None, []),
        (["--set", "a=1", "x.py"], None, []),
        (["x.py"], None, []),
    ],
)  # fmt: skip
def test_record(words: list[str], output: str | None, script: list[str]) -> None:
    found = parse(["record", *words])
    assert (found.target, found.output, found.script) == ("x.py", output, script)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["steps"], "TARGET"),
        (["steps", "-m"], "-m"),
        (["view", "x", "--json"], "unrecognized arguments: --json"),
        (["--set", "lr", "x"], "KNOB=VALUE"),
        (["--set", "=1", "x"], "KNOB=VALUE"),
        (["--lang", "fr"], "'en', 'zh'"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["stesp", "graph/two-paths"], "Did you mean `steps`?"),
        (["nonsense", "graph/two-paths"], "there is no command `nonsense`"),
        (["x", "--js"], "unrecognized arguments: --js"),
        (["record"], "FILE"),
        (["show", "x", "--at"], "--at"),
        (["record", "x.py", "-o"], "-o"),
    ],
)
def test_wrong_use(words: list[str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(words)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("command", ["open", "record", "view", "list", "steps", "show", "glossary", "doctor"])
def test_each_command_has_help(command: str) -> None:
    with pytest.raises(HelpWanted) as wanted:
        parse([command, "--help"])
    text = str(wanted.value)
    assert text.startswith(f"usage: gradtutor {command}")
    assert "--help" in text


def test_the_main_help_names_every_command_and_option() -> None:
    with pytest.raises(HelpWanted) as wanted:
        parse(["-h"])
    text = str(wanted.value)
    for word in ("open [--all] FILE|-m MODULE", "record", "view", "list", "steps TARGET", "show TARGET", "check", "new",
                 "doctor", "exit status", "--plain", "--device", "--lang", "--set KNOB=VALUE", "--lessons DIR",
                 "--version", "--help"):  # fmt: skip
        assert word in text
    assert max(map(len, text.splitlines())) <= 118


def test_the_main_help_is_made_from_what_is_parsed() -> None:
    """Each command stands in it with its own arguments, as its own help has them."""
    with pytest.raises(HelpWanted) as wanted:
        parse(["--help"])
    text = str(wanted.value)
    for command in COMMANDS:
        with pytest.raises(HelpWanted) as wanted:
            parse([command, "--help"])
        usage = str(wanted.value).splitlines()[0].removeprefix("usage: gradtutor ").replace(" [OPTIONS]", "")
        assert f"\n  {usage}" in text
        options = re.findall(r"^  (?:-\w, |-\w \S+, )?(--\w+)", str(wanted.value), re.MULTILINE)
        assert {f"--{name}" for name in ("device", "lang", "set", "lessons", "version", "help")} <= set(options)
    options = re.findall(r"^  (?:-\w, )?(--\w+)", text, re.MULTILINE)
    assert options == ["--plain", "--device", "--lang", "--set", "--lessons", "--version", "--help"]


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("words", [["--help"], ["show", "--help"], ["show", "--help", "--lang", "zh"]])
def test_help_fits_the_terminal(words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, english: None) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(HelpWanted) as wanted:
        parse(words)
    lines = [line for line in str(wanted.value).splitlines() if line.startswith((" " * 20, "Walk"))]
    assert lines
    assert max(map(width, lines)) <= min(columns, 118)


def test_argparse_stays_as_it_is_for_others(english: None) -> None:
    with pytest.raises(UsageError):
        parse(["--lang", "zh", "steps"])
    assert argparse.ArgumentParser("other").format_help().startswith("usage: other")


ENGLISH = re.compile(r"[a-z]+(?: [a-z]+){2,}")
"""Three words in a row: no name of anything."""


@pytest.fixture
def english() -> Iterator[None]:
    """The language as the other tests want it, afterwards."""
    yield
    i18n.use("en")


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("words", [["--lang", "zh", "--help"], ["-h", "--lang=zh"], ["--help"]])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_is_chinese(command: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if "zh" not in " ".join(words):
        monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(HelpWanted) as wanted:
        parse([*command, *words])
    text = str(wanted.value)
    assert text.startswith(f"用法：gradtutor {' '.join(command)}")
    assert not ENGLISH.search(text.replace("gradtutor completion ", ""))  # the lines to type are no sentences
    assert max(map(width, text.splitlines())) <= 118


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["steps"], "缺少必需的参数：TARGET"),
        (["view", "x", "--json"], "不认识的参数：--json"),
        (["--set", "lr", "x"], "--set 要写成 KNOB=VALUE"),
        (["x", "--device"], "参数 --device：需要一个值"),
        (["x", "--plain=1"], "参数 --plain：它不带值"),
        (["stesp", "graph/two-paths"], "你是想写 `steps` 吗"),
        (["nonsense", "graph/two-paths"], "没有命令 `nonsense`"),
    ],
)
def test_wrong_use_is_told_in_chinese(words: list[str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(["--lang", "zh", *words])
    assert says in str(raised.value)
    assert not ENGLISH.search(str(raised.value))


def test_a_wrong_language_is_told_in_that_of_the_locale(monkeypatch: pytest.MonkeyPatch, english: None) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(UsageError) as raised:
        parse(["--lang", "fr", "x"])
    assert "参数 --lang：不能是 'fr'（可选" in str(raised.value)


def test_the_language_of_a_script_is_its_own(english: None) -> None:
    assert parse(["open", "a.py", "--", "--lang", "zh"]).script == ["--lang", "zh"]
    assert i18n.current_language() == "en"


def test_the_part_of_a_run_to_be_recorded() -> None:
    arguments = parse(["record", "--keep", "0-2,last:1", "--loop", "7", "train.py"])
    assert arguments.selection == Selection("0-2,last:1", [(0, 2)], 0, 1)
    assert (arguments.loop_line, arguments.until, arguments.last) == (CodeLine(7), "", 0)
    assert parse(["open", "--loop", "cell:2:7", "train.ipynb"]).loop_line == CodeLine(7, 2)
    arguments = parse(["show", "train.py", "--until", "loss > 10", "--at", "3"])
    assert arguments.selection == Selection("0-2", [(0, 2)])
    assert (arguments.until, arguments.last) == ("loss > 10", 3)
    arguments = parse(["open", "--from", "line:7#2", "--for", "5", "--steps", "90", "train.py"])
    assert arguments.part == Part("--from line:7#2", CodeLine(7), 2, iterations=5, steps=90)
    arguments = parse(["open", "--from", "cell:4:7#2", "train.ipynb"])
    assert arguments.part == Part("--from cell:4:7#2", CodeLine(7, 4), 2)
    arguments = parse(["steps", "--from", "phase=train", "train.py"])
    assert arguments.part == Part("--from phase=train", name="phase", value="train")
    arguments = parse(["show", "--only", "net.py:Net.forward", "train.py"])
    assert arguments.part == Part("--only net.py:Net.forward", file="net.py", function="Net.forward")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keep", "0-2,x"], "not 'x'"),
        (["--loop", "0"], "--loop wants the number of a line, or cell:C:N in a notebook, not '0'"),
        (["--loop", "9" * 5000], "--loop wants the number of a line"),
        (["--loop", "cell:0:3"], "not 'cell:0:3'"),
        (["--skip", "9" * 5000], "--skip wants the number of a cell"),
        (["--skip", "0"], "--skip wants the number of a cell"),
        (["--last", "many", "--until", "nan"], "--last wants a number from 1, not 'many'"),
        (["--last", "3"], "--keep last:3"),
        (["--until", "loss >"], "not 'loss >'"),
        (["--from", "line:0"], "--from wants line:N, line:N#K, cell:C:N, NAME=VALUE or mark, not 'line:0'"),
        (["--from", "line:cell:1:2"], "not 'line:cell:1:2'"),
        (["--from", "cell:1:2#0"], "not 'cell:1:2#0'"),
        (["--only", "forward"], "--only wants FILE:FUNCTION, not 'forward'"),
        (["--for", "0"], "--for wants a number from 1, not '0'"),
        (["--steps", "many"], "--steps wants a number from 1, not 'many'"),
        (["--from", "mark", "--only", "a.py:f"], "give one of them"),
        (["--for", "3", "--keep", "0-2"], "not with --from, --only, --for or --steps"),
    ],
)
def test_what_is_wrong_with_the_part_is_said(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(["record", *words, "train.py"])


@pytest.mark.parametrize("option", [["--keep", "0-2"], ["--from", "mark"], ["--skip", "3"], ["--stdin", "a"]])
def test_options_for_a_run_are_refused_for_a_recording(option: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    with pytest.raises(Refusal, match="--for, --steps and --stdin are for what is run"):
        load(Target("trace", path, str(path)), parse(["show", *option, str(path)]))
