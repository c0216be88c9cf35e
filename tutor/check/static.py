"""Check the text of a lesson, without running it: header, languages, line lengths, questions, assertion messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tutor.i18n import N_, _
from tutor.lesson import files, header
from tutor.lesson.markdown import live_values, words
from tutor.lesson.model import LANGUAGES, UNPARSED, Cell, Lesson, LessonError, is_family, join_words
from tutor.lesson.parser import parse


class Finding(msgspec.Struct, frozen=True):
    """A problem of a lesson, its place, and how to fix it. `gradtutor check --json` has these fields."""

    path: str
    line: int
    what: str
    fix: str = msgspec.field(default="", name="mend")
    """What to do about it; `mend` in JSON."""
    warning: bool = False
    """Whether this depends on the machine, so that the lesson may stay as it is."""

    def __str__(self) -> str:
        what = _("warning: {what}", what=self.what) if self.warning else self.what
        return str(LessonError(what, path=self.path, line=self.line, fix=self.fix))


MAX_COLUMNS = 100
"""Maximum columns of a code line: longer ones do not fit a pane."""
_CHINESE = re.compile("[\u4e00-\u9fff]")
_FORMULA = re.compile(r"\$[^$]*\$")


def check_text(path: Path) -> tuple[Lesson | None, list[Finding]]:
    """Return the lesson (None if it cannot be run) and the problems of its text."""
    problems: list[LessonError] = []
    try:
        text = files.load(path)
        lesson = parse(text, path, problems.append)
    except LessonError as error:
        return None, [to_finding(error)]
    findings = [to_finding(problem) for problem in problems]
    if not problems and not lesson.header.title:
        fix = _("A lesson begins with `# ---`, see CONTRIBUTING.md.")
        return None, [Finding(str(path), 1, _("has no header, so it is no lesson."), fix)]
    findings += [*_check_path(path), *_check_header(text, lesson), *_check_cells(lesson)]
    return None if problems else lesson, findings


def to_finding(error: LessonError) -> Finding:
    """Return a lesson error as a finding."""
    return Finding(error.path, error.line or 1, error.what, error.fix)


def _check_path(path: Path) -> Iterator[Finding]:
    """Yield the problems of the file's name and folder."""
    if not header.FILE_NAME.fullmatch(path.stem):
        yield Finding(str(path), 1, _("is not named as a lesson is."), _("For instance: 01-two-paths.py"))
    if not is_family(path.absolute().parent.name):
        yield Finding(str(path), 1, _("stands in no family's folder."), _("Put it into a folder, such as graph."))


def _check_header(text: str, lesson: Lesson) -> Iterator[Finding]:
    """Yield the problems of the header: languages that are missing."""
    for key, texts in (("title", lesson.header.title), ("summary", lesson.header.summary)):
        missing = [language for language in LANGUAGES if language not in texts]
        if missing:
            lines = text.split("\n")
            number = next((at for at, number in enumerate(lines, 1) if re.match(rf"#\s+{key}\s*:", number)), 1)
            yield Finding(
                lesson.path,
                number,
                _("the lesson has no {key} in {names}.", key=key, names=join_words(missing)),
                f'{key}: {{en: "…", zh: "…"}}',
            )


def _check_cells(lesson: Lesson) -> Iterator[Finding]:
    """Yield the problems of the cells."""
    for cell in lesson.cells:
        if cell.is_code:
            yield from _check_code(cell, lesson.path)
        else:
            yield from _check_languages(cell, lesson.path)
        if cell.question is not None and cell.of is not None and _is_constant(cell.of):
            what = _("the answer to the question does not come from the run: {of}", of=cell.of)
            yield Finding(lesson.path, mark_line(cell), what, _('For instance: of="1 if y.requires_grad else 2"'))


def _check_code(cell: Cell, path: str) -> Iterator[Finding]:
    """Yield code lines that are too long, and assertions of a check without messages."""
    if cell.kind != "check":  # no pane shows that
        for index, line_text in enumerate(cell.source.split("\n")):
            if len(line_text) > MAX_COLUMNS:
                what = _(
                    "the code line has {count} columns, and {columns} are the most.",
                    count=len(line_text),
                    columns=MAX_COLUMNS,
                )
                yield Finding(path, cell.first_line + index, what, _("Break it in two."))
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
        missing = _missing_languages(message)
        if missing:
            what = _("the check's assertion has no message.")
            if message is not None:
                what = _("the check's message is not there in {names}.", names=join_words(missing))
            fix = _('Tell the learner what is wrong: assert …, {"en": "…", "zh": "…"}')
            yield Finding(path, cell.first_line + line - 1, what, fix)


def _missing_languages(message: ast.expr | None) -> list[str]:
    """Return the languages that a check's message lacks; it is a dictionary literal by language."""
    keys = message.keys if isinstance(message, ast.Dict) else []
    languages = {key.value for key in keys if isinstance(key, ast.Constant)}
    return [language for language in LANGUAGES if language not in languages]


_MISSING_TEXTS = {
    "prose": N_("the prose is not there in {names}."),
    "question": N_("the question is not there in {names}."),
    "diagnosis": N_("the text with `wrong` is not there in {names}."),
    "hint": N_("the hint is not there in {names}."),
}


def _check_languages(cell: Cell, path: str) -> Iterator[Finding]:
    """Yield the problems of a prose cell: languages that are missing or wrong."""
    if "" in cell.text:
        if len(cell.text) == 1 and not _has_words(cell.text[""]):
            return
        yield Finding(
            path, mark_line(cell), _("the text does not say which language it is in."), _('Mark it lang="en".')
        )
        return
    missing = [language for language in LANGUAGES if language not in cell.text]
    if missing:
        what = _(_MISSING_TEXTS[cell.kind], names=join_words(missing))
        fix = _('Write it right after it, with the same attributes and lang="{language}".', language=missing[0])
        yield Finding(path, mark_line(cell), what, fix)
    for language, text in cell.text.items():
        if language == "zh" and _has_words(text) and not _CHINESE.search(text):
            yield Finding(path, cell.text_lines[language], _('the text with lang="zh" is not Chinese.'))


def _has_words(text: str) -> bool:
    """Return whether a text has letters outside code, formulas and live values."""
    return any(letter.isalpha() for letter in _FORMULA.sub("", words(text)))


def mark_line(cell: Cell) -> int:
    """Return the line of the cell's `# %%` mark."""
    return max(cell.first_line - 1, 1)


def _is_constant(expression: str) -> bool:
    """Return whether an expression uses no names, so that its value does not come from the run."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except UNPARSED:
        return False
    return not any(isinstance(node, ast.Name) for node in ast.walk(tree))


def live_lines(cell: Cell) -> Iterator[tuple[int, str]]:
    """Yield the live values of a cell's texts, with their lines."""
    for language, text in cell.text.items():
        for value in live_values(text):
            yield cell.text_lines[language] + text[: value.start].count("\n"), value.text
