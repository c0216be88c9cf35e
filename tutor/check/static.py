"""One thing that is wrong with a lesson.

What is wrong with a lesson's text: seen by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tutor.i18n import N_, _
from tutor.lesson import files, header
from tutor.lesson.markdown import live_values, words
from tutor.lesson.model import FAMILIES, LANGUAGES, UNPARSED, Cell, Lesson, LessonError, join_words
from tutor.lesson.parser import parse


class Finding(msgspec.Struct, frozen=True):
    """What is wrong, where, and what to do about it."""

    path: str
    line: int
    what: str
    fix: str = msgspec.field(default="", name="mend")
    """What to do about it; `mend` in JSON."""
    warning: bool = False
    """Whether the lesson may stay as it is: what depends on the machine."""

    def __str__(self) -> str:
        what = _("warning: {what}", what=self.what) if self.warning else self.what
        return str(LessonError(what, path=self.path, line=self.line, fix=self.fix))


COLUMNS = 100
"""Code lines that are longer do not fit a pane."""
_CHINESE = re.compile("[\u4e00-\u9fff]")
_FORMULA = re.compile(r"\$[^$]*\$")


def read(path: Path) -> tuple[Lesson | None, list[Finding]]:
    """The lesson, where it can be run, and what is wrong with its text."""
    problems: list[LessonError] = []
    try:
        text = files.load(path)
        lesson = parse(text, path, problems.append)
    except LessonError as error:
        return None, [_finding(error)]
    found = [_finding(problem) for problem in problems]
    if not problems and not lesson.header.title:
        fix = _("A lesson begins with `# ---`, see CONTRIBUTING.md.")
        return None, [Finding(str(path), 1, _("has no header, so it is no lesson."), fix)]
    found += [*_place(path), *_header(text, lesson), *_cells(lesson)]
    return None if problems else lesson, found


def _finding(error: LessonError) -> Finding:
    return Finding(error.path, error.line or 1, error.what, error.fix)


def _place(path: Path) -> Iterator[Finding]:
    """Where the file stands, and what it is called."""
    if not header.FILE_NAME.fullmatch(path.stem):
        yield Finding(str(path), 1, _("is not named as a lesson is."), _("For instance: 01-two-paths.py"))
    if path.absolute().parent.name not in FAMILIES:
        yield Finding(
            str(path), 1, _("stands in no family's folder."), _("There is {names}.", names=join_words(FAMILIES))
        )


def _header(text: str, lesson: Lesson) -> Iterator[Finding]:
    for key, texts in (("title", lesson.header.title), ("summary", lesson.header.summary)):
        missing = [language for language in LANGUAGES if language not in texts]
        if missing:
            rows = text.split("\n")
            row = next((at for at, row in enumerate(rows, 1) if re.match(rf"#\s+{key}\s*:", row)), 1)
            yield Finding(
                lesson.path,
                row,
                _("the lesson has no {key} in {names}.", key=key, names=join_words(missing)),
                f'{key}: {{en: "…", zh: "…"}}',
            )


def _cells(lesson: Lesson) -> Iterator[Finding]:
    for cell in lesson.cells:
        if cell.is_code:
            yield from _code(cell, lesson.path)
        else:
            yield from _languages(cell, lesson.path)
        if cell.question is not None and cell.of is not None and _is_constant(cell.of):
            what = _("the answer to the question does not come from the run: {of}", of=cell.of)
            yield Finding(lesson.path, _mark(cell), what, _('For instance: of="1 if y.requires_grad else 2"'))


def _code(cell: Cell, path: str) -> Iterator[Finding]:
    if cell.kind != "check":  # no pane shows that
        for at, row in enumerate(cell.source.split("\n")):
            if len(row) > COLUMNS:
                what = _(
                    "the code line has {count} columns, and {columns} are the most.", count=len(row), columns=COLUMNS
                )
                yield Finding(path, cell.first_line + at, what, _("Break it in two."))
        return
    try:
        tree = ast.parse(cell.source)
    except UNPARSED:
        return
    for node in ast.walk(tree):
        raised = node.exc if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else None
        if isinstance(node, ast.Assert):
            line, message = node.lineno, node.msg
        elif raised is not None and isinstance(raised.func, ast.Name) and raised.func.id == "AssertionError":
            line, message = raised.lineno, raised.args[0] if raised.args else None
        else:
            continue
        missing = _missing(message)
        if missing:
            what = _("the check's assertion has no message.")
            if message is not None:
                what = _("the check's message is not there in {names}.", names=join_words(missing))
            fix = _('Tell the learner what is wrong: assert …, {"en": "…", "zh": "…"}')
            yield Finding(path, cell.first_line + line - 1, what, fix)


def _missing(message: ast.expr | None) -> list[str]:
    """The languages in which a check's message does not speak: it is written out as a dictionary, by language."""
    keys = message.keys if isinstance(message, ast.Dict) else []
    there = {key.value for key in keys if isinstance(key, ast.Constant)}
    return [language for language in LANGUAGES if language not in there]


_ABSENT = {
    "prose": N_("the prose is not there in {names}."),
    "question": N_("the question is not there in {names}."),
    "hint": N_("the hint is not there in {names}."),
}


def _languages(cell: Cell, path: str) -> Iterator[Finding]:
    if "" in cell.text:
        if len(cell.text) == 1 and not _has_words(cell.text[""]):
            return
        yield Finding(path, _mark(cell), _("the text does not say which language it is in."), _('Mark it lang="en".'))
        return
    missing = [language for language in LANGUAGES if language not in cell.text]
    if missing:
        what = _(_ABSENT[cell.kind], names=join_words(missing))
        fix = _('Write it right after it, with the same attributes and lang="{language}".', language=missing[0])
        yield Finding(path, _mark(cell), what, fix)
    for language, text in cell.text.items():
        if language == "zh" and _has_words(text) and not _CHINESE.search(text):
            yield Finding(path, cell.text_lines[language], _('the text with lang="zh" is not Chinese.'))


def _has_words(text: str) -> bool:
    """Whether it says anything beside code, formulas and values."""
    return any(letter.isalpha() for letter in _FORMULA.sub("", words(text)))


def _mark(cell: Cell) -> int:
    """The line with the cell's mark."""
    return max(cell.first_line - 1, 1)


def _is_constant(expression: str) -> bool:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except UNPARSED:
        return False
    return not any(isinstance(node, ast.Name) for node in ast.walk(tree))


def live_lines(cell: Cell) -> Iterator[tuple[int, str]]:
    """The live values of a cell's texts, each with its line."""
    for language, text in cell.text.items():
        for value in live_values(text):
            yield cell.text_lines[language] + text[: value.start].count("\n"), value.text
