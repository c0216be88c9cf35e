"""Which keys do something now; only those are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.ui.moves import MOVES
from tutor.ui.panes.pane import Pane

if TYPE_CHECKING:
    from tutor.ui.screens.lesson import LessonScreen


def works(screen: LessonScreen, key: str) -> bool:
    """Whether this key does something at the cursor."""
    timeline, step, focused = screen.timeline, screen.cursor, screen.focused
    match key:
        case "play" | "next_pass" | "next_cell" if screen.asking:
            return False
        case "forward" | "next_line" | "play" | "find" | "go":
            return timeline.steps > 0
        case "into" | "out" if screen.focused is screen.graph and screen.graph.can_fold(key == "into"):
            return True
        case "others":
            return screen.focused is screen.graph
        case "into":
            return step > 0 and MOVES[key](timeline, step) is not None
        case "out":
            return step > 0 and _is_inside(screen)
        case "next_pass":
            return bool(timeline.passes)
        case "next_cell":
            return len(timeline.cells) > 1
        case "next_iteration":
            frames = timeline.state(step).frames
            return bool(frames and frames[-1].iterations)
        case "details":
            return screen.asking and (not isinstance(focused, Pane) or focused.details() is None)
        case "skip":
            return screen.asking
        case "stop":
            return screen.running
        case "rerun" | "edit":
            return screen.session is not None and not screen.running
        case "knobs":
            return screen.session is not None and not screen.running and bool(screen.whatif.known_knobs)
        case "hint":
            here = screen.exercising.here
            kept = screen.study.kept
            return here is not None and here.id not in kept.solved and kept.hints.get(here.id, 0) < len(here.hints)
        case "runs":
            return len(screen.runner.runs.all) > 1
        case _:
            return True


def _is_inside(screen: LessonScreen) -> bool:
    """Whether the step is in a function, a composite operation or a backward pass."""
    timeline, step = screen.timeline, screen.cursor
    columns = timeline.columns
    return columns.frame_depths[step - 1] > 1 or columns.depths[step - 1] > 0 or timeline.pass_of(step) is not None
