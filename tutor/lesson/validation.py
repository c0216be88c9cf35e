"""Validating the cells of a lesson; each error says how to fix it."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tutor.i18n import N_, _
from tutor.lesson import forms, variation
from tutor.lesson.markdown import live_values
from tutor.lesson.model import FRONTS, LANGUAGES, UNPARSED, Cell, LessonError, RawCell, Report, join_words, suggest

QUESTIONS = ("predict", "choice", "line")
EXERCISES = ("fill", "bug", "write", *forms.KINDS)
TAGS = ("exercise", "hint", "solution", "check", "raises-exception")
_PROSE = ("lang", "question", "of", "when", "front", "wrong", "vary", "tags")
_CODE = ("tags", "id", "kind")


def check_cell(cell: Cell, path: str, report: Report) -> None:
    """Report the errors within a cell."""
    # The mark is on the line above.
    mark = max(cell.first_line - 1, 1)

    def wrong(what: str, fix: str = "") -> None:
        report(LessonError(what, path=path, line=mark, fix=fix))

    allowed = _CODE if cell.is_code else _PROSE
    for key in cell.attributes:
        if key == "incorrectly_encoded_metadata":
            wrong(
                _("the cell's attributes cannot be read: {value}", value=cell.attributes[key]),
                _('They look like key="value".'),
            )
        elif key not in allowed:
            wrong(_("the cell has an unknown attribute `{key}`.", key=key), suggest(key, allowed))
    tags = cell.attributes.get("tags", [])
    if not isinstance(tags, list):
        wrong(_("`tags` must be a list."), _('For instance: tags=["hint"]'))
        tags = []
    for tag in tags:
        if tag not in TAGS:
            wrong(_("the cell has an unknown tag `{tag}`.", tag=tag), suggest(str(tag), TAGS))
    if cell.kind == "hint" and cell.is_code:
        wrong(_("a hint must be prose."), _('Mark it `# %% [markdown] tags=["hint"]`.'))
    if cell.kind in ("exercise", "solution", "check") and not cell.is_code:
        wrong(_("{kind} must be code.", kind=_with_article(cell.kind)))
    if cell.kind == "question":
        _check_question(cell, wrong)
    elif cell.of is not None:
        wrong(_("`of` stands on a cell that asks nothing."), _('Say which question: question="predict"'))
    if cell.when is not None:
        if cell.kind != "prose":
            what = _("`when` chooses between texts, and {kind} is always shown.", kind=_with_article(cell.kind))
            wrong(what, _("Put what depends on the run into a prose cell above it."))
        elif not is_expression(cell.when):
            wrong(_("`when` is not an expression: {when}", when=cell.when))
    if cell.front is not None:
        if cell.kind != "prose":
            what = _("`front` chooses between texts, and {kind} is for every front end.", kind=_with_article(cell.kind))
            wrong(what, _("Put what depends on the front end into a prose cell above it."))
        elif cell.front not in FRONTS:
            what = _("the cell has an unknown front end `{front}`.", front=cell.front)
            wrong(what, _("There is {names}.", names=join_words(FRONTS)))
    if cell.vary is not None:
        if cell.question != "predict":
            wrong(_("`vary` has other numbers for a question of the kind predict."), _("Take it away here."))
        try:
            variation.parse(cell.vary)
        except ValueError as error:
            wrong(str(error), _('For instance: vary="x: [2, 3]; w: [1, 5]"'))
    if cell.wrong is not None:
        if cell.kind != "diagnosis":
            what = _("`wrong` explains one answer to a question, and stands on the question itself.")
            wrong(what, _("Give it a prose cell after the question."))
        elif not is_expression(cell.wrong):
            wrong(_("`wrong` is not an expression: {wrong}", wrong=cell.wrong))


def check_prose(cell: RawCell, path: str, report: Report) -> None:
    """Report an unknown language, or live values that are not expressions, in the text of one language."""
    language = cell.attributes.get("lang", "")
    if language and language not in LANGUAGES:
        what = _("the cell has an unknown language `{language}`.", language=language)
        report(
            LessonError(
                what, path=path, line=cell.first_line - 1, fix=_("There is {names}.", names=join_words(LANGUAGES))
            )
        )
    for live in live_values(cell.source):
        if not is_expression(live.text):
            line = cell.first_line + cell.source[: live.start].count("\n")
            report(
                LessonError(
                    _("the live value `{expression}` is not an expression.", expression=live.text),
                    path=path,
                    line=line,
                )
            )


def check_lesson(cells: list[Cell], path: str, report: Report) -> None:
    """Report errors in the order and combination of cells."""

    def wrong(what: str, line: int | None, fix: str = "") -> None:
        report(LessonError(what, path=path, line=line, fix=fix))

    if not any(cell.is_code for cell in cells):
        wrong(_("the lesson has no code cell."), None, _("A line `# %%` begins one."))
    knobs: set[str] = set()
    ids: set[str] = set()
    for index, cell in enumerate(cells):
        mark = max(cell.first_line - 1, 1)
        for knob in cell.knobs:
            if knob.name in knobs:
                wrong(
                    _("knob `{name}` is there twice.", name=knob.name), knob.line, _("Give one of them another name.")
                )
            knobs.add(knob.name)
        if cell.when is not None and not any(other.is_code for other in cells[:index]):
            wrong(_("no code comes before the `when`, so nothing has run that could decide."), mark)
        if cell.kind == "question" and not any(other.is_code for other in cells[index + 1 :]):
            wrong(_("no code follows the question, so nothing can answer it."), mark)
        if cell.kind == "diagnosis" and (not index or cells[index - 1].kind not in ("question", "diagnosis")):
            what = _("{kind} must follow {names}.", kind=_with_article(cell.kind), names=_with_article("question"))
            wrong(what, mark, _("It explains a wrong answer to the question right above it."))
        if cell.kind == "exercise":
            _check_exercise(cells[index:], mark, wrong)
            if cell.exercise in ids:
                wrong(_("there are two exercises `{exercise}`.", exercise=cell.exercise), mark)
            ids.add(str(cell.exercise))
        elif cell.kind in ("hint", "solution", "check"):
            before = cells[index - 1].kind if index else ""
            if before not in _BEFORE[cell.kind]:
                what = _(
                    "{kind} must follow {names}.",
                    kind=_with_article(cell.kind),
                    names=join_words([_with_article(kind) for kind in _BEFORE[cell.kind]], "or"),
                )
                wrong(what, mark, _("The order is exercise, hints, solution, check."))


_BEFORE = {"hint": ("exercise", "hint"), "solution": ("exercise", "hint"), "check": ("solution",)}


def is_expression(text: str) -> bool:
    """Return whether a text is a Python expression."""
    try:
        ast.parse(text.strip(), mode="eval")
    except UNPARSED:
        return False
    return True


def _check_question(cell: Cell, wrong: Callable[..., None]) -> None:
    if cell.question not in QUESTIONS:
        wrong(
            _("the question is of an unknown kind, `{question}`.", question=cell.question),
            suggest(str(cell.question), QUESTIONS),
        )
    if not cell.of:
        wrong(_("the question does not say what answers it."), _('Add an expression: of="w.grad"'))
    elif not is_expression(cell.of):
        wrong(_("`of` is not an expression: {of}", of=cell.of))
    if cell.question == "choice":
        for language, options in cell.options.items():
            if len(options) < 2:
                what = _("the question has no list to choose from.")
                if language:
                    what = _("the question has no list to choose from in `{language}`.", language=language)
                wrong(what, _("Write two items or more, `- …`."))
        if len({len(options) for options in cell.options.values()}) > 1:
            wrong(_("the question has not as many items to choose from in each language."))


def _check_exercise(cells: list[Cell], mark: int, wrong: Callable[..., None]) -> None:
    exercise = cells[0]
    if not exercise.exercise:
        wrong(_("the exercise has no id."), mark, _('Add one: id="derivative"'))
    elif exercise.exercise.isdecimal():
        wrong(
            _("an exercise cannot have a number as its id: `{exercise}`.", exercise=exercise.exercise),
            mark,
            _('Use words: id="derivative"'),
        )
    kind = str(exercise.attributes.get("kind") or "")
    if kind not in EXERCISES:
        what = (
            _("the exercise is of an unknown kind, `{kind}`.", kind=kind)
            if kind
            else _("the exercise does not say its kind.")
        )
        wrong(what, mark, _("There is {names}.", names=join_words(EXERCISES)))
    for cell in cells if kind in forms.KINDS else ():
        if cell.kind in ("exercise", "solution") and cell.exercise == exercise.exercise:
            form = forms.read(kind, cell.source)
            if form is None or form.names != getattr(forms.read(kind, exercise.source), "names", form.names):
                wrong(
                    _("{kind} of this kind is one line.", kind=_with_article(cell.kind)),
                    max(cell.first_line - 1, 1),
                    _FORMS[kind],
                )
    after = [cell.kind for cell in cells[1:]]
    hints = next((at for at, kind in enumerate(after) if kind != "hint"), len(after))
    if after[hints : hints + 2] != ["solution", "check"]:
        what = _(
            "the exercise `{exercise}` must be followed by its hints, a solution and a check.",
            exercise=exercise.exercise,
        )
        wrong(what, mark, _('Tag them tags=["hint"], ["solution"] and ["check"].'))


_FORMS = {"gradients": 'gradients = {"w": ..., "y": ...}', "order": 'order = ["b", "a"]', "value": "first = ..."}
_KINDS = {
    "question": N_("a question"),
    "diagnosis": N_("a text with `wrong`"),
    "exercise": N_("an exercise"),
    "hint": N_("a hint"),
    "solution": N_("a solution"),
    "check": N_("a check"),
}


def _with_article(kind: str) -> str:
    return _(_KINDS[kind])
