"""One thing that is wrong with a lesson."""

from __future__ import annotations

import msgspec

from tutor.i18n import _
from tutor.lesson.model import LessonError


class Finding(msgspec.Struct, frozen=True):
    """What is wrong, where, and what to do about it."""

    path: str
    line: int
    what: str
    mend: str = ""
    warning: bool = False
    """Whether the lesson may stay as it is: what depends on the machine."""

    def __str__(self) -> str:
        what = _("warning: {what}", what=self.what) if self.warning else self.what
        return str(LessonError(what, path=self.path, line=self.line, mend=self.mend))
