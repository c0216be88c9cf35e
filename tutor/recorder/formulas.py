"""Matplotlib's formulas, `$10^{-3}$`, in the characters that a terminal has: 10⁻³."""

from __future__ import annotations

import re

_SUPERSCRIPTS = str.maketrans("0123456789+-−=()nit", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱᵗ")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_NAMED = re.compile(r"\\([A-Za-z]+)\s?")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_RAISED = re.compile(r"([\^_])(?:\{([^{}]*)\}|(\S))")


def plain_text(text: str) -> str:
    """Return a text with its formulas, between dollar signs, in the characters that a terminal has."""
    parts = re.split(r"(?<!\\)\$", text)
    if len(parts) % 2 == 0:
        return text
    parts[1::2] = [_formula(part) for part in parts[1::2]]
    return "".join(parts).replace(r"\$", "$")


def _formula(text: str) -> str:
    from matplotlib._mathtext_data import tex2uni

    for command in ("mathdefault", "mathrm", "mathbf", "mathit", "mathcal", "mathbb", "text", "rm", "bf", "it"):
        text = re.sub(rf"\\{command}\b\s*", "", text)
    text = _FRACTION.sub(r"\1/\2", text)
    text = _NAMED.sub(lambda match: chr(tex2uni[match[1]]) if match[1] in tex2uni else match[1], text)
    text = re.sub(r"\\([^A-Za-z])", lambda match: " " if match[1] in ",;: !" else match[1], text)

    def raised(match: re.Match[str]) -> str:
        inner = match[2] if match[2] is not None else match[3]
        table = _SUPERSCRIPTS if match[1] == "^" else _SUBSCRIPTS
        return inner.translate(table) if all(ord(char) in table for char in inner) else f"{match[1]}{inner}"

    return _RAISED.sub(raised, text).replace("{", "").replace("}", "")
