"""How much a lesson holds, from a quick scan of its file: the list of all lessons shows it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from tutor.lesson.model import HIDDEN_KINDS

_UNSEEN = re.compile(f'"({"|".join((*HIDDEN_KINDS, "hint"))})"| wrong=')
"""In the first line of a cell: not everybody reads it."""
_ELSEWHERE = re.compile(r'lang="(?!en")| front="plain"')
"""In the first line of a cell: a text for another language, or for the other front end."""
_WORD = re.compile(r"\w+")

_SECONDS_PER_WORD = 0.35
"""About 170 words a minute: explanations with names and numbers in them."""
_SECONDS_PER_LINE = 3.0
"""A line of code is stepped over, with what it computes."""
_SECONDS_PER_QUESTION = 20.0
_SECONDS_PER_EXERCISE = 150.0


class Extent(msgspec.Struct, frozen=True):
    """What a lesson holds."""

    cells: int = 0
    """Code cells that are shown."""
    questions: int = 0
    exercises: int = 0
    words: int = 0
    """Words of the prose, in English and on the screen; of texts that the run chooses from, those of the first."""
    lines: int = 0
    """Lines of the code that is shown, without blank ones."""

    @property
    def minutes(self) -> int:
        """About how long the lesson takes, at least 1."""
        seconds = (
            self.words * _SECONDS_PER_WORD + self.lines * _SECONDS_PER_LINE
            + self.questions * _SECONDS_PER_QUESTION + self.exercises * _SECONDS_PER_EXERCISE
        )  # fmt: skip
        return max(1, round(seconds / 60))


def measure(path: str) -> Extent:
    """Return the extent of the lesson in a file; an empty one if the file cannot be read."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return Extent()
    cells = questions = exercises = code_lines = 0
    prose: list[str] = []
    reads_prose = reads_code = was_conditional = False
    for line in lines:
        if line.startswith("# %%"):
            is_prose, is_shown = "[markdown]" in line, not _UNSEEN.search(line)
            if is_prose and _ELSEWHERE.search(line):
                reads_prose = reads_code = False
                continue
            is_conditional = is_prose and " when=" in line
            reads_prose = is_prose and is_shown and not (is_conditional and was_conditional)
            reads_code = not is_prose and is_shown
            was_conditional = is_conditional
            cells += reads_code
            questions += is_prose and "question=" in line
            exercises += '"exercise"' in line
        elif reads_prose:
            prose.append(line)
        elif reads_code:
            code_lines += bool(line.strip())
    return Extent(cells, questions, exercises, len(_WORD.findall("\n".join(prose))), code_lines)
