"""Explain a step in words and numbers, from the recorded events alone."""

from __future__ import annotations

from tutor.explain.mistakes import cause, explanation
from tutor.explain.outcomes import describe_check_failure, describe_end, message
from tutor.explain.step import line, plain

__all__ = ["cause", "describe_check_failure", "describe_end", "explanation", "line", "message", "plain"]
