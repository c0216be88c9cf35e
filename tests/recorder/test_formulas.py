"""Matplotlib's formulas in the characters of a terminal."""

from __future__ import annotations

import pytest

from tutor.recorder.formulas import plain_text

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("no formula, 5 $", "no formula, 5 $"),
        (r"$\mathdefault{10^{-3}}$", "10⁻³"),
        (r"fit $y = w x_{1} + b$", "fit y = w x₁ + b"),
        (r"$\alpha \leq \frac{\partial L}{\partial w_1}$ of $\theta^{t+1}$", "α≤∂L/∂w₁ of θᵗ⁺¹"),
        (r"$w^{new}$", "w^new"),
        (r"costs 5\$ and $\sigma$", "costs 5$ and σ"),
    ],
)
def test_formulas(formula: str, text: str) -> None:
    assert plain_text(formula).replace(" ", "") == text.replace(" ", "")
