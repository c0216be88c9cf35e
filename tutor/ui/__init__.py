"""The full-screen interface, made with Textual."""

from __future__ import annotations

from tutor.ui.start import refusal, run

__all__ = ["refusal", "run"]
