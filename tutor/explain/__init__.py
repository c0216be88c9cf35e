"""Explain a step in words and numbers, from the recorded events alone."""

from __future__ import annotations

from tutor.explain.lines import Explained, joined, lines
from tutor.explain.mistakes import cause, explanation
from tutor.explain.step import describe_check_failure, describe_end, message, plain

__all__ = [
    "Explained", "cause", "describe_check_failure", "describe_end", "explanation", "joined", "lines", "message",
    "plain",
]  # fmt: skip
