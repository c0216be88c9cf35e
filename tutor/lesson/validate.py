"""The rules of a lesson's cells, each with what to do where one is broken."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tutor.lesson.cells import RawCell
from tutor.lesson.errors import LessonError, Report, listed, one_of
from tutor.lesson.model import LANGUAGES, Cell, live_values

QUESTIONS = ("predict", "choice", "line")
EXERCISES = ("fill", "bug")
TAGS = ("exercise", "hint", "solution", "check", "raises-exception")
_PROSE = ("lang", "question", "of", "tags")
_CODE = ("tags", "id", "kind")


def check_cell(cell: Cell, path: str, report: Report) -> None:
    """Reports what is wrong with this cell by itself."""
    # The mark stands on the line above.
    mark = max(cell.first_line - 1, 1)

    def wrong(what: str, mend: str = "") -> None:
        report(LessonError(what, path=path, line=mark, mend=mend))

    known = _CODE if cell.is_code else _PROSE
    for key in cell.attributes:
        if key == "incorrectly_encoded_metadata":
            wrong(f"the cell's attributes cannot be read: {cell.attributes[key]}", 'They look like key="value".')
        elif key not in known:
            wrong(f"the cell has an unknown attribute `{key}`.", one_of(key, known))
    tags = cell.attributes.get("tags", [])
    if not isinstance(tags, list):
        wrong("`tags` must be a list.", 'For instance: tags=["hint"]')
        tags = []
    for tag in tags:
        if tag not in TAGS:
            wrong(f"the cell has an unknown tag `{tag}`.", one_of(str(tag), TAGS))
    if cell.kind == "hint" and cell.is_code:
        wrong("a hint must be prose.", 'Mark it `# %% [markdown] tags=["hint"]`.')
    if cell.kind in ("exercise", "solution", "check") and not cell.is_code:
        wrong(f"{_a(cell.kind)} must be code.")
    if cell.kind == "question":
        _check_question(cell, wrong)
    elif cell.of is not None:
        wrong("`of` stands on a cell that asks nothing.", 'Say which question: question="predict"')


def check_prose(cell: RawCell, path: str, report: Report) -> None:
    """Reports an unknown language, or a live value that is none, in one language's text."""
    language = cell.attributes.get("lang", "")
    if language and language not in LANGUAGES:
        what = f"the cell has an unknown language `{language}`."
        report(LessonError(what, path=path, line=cell.first_line - 1, mend=f"There is {listed(LANGUAGES)}."))
    for live in live_values(cell.source):
        if not is_expression(live.expression):
            line = cell.first_line + cell.source[: live.start].count("\n")
            report(LessonError(f"the live value `{live.expression}` is not an expression.", path=path, line=line))


def check_lesson(cells: list[Cell], path: str, report: Report) -> None:
    """Reports what is wrong with how the cells stand together."""

    def wrong(what: str, line: int | None, mend: str = "") -> None:
        report(LessonError(what, path=path, line=line, mend=mend))

    if not any(cell.is_code for cell in cells):
        wrong("the lesson has no code cell.", None, "A line `# %%` begins one.")
    knobs: set[str] = set()
    ids: set[str] = set()
    for at, cell in enumerate(cells):
        mark = max(cell.first_line - 1, 1)
        for knob in cell.knobs:
            if knob.name in knobs:
                wrong(f"knob `{knob.name}` is there twice.", knob.line, "Give one of them another name.")
            knobs.add(knob.name)
        if cell.kind == "question" and not any(later.is_code for later in cells[at + 1 :]):
            wrong("no code follows the question, so nothing can answer it.", mark)
        if cell.kind == "exercise":
            _check_exercise(cells[at:], mark, wrong)
            if cell.exercise in ids:
                wrong(f"there are two exercises `{cell.exercise}`.", mark)
            ids.add(str(cell.exercise))
        elif cell.kind in ("hint", "solution", "check"):
            before = cells[at - 1].kind if at else ""
            if before not in _BEFORE[cell.kind]:
                what = f"{_a(cell.kind)} must follow {listed([_a(kind) for kind in _BEFORE[cell.kind]], 'or')}."
                wrong(what, mark, "The order is exercise, hints, solution, check.")


_BEFORE = {"hint": ("exercise", "hint"), "solution": ("exercise", "hint"), "check": ("solution",)}


def is_expression(text: str) -> bool:
    """Whether Python would take this as an expression."""
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _check_question(cell: Cell, wrong: Callable[..., None]) -> None:
    if cell.question not in QUESTIONS:
        wrong(f"the question is of an unknown kind, `{cell.question}`.", one_of(str(cell.question), QUESTIONS))
    if not cell.of:
        wrong("the question does not say what answers it.", 'Add an expression: of="w.grad"')
    elif not is_expression(cell.of):
        wrong(f"`of` is not an expression: {cell.of}")
    if cell.question == "choice":
        for language, options in cell.options.items():
            if len(options) < 2:
                where = f" in `{language}`" if language else ""
                wrong(f"the question has no list to choose from{where}.", "Write two items or more, `- …`.")
        if len({len(options) for options in cell.options.values()}) > 1:
            wrong("the question has not as many items to choose from in each language.")


def _check_exercise(cells: list[Cell], mark: int, wrong: Callable[..., None]) -> None:
    exercise = cells[0]
    if not exercise.exercise:
        wrong("the exercise has no id.", mark, 'Add one: id="slope"')
    elif exercise.exercise.isdecimal():
        wrong(f"an exercise cannot have a number as its id: `{exercise.exercise}`.", mark, 'Use words: id="slope"')
    kind = exercise.attributes.get("kind")
    if kind not in EXERCISES:
        what = f"the exercise is of an unknown kind, `{kind}`." if kind else "the exercise does not say its kind."
        wrong(what, mark, f"There is {listed(EXERCISES)}.")
    after = [cell.kind for cell in cells[1:]]
    hints = next((at for at, kind in enumerate(after) if kind != "hint"), len(after))
    if after[hints : hints + 2] != ["solution", "check"]:
        what = f"the exercise `{exercise.exercise}` must be followed by its hints, a solution and a check."
        wrong(what, mark, 'Tag them tags=["hint"], ["solution"] and ["check"].')


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "exercise" else f"a {kind}"
