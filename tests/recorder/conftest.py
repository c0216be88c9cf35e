"""What tests of the recorder's parts begin with."""

from __future__ import annotations

import pytest

from tests.recorder.parts import Parts


@pytest.fixture
def parts() -> Parts:
    return Parts()
