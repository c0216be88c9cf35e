"""Why something is not in a recording, in words: the recording holds only the facts."""

from collections.abc import Sequence

from tutor.i18n import N_, _
from tutor.trace.events import Gap

_WHY = {
    "full": N_(
        "The recording was full after {count:,} events. What ran after that is not in it, but for the charts and the "
        "state at the end."
    ),
    "printed": N_("{count:,} more characters were printed than the recording keeps."),
    "bytes": N_("{count:,} more bytes were printed by C code or child processes than are kept."),
    "damaged": N_("The recording was damaged by the program: {detail}."),
    "large": N_("An event of kind {detail} is not in the recording: it takes {count:,} bytes."),
    "unwritable": N_("An event of kind {detail} could not be written."),
    "thread": N_(
        "What runs in {detail}, another thread, is not recorded. What it leaves in tensors is, at the next statement."
    ),
    "pipe": N_(
        "The program has closed the pipe that its recording goes through (it closes all descriptors, perhaps). What "
        "ran after that is not in it."
    ),
    "operation": N_("An operation could not be recorded: {detail}."),
    "elsewhere": N_("The program starts other processes ({detail}): what runs in them is not in the recording."),
    "backward": N_(
        "A backward pass ran that was not seen to begin (in another thread, or from gradient edges): its nodes are not "
        "shown, the gradients that it wrote are."
    ),
}


_CUT = N_(
    "The recording was full at step {step:,}: what ran after that is not in it, but for what was printed, the charts "
    "and the state at the end."
)
_CUT_OFF = N_("The recording was full at step {step:,}: what ran after that is not in it.")


def told_all(gaps: Sequence[Gap], cut: int | None) -> list[str]:
    """All that is missing; `cut` is the step at which the recording was full."""
    if cut is None:
        return [told(gap) for gap in gaps]
    whole = any(gap.why == "full" for gap in gaps)
    return [_(_CUT if whole else _CUT_OFF, step=cut), *(told(gap) for gap in gaps if gap.why != "full")]


def told(gap: Gap) -> str:
    """What is missing, and why; an older recording says it in its own words."""
    text = _WHY.get(gap.why)
    why = gap.why if text is None else _(text, count=gap.count, detail=gap.detail)
    return _("{why} ({count:,} events)", why=why, count=gap.events) if gap.events > (text is not None) else why
