"""No text of the interface is missing in a language, none is there that nobody uses, and no language is wired in."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import tutor
from tests.house.texts import MARKS
from tests.sampling import sample
from tutor import i18n

ROOT = Path(tutor.__file__).parent
CATALOGS = sorted(i18n.FOLDER.glob("*/LC_MESSAGES/gradtutor.po"))


def named(path: Path) -> str:
    return path.parent.parent.name


def marked() -> Catalog:
    """The texts of the source, as `make messages` collects them."""
    texts = Catalog()
    found = extract_from_dir(ROOT, [("**.py", "tests.house.texts:extract")], keywords=DEFAULT_KEYWORDS)
    for _file, _line, text, _comments, context in found:
        texts.add(text, context=context)
    return texts


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def texts_of(message: Message) -> tuple[str, ...]:
    """The English text, or that for one and that for several."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def forms(message: Message) -> tuple[str, ...]:
    """The translation, or all of its plural forms."""
    return (message.string or "",) if isinstance(message.string, str | None) else tuple(message.string)


def keys(catalog: Catalog) -> set[tuple[tuple[str, ...], str | None]]:
    """The texts with their contexts."""
    return {(texts_of(message), message.context) for message in catalog if message.id}


def test_chinese_is_there() -> None:
    assert "zh" in map(named, CATALOGS)


@pytest.mark.parametrize("path", CATALOGS, ids=named)
class TestCatalog:
    def test_has_every_text_and_no_other(self, path: Path) -> None:
        in_source, in_catalog = keys(marked()), keys(read(path))
        assert not in_source - in_catalog, "`make messages` adds them"
        assert not in_catalog - in_source, "`make messages` takes them out"

    def test_translates_every_text_to_all_plural_forms(self, path: Path) -> None:
        catalog = read(path)
        for message in catalog:
            assert all(forms(message)), message.id
            assert len(forms(message)) == (catalog.num_plurals if message.pluralizable else 1), message.id

    def test_has_nothing_fuzzy_and_nothing_obsolete(self, path: Path) -> None:
        catalog = read(path)
        assert not [message.id for message in catalog if message.fuzzy]
        assert not catalog.obsolete

    def test_keeps_the_placeholders(self, path: Path) -> None:
        """A form for a single thing may say it without the number."""
        for message in read(path):
            text, optional = texts_of(message)[-1], {"count"} if message.pluralizable else set()
            for form in forms(message) if message.id else ():
                assert set(placeholders(form)) <= set(placeholders(text)), text
                assert without(optional, placeholders(form)) == without(optional, placeholders(text)), text

    def test_is_compiled_as_it_is(self, path: Path) -> None:
        compiled = gettext.translation(i18n.DOMAIN, i18n.FOLDER, [named(path)])
        for message in read(path):
            text, *plural = texts_of(message)
            if plural:
                assert compiled.ngettext(text, plural[0], 1) in forms(message)
            elif text:
                said = compiled.pgettext(message.context, text) if message.context else compiled.gettext(text)
                assert (said,) == forms(message)


def placeholders(text: str) -> list[str]:
    """The names of what is put into a text; formats of `%` are those of argparse."""
    return sorted([*re.findall(r"\{(\w*)[^}]*\}", text), *re.findall(r"%\(\w+\)\w|%[sr]", text)])


def without(names: set[str], found: list[str]) -> list[str]:
    return [name for name in found if name not in names]


def test_what_is_marked_is_a_plain_text() -> None:
    """And the functions that look a text up are not called by another name, which nobody would find."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                counts = {"N_": 1, "K_": 1, "ngettext": 2, "pgettext": 2}
                plain = counts.get(node.func.id, 0) if path.name != "i18n.py" else 0
                where = f"{path.relative_to(ROOT.parent)}:{node.lineno}"
                assert all(isinstance(arg, ast.Constant) for arg in node.args[:plain]), where
            if isinstance(node, ast.ImportFrom) and node.module == "tutor.i18n":
                assert not [alias.name for alias in node.names if alias.asname], path


def test_every_function_of_ours_that_translates_is_known() -> None:
    assert set(MARKS.values()) <= set(DEFAULT_KEYWORDS)
    assert {"_", "N_", "ngettext", "pgettext"} <= set(DEFAULT_KEYWORDS)


def test_the_language_is_that_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, expected in (
        ("LANG", "zh_CN.UTF-8", "zh"),
        ("LC_MESSAGES", "zh", "zh"),
        ("LC_ALL", "zh-Hans", "zh"),
        ("LC_ALL", "zho_CN", "en"),
        ("LC_ALL", "en_US.UTF-8", "en"),
        ("LC_ALL", "C", "en"),
        ("LC_ALL", "C.UTF-8", "en"),
    ):
        monkeypatch.setenv(name, value)
        assert i18n.locale_language() == expected


def test_a_language_has_its_own_name_before_its_catalog_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_catalogs", {"en": i18n._catalogs["en"]})
    assert [i18n.native_name(language) for language in ("en", "zh")] == ["English", "中文"]
    assert "zh" not in i18n._catalogs


def test_one_text_of_a_compiled_catalog() -> None:
    compiled = (i18n.FOLDER / "zh" / "LC_MESSAGES" / "gradtutor.mo").read_bytes()
    texts = i18n._catalog("zh")._catalog  # type: ignore[attr-defined]
    singular = {text: said for text, said in texts.items() if isinstance(text, str) and text}
    assert all(i18n._message(compiled, text) == said for text, said in sample(list(singular.items()), 100))
    assert i18n._message(compiled, "lish") is i18n._message(compiled, "no text of ours") is None


def test_forms_of_plurals() -> None:
    try:
        for language, expected in (("en", ["1 step", "2 steps", "0 steps"]), ("zh", ["1 步", "2 步", "0 步"])):
            i18n.use(language)
            assert [i18n.ngettext("{count} step", "{count} steps", n) for n in (1, 2, 0)] == expected
    finally:
        i18n.use("en")


def test_the_empty_text_stays_empty() -> None:
    """For gettext it stands for the head of the catalog."""
    try:
        i18n.use("zh")
        assert i18n._("") == ""
    finally:
        i18n.use("en")


TOLD = (
    "LessonError",
    "DuplicateLessonError",
    "Finding",
    "Refusal",
    "UsageError",
    "AnswerError",
    "PlaceError",
    "say",
    "print",
)
"""What is given a text that somebody reads."""
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def told(tree: ast.AST) -> Iterator[ast.expr]:
    """The texts that are given to somebody to read: to one of TOLD, or to a `wrong` of a function's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (*TOLD, "wrong"):
            yield from (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "file"))
        elif isinstance(node, ast.Assign) and all(
            isinstance(name, ast.Name) and name.id in ("what", "fix", "text")
            for target in node.targets
            for name in (target.elts if isinstance(target, ast.Tuple) else [target])
        ):
            yield from node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]


def bare(expression: ast.expr) -> str:
    """The words of a text that nobody has marked."""
    if isinstance(expression, ast.JoinedStr):
        return "".join(str(part.value) for part in expression.values if isinstance(part, ast.Constant))
    if isinstance(expression, ast.IfExp):
        return f"{bare(expression.body)} {bare(expression.orelse)}"
    if isinstance(expression, ast.BinOp):
        return f"{bare(expression.left)} {bare(expression.right)}"
    return expression.value if isinstance(expression, ast.Constant) and isinstance(expression.value, str) else ""


@pytest.mark.parametrize("place", ["check", "lesson", "text", "cli.py", "arguments.py", "recordings.py"])
def test_no_sentence_is_left_in_english(place: str) -> None:
    found = {}
    for path in [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"):
        for text in told(ast.parse(path.read_text(encoding="utf-8"))):
            if WORDS.search(bare(text)):
                found[f"{path.name}:{text.lineno}"] = bare(text)
    assert not found
