"""What came of a command of the model of a walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tutor.study.flow import Exercise

Outcome = Literal[
    "", "question", "waiting", "nowhere", "error", "not found",
    "answered", "asked again", "skipped", "nothing asked",
    "hint", "no hint", "nothing to hint at", "solution", "ask again", "ask again, or a hint", "nothing to solve",
    "solved", "finished", "unsolved",
    "recording", "still running", "walking", "reloaded", "arrived", "back",
    "other", "ended", "stopped", "failed", "refused", "restored", "cause", "asked",
    "bookmark", "no bookmark", "not kept",
]  # fmt: skip
"""What came of a command. The methods of `Model` say which ones they have; empty: there is nothing to say."""


@dataclass(frozen=True)
class Result:
    """What came of a command, for the front end to say."""

    outcome: Outcome = ""
    text: str = ""
    """A reason, the message of an error, or the name of a run."""
    moved: bool = False
    """Whether the cursor has moved."""
    exercise: Exercise | None = None
    """The exercise that was tried."""


DONE = Result()
