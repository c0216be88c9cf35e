"""Texts as they are said: Markdown without its marks, tables as sentences, and symbols in words.

`--plain` prints through `in_words`; a speech synthesizer reads the symbols of formulas by long names, or not at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from tutor.explain import Explained, joined
from tutor.explain.expressions import evaluate
from tutor.explain.formatting import Part
from tutor.i18n import N_, _
from tutor.lesson.markdown import Block, Span, blocks
from tutor.text.format import escape_controls
from tutor.trace.state import State

# ---------------------------------------------------------------- symbols

_WORDS = {
    "×": N_(" times "), "·": N_(" times "), "→": N_(" becomes "), "√": N_(" the square root of "),
    "Σ": N_(" the sum of "), "∑": N_(" the sum of "), "Π": N_(" the product of "), "∏": N_(" the product of "),
    "∂": N_(" d "), "∇": N_(" the gradient "), "≤": N_(" is at most "), "≥": N_(" is at least "),
    "≈": N_(" is about "), "≠": N_(" is not "), "±": N_(" plus or minus "), "∞": N_(" infinity "), "∈": N_(" in "),
    "■": N_(" leaf "), "●": N_(" operation "), "○": N_(" freed "), "✓": N_(" yes "), "▶": N_(" now "),
    "▷": N_(" just now "), "←": N_(" left "), "↑": N_(" up "), "↓": N_(" down "), "‖": N_(" norm "),
}  # fmt: skip
_ASCII = {"—": ", ", "–": "-", "−": "-", "…": "...", "½": "1/2", "‘": "'", "’": "'", "•": " ", "›": " ", "`": ""}
_POWERS = {"²": N_(" squared"), "³": N_(" cubed"), "ᵀ": N_(" transposed"), "⁻ᵀ": N_(" inverse transposed")}

_OPERAND = r"\([^()]*\)|‖[^‖]*‖[₀-₉ₚ]?|[^\W·×²³½]+(?:\.\w+)*\u0302?(?:\([^()]*\))?(?:\[[^\]]*\])?"
_DERIVATIVE = re.compile(rf"∂({_OPERAND})/∂({_OPERAND})")
_UNNAMED_DERIVATIVE = re.compile(rf"∂/∂({_OPERAND})")
_NORM = re.compile(r"‖([^‖]+)‖([₀-₉ₚ]?)")
_SIZES = re.compile(r"(?<=\d)×(?=\d)")
_RAISED = re.compile(r"[⁰¹²³⁴-⁹⁺⁻ⁿᵃᵇᵀᵏ]+")
_LOWERED = re.compile(r"[₀-₉ᵢⱼₖₙₚₜᵥ]+")
_IS_BEFORE_ABOUT = re.compile(r"(?:=|\bis) *(?=≈)")
_SPACES = re.compile(r"(?<=[(\[]) +| +(?=[)\],]| )")


def in_words(text: str) -> str:
    """Return a line as it is said: symbols in words of the interface's language, or in ASCII."""
    if text.isascii():
        return text.replace("`", "")
    indentation = text[: len(text) - len(text.lstrip(" "))]
    text = _DERIVATIVE.sub(lambda match: _("d {y} by d {x}", y=match[1], x=match[2]), text)
    text = _UNNAMED_DERIVATIVE.sub(lambda match: _("the derivative by {x}", x=match[1]), text)
    text = _NORM.sub(lambda match: _("the {order}norm of {x}", order=match[2] and f"{match[2]} ", x=match[1]), text)
    text = _SIZES.sub(_(" by "), text)
    text = _IS_BEFORE_ABOUT.sub("", text)
    text = _RAISED.sub(_power, text)
    text = _LOWERED.sub(lambda match: " " + unicodedata.normalize("NFKC", match[0]), text)
    text = text.replace("\u0302", _(" hat"))
    text = "".join(_word(char) for char in text)
    return indentation + _SPACES.sub("", text.strip())


def _power(match: re.Match[str]) -> str:
    """Return what is said for raised characters."""
    if match[0] in _POWERS:
        return _(_POWERS[match[0]])
    exponent = unicodedata.normalize("NFKC", match[0]).replace("\N{MINUS SIGN}", "-")
    return _(" to the power {exponent}", exponent=exponent)


def _word(char: str) -> str:
    """Return what is said for a character: itself, or the word for a symbol."""
    if char in _WORDS:
        return _(_WORDS[char])
    if char in _ASCII or char.isascii():
        return _ASCII.get(char, char)
    category, name = unicodedata.category(char), unicodedata.name(char, "")
    if name.startswith("GREEK ") and category in ("Lu", "Ll"):
        return f" {name.split()[-1].lower().replace('lamda', 'lambda')} "
    if name.startswith(("BOX DRAWINGS", "BLOCK ", "BRAILLE ")):
        return " "
    return f" {name.lower()} " if category in ("Sm", "So") else char


# ---------------------------------------------------------------- prose

_RULE = re.compile(r"[\s|:-]+")


def spoken(text: str, state: State, *, items: bool = True) -> list[str]:
    """Return the paragraphs of a text in Markdown, a line for each, with values from `state`.

    A row of a table comes with the names of its columns. Without `items` its lists are left out.
    """
    lines: list[str] = []
    columns: list[str] = []
    for block in blocks(text):
        if block.kind == "row":
            row = [in_words(cell.strip()) for cell in _said(block.spans, state).strip(" |").split("|")]
            if not columns:
                columns = row
            elif not _RULE.fullmatch(block.text or "|") and any(row):
                lines.append("; ".join(f"{name}: {cell}" if name else cell for name, cell in _pairs(columns, row)))
            continue
        columns = []
        if block.kind == "code":
            lines += [escape_controls(line) for line in block.text.split("\n")]
        elif block.kind in ("text", "heading", "item") and (items or block.item is None):
            lines += [_lead(block) + in_words(escape_controls(line)) for line in _said(block.spans, state).split("\n")]
    return lines


def _pairs(columns: list[str], row: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the cells of a row, each with the name of its column."""
    for index, cell in enumerate(row):
        yield columns[index] if index < len(columns) else "", cell


def _lead(block: Block) -> str:
    """Return the number of an item in a list; empty for anything else."""
    mark = block.lead.strip()
    return f"{mark} " if mark[:1].isdigit() else ""


def _said(parts: tuple[Span, ...], state: State) -> str:
    """Return the text of spans, without marks, with the values of a state."""
    texts = []
    for span in parts:
        match span.kind:
            case "live":
                texts.append(evaluate(state, span.text) or _("unknown"))
            case "break":
                texts.append("\n")
            case "text" | "code":
                texts.append(span.text)
            case _:
                texts.append(_said(span.inner, state))
    return "".join(texts)


# ---------------------------------------------------------------- steps


def one_line(parts: Sequence[Part]) -> str:
    """Return parts as a text, with commas between phrases."""
    return "".join(_(", ") + text[3:] if text.startswith(" · ") else text for text, _role in parts)


def rows_of(explained: Explained) -> list[list[Part]]:
    """Return what ran as rows: the rule, and each phrase of the numbers after it."""
    if not explained.numbers:
        return [joined(explained.ran())]
    return [joined(explained.rule), *explained.worked(), *explained.notes]
