"""Exercises that are answered in a form: the form that a piece of code is, and the code of what was filled in."""

from __future__ import annotations

import pytest

from tutor.lesson import forms
from tutor.lesson.answers import AnswerError


@pytest.mark.parametrize(
    ("kind", "code", "names", "texts"),
    [
        ("gradients", 'g = {"w": ..., "y": 1.5}', ("w", "y"), ("", "1.5")),
        ("gradients", 'g = {"w": [1, -2.0]}', ("w",), ("[1, -2.0]",)),
        ("order", 'order = ["b", "a"]', (), ("b", "a")),
        ("value", "first = ...", (), ("",)),
        ("value", 'first = "logs"', (), ("logs",)),
    ],
)
def test_a_form_and_its_code(kind: str, code: str, names: forms.Texts, texts: forms.Texts) -> None:
    form = forms.read(kind, code)
    assert form is not None
    assert (form.names, form.texts, form.code) == (names, texts, code)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("gradients", "g = [1]"), ("gradients", "g = {w: 1}"), ("gradients", "x = 1\ng = {}"), ("gradients", "g ="),
        ("order", "order = ['a']"), ("value", "first = [1]"), ("fill", "first = ..."), ("value", "a.b = 1"),
    ],
)  # fmt: skip
def test_no_form(kind: str, code: str) -> None:
    assert forms.read(kind, code) is None


def test_what_is_filled_in() -> None:
    gradients, value = forms.Form("gradients", "g", ("w", "y"), ("", "")), forms.Form("value", "first", (), ("",))
    assert gradients.filled((" -3", "")).code == 'g = {"w": -3, "y": ...}'
    assert gradients.filled(("[1,2]", "none")).code == 'g = {"w": [1, 2], "y": None}'
    with pytest.raises(AnswerError):
        _ = gradients.filled(("three", "")).code
    assert value.filled((' lo"gs',)).code == 'first = "lo\\"gs"'
    assert value.filled(("2.5",)).code == "first = 2.5"
