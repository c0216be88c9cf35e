"""The glossary: each entry has both languages, and its lesson is there and uses the word."""

from __future__ import annotations

import pytest

from tests.lessons.plainly import lesson
from tutor.lesson import glossary
from tutor.lesson.model import LANGUAGES

WANTED = (
    "0-d", "1-d", "derivative", "chain rule", "logarithm", "standard deviation", "least squares", "gradient descent",
    "neuron", "activation", "dropout", "batch norm", "logits", "entropy", "softmax", "leaf", "grad_fn", "accumulate",
    "VJP", "broadcasting", "导数", "链式法则",
)  # fmt: skip


@pytest.mark.parametrize("entry", glossary.ENTRIES, ids=lambda entry: entry.term["en"])
def test_an_entry_has_both_languages_and_its_lesson_uses_the_word(entry: glossary.Entry) -> None:
    assert set(entry.term) == set(entry.text) == set(LANGUAGES)
    cells = lesson(entry.lesson).cells
    for language in LANGUAGES:
        assert entry.occurs_in("\n".join(cell.text_in(language) for cell in cells if cell.text)), language


@pytest.mark.parametrize("word", WANTED)
def test_a_term_is_there_once(word: str) -> None:
    assert len(glossary.find(word)) == 1


def test_a_part_of_a_word_and_no_word() -> None:
    assert {entry.term["en"] for entry in glossary.find("deriv")} == {"derivative", "partial derivative"}
    assert glossary.find("zzz") == []


def test_whole_words_are_used() -> None:
    assert glossary.ENTRIES[1].occurs_in("Two derivatives.")
    assert glossary.used_in("A leaflet.") == []


def terms(text: str) -> list[tuple[str, str]]:
    """The terms that a text uses, each with the words that stand for it there."""
    return [(entry.term["en"], text[begin:end]) for entry, (begin, end) in glossary.used_in(text)]


def test_words_come_in_the_order_of_the_text_and_may_go_over_a_line() -> None:
    assert terms("A leaf in a chain\nrule, and a leaf.") == [("leaf", "leaf"), ("chain rule", "chain\nrule")]
    assert terms("需要梯度的叶\n子节点") == [("gradient", "梯度"), ("leaf", "叶\n子节点")]
    assert terms("用dropout训练") == [("dropout", "dropout")]


def test_a_word_inside_a_longer_one_does_not_count() -> None:
    assert terms("A partial derivative.") == [("partial derivative", "partial derivative")]
    assert terms("A partial derivative, and a derivative.")[1] == ("derivative", "derivative")
