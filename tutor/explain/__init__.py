"""Explain a step in words and numbers, from the recorded events alone."""

from __future__ import annotations

from tutor.explain.mistakes import cause, explanation
from tutor.explain.step import describe_check_failure, describe_end, just_ran, line, message, plain, runs_next

__all__ = [
    "cause", "describe_check_failure", "describe_end", "explanation", "just_ran", "line", "message", "plain",
    "runs_next",
]  # fmt: skip
