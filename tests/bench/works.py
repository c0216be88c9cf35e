"""The scripts that are recorded to see what recording costs, how long each is, and what it may cost."""

from __future__ import annotations

from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "work"


class Work(msgspec.Struct, frozen=True):
    """A script that takes its length from COUNT."""

    name: str
    file: str
    count: int
    """How long it is where it is recorded whole."""
    long: int
    """How long it is where its recording becomes full after a few hundred events."""
    short: int
    """How long it is under tools that are many times slower."""
    target: float
    """What recorded over plain should not exceed."""

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.file}.py"


WORKS = (
    Work("(a) y = wx + b", "line_with_bias", 300, 1500, 60, 4.5),
    Work("(b) a network of 1M parameters, SGD", "mlp", 50, 100, 10, 1.5),
    Work("(c) a tiny network, cross entropy, Adam", "adam", 200, 1000, 40, 4.0),
    Work("(d) a small GPT, AdamW", "gpt", 40, 200, 10, 4.0),
    Work("(e) a small CNN, SGD with momentum", "cnn", 100, 500, 20, 3.0),
    Work("(f) Python without tensors", "plain_python", 30, 300, 2, 1.5),
)
LINE = WORKS[0]
GPT = WORKS[3]
PYTHON = WORKS[5]
RECURSION = FOLDER / "recursion.py"
TRAINING = FOLDER / "training.py"
