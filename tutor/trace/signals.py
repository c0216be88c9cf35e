"""How a process was ended, by name."""

import contextlib
import signal


def signal_name(number: int) -> str:
    """A signal as C calls it."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
