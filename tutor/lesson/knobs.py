"""Knobs: lines `name = literal  # @param {…}` whose value the learner may set before a run."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tutor.i18n import N_, _
from tutor.lesson.model import Cell, Knob, Lesson, LessonError, Report, Setting, join_words, suggest

TYPES = ("number", "boolean", "text")
_KEYS = ("type", "min", "max", "step")
_EXAMPLE = N_("For instance: lr = 0.05  # @param {type: number, min: 0.001, max: 1}")


# ---------------------------------------------------------------- reading


def parse(code: str, first_line: int, path: str, report: Report | None) -> tuple[Knob, ...]:
    """Return the knobs of a cell whose code begins at `first_line` of the file.

    Malformed lines go to `report`; if that is None (a script, not a lesson) they are ignored.
    """
    if "@param" not in code:
        return ()
    knobs: list[Knob] = []
    literals = _literals(code)
    for row, comment in _comments(code):
        try:
            knobs.append(_knob(literals.get(row), comment, first_line + row - 1, path))
        except LessonError as error:
            if report is not None:
                report(error)
    return tuple(knobs)


def _comments(code: str) -> list[tuple[int, str]]:
    """Return the row (from 1) of each comment `# @param …` and the text after it."""
    comments = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and token.string.lstrip("#").strip().startswith("@param"):
            comments.append((token.start[0], token.string.lstrip("#").strip().removeprefix("@param").strip()))
    return comments


def _literals(code: str) -> dict[int, tuple[str, Setting, int, int]]:
    """Return, by row, the name, value, start and end column of each `name = literal` on one line."""
    literals: dict[int, tuple[str, Setting, int, int]] = {}
    rows = code.split("\n")
    for statement in ast.walk(ast.parse(code)):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        if not isinstance(target, ast.Name) or statement.lineno != value.end_lineno:
            continue
        try:
            literal = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError):
            continue
        if type(literal) not in (bool, int, float, str):
            continue
        row = rows[value.lineno - 1].encode()
        start = len(row[: value.col_offset].decode())
        end = len(row[: value.end_col_offset].decode())
        literals[statement.lineno] = (target.id, literal, start, end)
    return literals


def _knob(literal: tuple[str, Setting, int, int] | None, comment: str, line: int, path: str) -> Knob:
    import yaml

    def wrong(what: str, fix: str = _EXAMPLE) -> LessonError:
        return LessonError(what, path=path, line=line, fix=_(fix))

    if literal is None:
        raise wrong(_("a knob must be a line `name = literal`, the literal a number, True, False or a text."))
    name, default, start, end = literal
    try:
        data = yaml.load(comment, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except Exception as error:  # YAML tags raise exceptions of any type
        problem = getattr(error, "problem", None) or _("it cannot be read")
        raise wrong(
            _("what follows @param of knob `{name}` is not YAML: {problem}.", name=name, problem=problem)
        ) from None
    if isinstance(data, list):
        if not data or not all(type(choice) in (bool, int, float, str) for choice in data):
            raise wrong(_("the choices of knob `{name}` must be numbers or texts.", name=name))
        knob = Knob(name, "choice", default, line, start, end, choices=tuple(data))
    elif isinstance(data, dict):
        for key in data:
            if key not in _KEYS:
                raise wrong(
                    _("knob `{name}` has an unknown key `{key}`.", name=name, key=key), suggest(str(key), _KEYS)
                )
        kind = data.get("type")
        if kind not in TYPES:
            raise wrong(
                _("knob `{name}` has the unknown type `{kind}`.", name=name, kind=kind),
                _("There is {names}.", names=join_words(TYPES)),
            )
        if kind != "number" and len(data) > 1:
            raise wrong(
                _("only a number can have min, max and step, and knob `{name}` is a {kind}.", name=name, kind=kind)
            )
        least, most, step = (
            _bound(data.get(key), _("`{key}` of knob `{name}`", key=key, name=name), wrong) for key in _KEYS[1:]
        )
        knob = Knob(name, kind, default, line, start, end, min=least, max=most, step=step)
    else:
        raise wrong(_("what follows @param of knob `{name}` must be a mapping or a list of choices.", name=name))
    problem = _problem(knob, default)
    if problem:
        raise wrong(
            _("the literal of knob `{name}`, {default}, {problem}.", name=name, default=repr(default), problem=problem),
            "",
        )
    return knob


def _bound(value: Any, what: str, wrong: Callable[[str], LessonError]) -> float | None:
    # YAML 1.1 reads `1e-3` as a text, for want of a point.
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise wrong(_("{what} is not a number.", what=what)) from None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(_("{what} is not a number.", what=what))
    return value


# ---------------------------------------------------------------- setting


def resolve(lesson: Lesson, settings: Mapping[str, str], device: str | None = None) -> dict[str, Setting]:
    """Parse the settings of a lesson's knobs. Raises LessonError for an unknown knob or a value that it cannot have."""
    return resolve_knobs(lesson.knobs, settings, device)


def resolve_knobs(knobs: Mapping[str, Knob], settings: Mapping[str, str], device: str | None) -> dict[str, Setting]:
    """As `resolve`, for knobs without their lesson."""
    values: dict[str, Setting] = {}
    for name, text in settings.items():
        if name not in knobs:
            raise LessonError(_("there is no knob `{name}`.", name=name), fix=suggest(name, knobs))
        values[name] = _value(knobs[name], text)
    if device is not None:
        if "device" not in knobs:
            fix = N_(
                'A line `device = "cpu"  # @param ["cpu", "cuda"]` would make one; a --device of the script\'s own '
                "stands after `--`."
            )
            raise LessonError(_("--device: this has no knob `device`, so it chooses its device itself."), fix=_(fix))
        values["device"] = _value(knobs["device"], device)
    return values


def all_values(lesson: Lesson, values: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the value of every knob: that in `values`, else its default."""
    return {name: values.get(name, knob.default) for name, knob in lesson.knobs.items()}


def apply(lesson: Lesson, values: Mapping[str, Setting]) -> Lesson:
    """Return the lesson with the literals of its knobs replaced by these values; no line moves."""
    if not values:
        return lesson
    cells = tuple(msgspec.structs.replace(cell, source=source(cell, values)) if cell.knobs else cell
                  for cell in lesson.cells)  # fmt: skip
    return msgspec.structs.replace(lesson, cells=cells)


def source(cell: Cell, values: Mapping[str, Setting]) -> str:
    """Return the code of a cell with the literals of its knobs replaced by these values."""
    rows = cell.source.split("\n")
    for knob in cell.knobs:
        if knob.name in values:
            row = knob.line - cell.first_line
            rows[row] = rows[row][: knob.start] + repr(values[knob.name]) + rows[row][knob.end :]
    return "\n".join(rows)


def _value(knob: Knob, text: str) -> Setting:
    """Parse a setting from the command line or from an input. Raises LessonError."""
    value: Setting
    if knob.type == "number":
        value = _number(knob, text)
    elif knob.type == "boolean":
        words: dict[str, Setting] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.strip().lower() not in words:
            raise LessonError(_("knob `{name}` is True or False, not {text}.", name=knob.name, text=repr(text)))
        value = words[text.strip().lower()]
    elif knob.type == "choice":
        # `cuda:1` is the choice `cuda`: which of them a machine has is not the author's to know.
        matches = [choice for choice in knob.choices if str(choice) == text.strip()]
        one_device = knob.name == "device" and text.partition(":")[0] in knob.choices
        value = matches[0] if matches else text.strip()
        if not matches and not one_device:
            what = _("knob `{name}` cannot be {text}.", name=knob.name, text=repr(text))
            raise LessonError(what, fix=_("It is {choices}.", choices=join_words(knob.choices, "or")))
    else:
        value = text
    problem = _problem(knob, value)
    if problem:
        raise LessonError(_("knob `{name}`: {text} {problem}.", name=knob.name, text=text, problem=problem))
    return value


def _number(knob: Knob, text: str) -> int | float:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            # `torch.tensor([start], requires_grad=True)` needs -1.0 where one types -1.
            return float(number) if isinstance(knob.default, float) else number
    raise LessonError(_("knob `{name}` is a number, not {text}.", name=knob.name, text=repr(text)))


def _problem(knob: Knob, value: Setting) -> str | None:
    """Return what is wrong with a value for a knob, as the end of a sentence; None if nothing is."""
    if knob.type == "choice":
        device = knob.name == "device" and isinstance(value, str) and value.partition(":")[0] in knob.choices
        is_choice = any(type(choice) is type(value) and choice == value for choice in knob.choices)
        return None if is_choice or device else _("is not one of {choices}", choices=join_words(knob.choices, "or"))
    if knob.type == "boolean":
        return None if isinstance(value, bool) else _("is not True or False")
    if knob.type == "text":
        return None if isinstance(value, str) else _("is not a text")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _("is not a number")
    numbers = (knob.default, *(bound for bound in (knob.min, knob.max, knob.step) if bound is not None))
    if isinstance(value, float) and len(numbers) > 1 and all(isinstance(number, int) for number in numbers):
        return _("is not a whole number")
    if knob.min is not None and value < knob.min:
        return _("is below the least, {least}", least=knob.min)
    if knob.max is not None and value > knob.max:
        return _("is above the most, {most}", most=knob.max)
    return None
