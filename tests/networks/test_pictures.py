"""Pictures of a network and of matrices at each size and colour depth, from real runs whose numbers are exact.

After a wanted change: `pytest tests/networks/test_pictures.py --snapshot-update`, and look at them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

import msgspec
import pytest

from tests.networks.screen_text import SIZES
from tests.worker.recording import Forker
from tutor.lesson.catalog import Target
from tutor.trace import events as ev
from tutor.trace.timeline import Timeline
from tutor.ui import theme
from tutor.ui.app import GradtutorApp

Compare = Callable[..., bool]
SCRIPTS = Path(__file__).parent / "pictures"
STATES = ("tree", "product", "optimizer", "nan", "failure")
SCRIPT_OF = {"tree": "blocks", "product": "product", "optimizer": "blocks", "nan": "root", "failure": "shapes"}
COLOURS = ("light", "16 colours", "NO_COLOR")


@pytest.fixture(scope="session")
def recorded(record: Forker) -> Callable[[str], Timeline]:
    """The recording of a script, made once."""
    return cache(lambda name: without_folder(record(SCRIPTS / f"{name}.py").timeline))


def without_folder(timeline: Timeline) -> Timeline:
    """Take the folder of the script out of what was printed: a traceback names it, and each checkout has another."""
    printed, length = timeline.contents.printed, 0
    for place, part in enumerate(printed):
        text = part.text.replace(f"{SCRIPTS}/", "")
        length += len(text)
        printed[place] = msgspec.structs.replace(part, text=text, length=length)
    return timeline


def step_of(timeline: Timeline, state: str) -> int:
    """Return the step to look at."""
    kinds = {step: timeline.kind(step) for step in range(1, timeline.steps + 1)}
    if state == "tree":
        return next(step for step, kind in kinds.items() if kind == "backward_end")
    if state == "product":
        graph = timeline.state(timeline.steps).nodes
        events = ((step, timeline.event(step)) for step in kinds)
        return next(
            step for step, event in events
            if isinstance(event, ev.Node) and graph[event.node].name.startswith("MmBackward")
        )  # fmt: skip
    operations = ((step, timeline.view(step).site) for step, kind in kinds.items() if kind == "op")
    return next(step for step, site in operations if site is not None and site.op == "add_")


def app(timeline: Timeline, state: str, language: str = "en") -> GradtutorApp:
    """Return the app on a recording of which all has been read."""
    name = f"{SCRIPT_OF[state]}.py"
    target = Target("trace", Path(name), name)
    return GradtutorApp(target, lessons=Path("lessons"), timeline=timeline, language=language)


def keys(timeline: Timeline, state: str) -> list[str]:
    """Return the keys that lead to a state."""
    if state in ("nan", "failure"):
        return ["home", "exclamation_mark"]
    return ["g", *str(step_of(timeline, state)), "enter"]


@pytest.mark.parametrize(
    ("state", "size"),
    # The column of details at 200x60 has the traceback, with the folder in which the script is.
    [pair for pair in product(STATES, SIZES) if pair != ("failure", (200, 60))],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_at_each_size(
    snap_compare: Compare, recorded: Callable[[str], Timeline], state: str, size: tuple[int, int]
) -> None:
    timeline = recorded(SCRIPT_OF[state])
    assert snap_compare(app(timeline, state), terminal_size=size, press=keys(timeline, state))


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("state", STATES)
def test_in_other_colours(
    snap_compare: Compare, recorded: Callable[[str], Timeline], monkeypatch: pytest.MonkeyPatch, state: str,
    colours: str,
) -> None:  # fmt: skip
    timeline = recorded(SCRIPT_OF[state])
    if colours == "light":
        monkeypatch.setenv("GRADTUTOR_THEME", "light")
    elif colours == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        full = theme.palette
        monkeypatch.setattr(theme, "palette", lambda name, mono, few: full(name, mono, True))
    assert snap_compare(app(timeline, state), terminal_size=(120, 40), press=keys(timeline, state))


@pytest.mark.parametrize("state", STATES)
def test_in_chinese(snap_compare: Compare, recorded: Callable[[str], Timeline], state: str) -> None:
    timeline = recorded(SCRIPT_OF[state])
    assert snap_compare(app(timeline, state, "zh"), terminal_size=(120, 40), press=keys(timeline, state))
