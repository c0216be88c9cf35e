"""What the panes tell the screen, in the past tense; the screen acts."""

from __future__ import annotations

from textual.message import Message


class TabClicked(Message):
    """A tab in the frame of a pane was clicked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class MarkMoved(Message):
    """The mark of a pane stands on another row, or on none."""


class DetailsAsked(Message):
    """Everything about a row of a pane is wanted."""

    def __init__(self, subject: str, ref: int) -> None:
        super().__init__()
        self.subject = subject
        self.ref = ref


class StepPicked(Message):
    """A step was picked on the bar of time."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step


class KeyPicked(Message):
    """A key in the footer was clicked."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action


class LessonChosen(Message):
    """A lesson in the list was opened."""

    def __init__(self, lesson: str, path: str) -> None:
        super().__init__()
        self.lesson = lesson
        self.path = path
