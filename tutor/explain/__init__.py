"""Words and arithmetic for a step, from its events alone."""

from __future__ import annotations

from tutor.explain.mistakes import cause, explanation
from tutor.explain.outcomes import ended, message, problem
from tutor.explain.step import line, plain

__all__ = ["cause", "ended", "explanation", "line", "message", "plain", "problem"]
