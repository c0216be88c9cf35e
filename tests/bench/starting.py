"""How long one waits for the first text, and for the first step."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, alternate, in_pairs, medians
from tests.e2e.terminal import GRADTUTOR, Terminal
from tutor.lesson import catalog
from tutor.lesson.model import in_language
from tutor.paths import lessons_dir

TRIVIAL = (sys.executable, str(Path(__file__).parent / "work" / "trivial.py"))
PATIENCE = 180.0
IN_VIEW = 8
"""So many titles are on the first screen for certain."""


def fresh(home: Path) -> Path:
    """A home in which no lesson was begun, so that each begins at its first step."""
    return Path(tempfile.mkdtemp(dir=home))


def until(terminal: Terminal, *texts: str | tuple[str, ...]) -> float:
    """Seconds from the start until all these texts are on the screen; of a tuple one is enough.

    Drawing takes its time: of the first frame the texts are found in what was sent, later only changes are sent.
    """
    missing = [(text,) if isinstance(text, str) else text for text in texts]
    while missing:
        data = terminal.read(0.5)
        now = time.perf_counter()
        missing = [each for each in missing if not any(text.encode() in data for text in each)]
        terminal.draw(data)
        missing = [each for each in missing if not any(text in terminal.text for text in each)]
        if missing and (terminal.ended or now - terminal.started > PATIENCE):
            raise RuntimeError(f"{missing[0][0]!r} never came:\n{terminal.text}")
    return now - terminal.started


def run(home: Path, quick: bool = False) -> list[Figure]:
    titles = [in_language(lesson.title, "en") for lesson in catalog.load(lessons_dir()).lessons]

    def trivial() -> float:
        with Terminal(TRIVIAL, home, draws=False) as terminal:
            return until(terminal, "hello there")

    def lessons() -> float:
        with Terminal(GRADTUTOR, home, draws=False) as terminal:
            return until(terminal, *titles[:IN_VIEW])

    def step() -> float:
        with Terminal((*GRADTUTOR, "graph/two-paths"), fresh(home), draws=False) as terminal:
            until(terminal, "for the first step")
            terminal.press("right")
            return until(terminal, "step 4/")  # the first key passes the import

    def prose() -> float:
        with Terminal((*GRADTUTOR, "graph/two-paths"), fresh(home), draws=False) as terminal:
            return until(terminal, "importing torch")

    def torch() -> float:
        with Terminal((sys.executable, "-c", "import torch"), home, draws=False) as terminal:
            terminal.wait_for_end(PATIENCE)
            return time.perf_counter() - terminal.started

    for warm in (trivial, lessons, torch, step):
        warm()
    plain, listed = alternate(1 if quick else 9, trivial, lessons)
    imported, said, stepped = medians(1 if quick else 5, torch, prose, step)
    return [
        in_pairs(listed, plain, name="first text: the list of lessons", unit="s", of="a trivial Textual app",
                 target=1.25),
        Figure(name="first text of a lesson: what it waits for", measured=said, against=imported, unit="s",
               of="import torch"),
        Figure(name="first step of graph/two-paths", measured=stepped, against=imported, unit="s", of="import torch"),
    ]  # fmt: skip
