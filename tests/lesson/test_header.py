"""Headers that are read without PyYAML are read as PyYAML reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sampling import count
from tutor.lesson import files, header
from tutor.paths import lessons_dir


def test_every_lesson_is_read_without_yaml_as_with_it() -> None:
    for path in lessons_dir().glob("*/*.py"):
        found = header._find_header(files.load(path))
        assert found is not None
        first, _, text = found
        assert header._load_plain(text, first) == header._load_yaml(text, str(path), first), path


_PART = st.sampled_from([
    "en", "no", "title", "jupyter", "gradtutor", ": ", ":", "\n", "\n  ", "\n    ", '"', "'", "\\", "\\n", "\\x41", "[",
    "]", "{", "}", ", ", ",", " #", "1", "007", "1.5", "nan", ".inf", "yes", "~", "- ", "&a", "*a", "!!str", "|", "é",
    "图", "\\ud83d", "item()", "a-b", "\t", "\u2028", "\x7f",
])  # fmt: skip
_QUOTED = st.lists(_PART.filter(lambda part: part[0] not in '"\n'), max_size=4).map(lambda parts: f'"{"".join(parts)}"')
_VALUE = st.one_of(
    _QUOTED, st.lists(st.one_of(_QUOTED, _PART), max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    st.lists(_PART, max_size=5).map("".join), st.dictionaries(st.sampled_from(["en", "zh", "no"]), _QUOTED, max_size=2)
    .map(lambda texts: "{" + ", ".join(f"{key}: {text}" for key, text in texts.items()) + "}"),
)  # fmt: skip


@settings(max_examples=count(150, 3000), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["title", "en", "no", "order"]), _VALUE), max_size=4))
def test_what_is_read_without_yaml_is_what_yaml_reads(entries: list[tuple[int, str, str]]) -> None:
    lines = ["jupyter:", "  gradtutor:", *(f"{'  ' * depth}{key}: {value}" for depth, key, value in entries)]
    text = "\n".join(lines)
    plain = header._load_plain(text, 1)
    if plain is not None:
        assert plain == header._load_yaml(text, "any.py", 1)


@pytest.mark.parametrize("text", ['title: {no: "a"}', "title: [yes]", 'title: "\\x41"', "title: [nan, .nan]", "on: 1"])
def test_what_yaml_reads_in_its_own_way_is_left_to_it(text: str) -> None:
    assert header._load_plain(f"jupyter:\n  gradtutor:\n    {text}", 1) is None
