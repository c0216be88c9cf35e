"""Words and arithmetic for a step, from its events alone."""

from __future__ import annotations

from tutor.explain.mistakes import cause, explanation
from tutor.explain.saying import line, plain

__all__ = ["cause", "explanation", "line", "plain"]
