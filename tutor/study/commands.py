"""Which commands do something at the cursor of a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.trace import navigation

if TYPE_CHECKING:
    from tutor.study.model import Model


def is_possible(model: Model, command: str) -> bool:
    """Return whether a command, by its name, does something at the cursor."""
    timeline, step = model.timeline, model.cursor
    match command:
        case "play" | "next_pass" | "next_cell" if model.asking:
            return False
        case "forward" | "next_line" | "play" | "find" | "go":
            return timeline.steps > 0
        case "into":
            return step > 0 and navigation.into(timeline, step) is not None
        case "out":
            return step > 0 and navigation.is_inside(timeline, step)
        case "next_pass":
            return bool(timeline.passes)
        case "next_mark" | "previous_mark":
            return navigation.next_mark(timeline, 0) is not None
        case "next_cell":
            return len(timeline.cells) > 1
        case "next_iteration":
            frames = timeline.state(step).frames
            return bool(frames and frames[-1].iterations)
        case "answer":
            return model.asking or model.waiting is not None
        case "skip":
            return model.asking or (model.can_run and model.failed_cell is not None)
        case "again":
            return model.next_retry is not None
        case "reveal":
            return model.next_verdict is not None
        case "problem":
            return bool(model.problems.all(model.limit))
        case "stop":
            return model.running
        case "rerun" | "edit":
            return model.can_run
        case "knobs":
            return model.can_run and bool(model.gate.knobs)
        case "hint":
            exercise, progress = model.exercise, model.study.progress
            return (
                exercise is not None
                and exercise.id not in progress.solved
                and progress.hints.get(exercise.id, 0) < len(exercise.hints)
            )
        case "runs":
            return len(model.runs.all) > 1
        case _:
            return True
