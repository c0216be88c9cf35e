"""A derivative measured by running the program again, beside what autograd found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutor.i18n import N_, _
from tutor.trace.state import TensorState
from tutor.trace.values import elements, number
from tutor.ui.about.choosing import Choice
from tutor.ui.about.page import Page
from tutor.ui.draw.phrase import phrase
from tutor.ui.reading import grad_of

if TYPE_CHECKING:
    from tutor.session.finite_differences import Difference
    from tutor.session.session import Session
    from tutor.trace.timeline import Timeline

_LETTERS = 6
"""A longer name is w in the formula."""
_FAR = 0.01
"""A larger relative error is pointed out."""


class Measuring:
    """One measurement at a time, and what came of the last."""

    def __init__(self, session: Session | None, timeline: Timeline, step: int, tensor: TensorState) -> None:
        self._session, self._timeline, self._step, self._tensor = session, timeline, step, tensor
        self.running = False
        self._index = ""
        self._found: Difference | None = None
        self._problem = ""

    @property
    def possible(self) -> bool:
        """Whether there is anything to measure here: only leaves have a `.grad` that autograd sums up."""
        return bool(self._tensor.is_leaf) and self._tensor.requires_grad

    async def measure(self, choice: Choice) -> None:
        """Measure the chosen element, or the one with the largest gradient."""
        from tutor.session.finite_differences import DifferenceError, difference

        self._found, self._problem = None, ""
        if self._session is None:
            self._problem = _(
                "A derivative is measured by running the program again, and this is only a recording of it: "
                "open the script itself, then f measures."
            )
            return
        element = choice.element if choice.element is not None else self._steepest()
        self._index = f"[{', '.join(map(str, choice.index(element)))}]" if choice.possible else ""
        try:
            self._found = await difference(self._session, self._timeline, self._step, self._tensor.tensor, element)
        except DifferenceError as error:
            self._problem = str(error)

    def _steepest(self) -> int:
        """The element with the largest gradient."""
        grad = grad_of(self._timeline.state(self._step), self._tensor)
        flat = elements(grad.value) if grad is not None else None
        return max(range(len(flat)), key=lambda at: abs(flat[at])) if flat else 0

    def write(self, page: Page, name: str) -> None:
        """What is known of it."""
        if not self.possible:
            return
        page.heading(_("measured by finite differences"))
        page.measured = len(page.rows) - 1
        if self.running:
            text = N_("measuring {more} the program runs again with {what} a little changed")
            page.say(_(text, more=page.glyphs.more, what=f"{name}{self._index}"))
        elif self._problem:
            page.say(self._problem[:1].upper() + self._problem[1:], "plain")
        elif self._found is None:
            text = N_("{f} measures the derivative: the program runs again with a nudged input")
            page.add(tuple(phrase(text, f=("f", "key"))))
        else:
            self._result(page, name, self._found)

    def _result(self, page: Page, name: str, found: Difference) -> None:
        drawn = page.glyphs.text
        what, middle = f"{name}{self._index}", (found.down + found.up) / 2
        nudge = (found.up - found.down) / 2
        minus, letter = drawn("−"), name if len(name) <= _LETTERS else "w"
        text = N_("{what} = {value}, by h = {nudge}")
        page.fact(_("nudged"), _(text, what=what, value=_plain(middle), nudge=_plain(nudge)))
        page.fact(f"L({letter} + h)", _exact(found.high), "value")
        page.fact(f"L({letter} {minus} h)", _exact(found.low), "value")
        page.fact(
            _("measured"),
            f"(L({letter} + h) {minus} L({letter} {minus} h)) / 2h = "
            f"({_exact(found.high)} {minus} {_exact(found.low)}) / {_plain(2 * nudge)} = {_plain(found.measured)}",
            "strong",
        )
        page.fact("autograd", _("{value} in this pass", value=_plain(found.autograd)), "grad")
        share = f"{100 * found.error:.2g} %"
        if found.error > _FAR:
            text = N_("{share}: a kink, too large a nudge, or a gradient that is not this derivative")
            page.fact(_("apart by"), _(text, share=share), "error")
        else:
            page.fact(_("apart by"), share, "leaf")


def _plain(value: float) -> str:
    return number(float(f"{value:.6g}"))


def _exact(value: float) -> str:
    """With all the digits that tell two close numbers apart."""
    return number(value, ".9g", "")
