"""Which picture of a figure the terminal shows, and how it gets it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tutor.trace.drawings import largest_that_fits, unpack_picture
from tutor.ui.render.pictures import MOST_COLUMNS, MOST_ROWS, Rgb, kitty, png, recoloured, sixel
from tutor.ui.terminal_cells import ShownPicture

if TYPE_CHECKING:
    from textual.app import App

    from tutor.trace.events import Picture

_CELL = 10, 20
"""Pixels of a cell where they are not known: those of the terminal that sixels are from, which others imitate."""
_NUMBER = 0x670000 + os.getpid() % 0x10000
"""The number of our pictures in kitty's protocol, unlikely to be another program's."""


class Terminal(Protocol):
    """What a terminal that shows pictures does."""

    def show_picture(self, picture: ShownPicture, data: str = "") -> None:
        """Let marks stand for a picture, once the terminal was given `data`."""

    def cell_size(self) -> tuple[int, int]:
        """Return the width and height of a cell in pixels; 0 if they are not known."""


class Fitting(NamedTuple):
    """A picture, and the cells that it takes."""

    picture: Picture
    columns: int
    rows: int


class Pictures:
    """The pictures of a terminal.

    Args:
        protocol: kitty, sixel, or none for a terminal that shows no pictures.
    """

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.terminal: Terminal | None = None
        """The terminal, once it is there."""
        self._shown: tuple[Picture, int, int, tuple[Rgb, Rgb] | None] | None = None

    @property
    def are_shown(self) -> bool:
        """Whether the terminal shows pictures."""
        return self.protocol != "none" and self.terminal is not None

    def fitting(self, pictures: Sequence[Picture], columns: int, rows: int) -> Fitting | None:
        """Return the largest picture of a figure that fits into `columns` by `rows` cells; None if none fits."""
        if not self.are_shown or self.terminal is None:
            return None
        columns, rows = min(columns, MOST_COLUMNS), min(rows, MOST_ROWS)
        if self.protocol == "kitty":  # which fits a picture into the cells that it is given
            picture = largest_that_fits(pictures, columns, rows)
            return None if picture is None else Fitting(picture, picture.columns, picture.rows)
        wide, high = (size or usual for size, usual in zip(self.terminal.cell_size(), _CELL, strict=True))
        sizes = (Fitting(picture, -(-picture.width // wide), -(-picture.height // high)) for picture in pictures)
        fitting = [size for size in sizes if size.columns <= columns and size.rows <= rows]
        return max(fitting, key=lambda size: size.columns * size.rows, default=None)

    def show(self, fitting: Fitting, ground_and_ink: tuple[Rgb, Rgb] | None) -> None:
        """Give a picture to the terminal, unless it has it.

        Args:
            fitting: The picture, whose marks stand in the cells.
            ground_and_ink: What white and black become; None where they stay.

        Raises:
            WireError: The picture is damaged.
        """
        picture, columns, rows = fitting
        if self.terminal is None or self._shown == (*fitting, ground_and_ink):
            return
        pixels = unpack_picture(picture)
        colours = picture.colours if ground_and_ink is None else recoloured(picture.colours, *ground_and_ink)
        if self.protocol == "kitty":
            data = kitty(_NUMBER, columns, rows, png(picture.width, picture.height, colours, pixels))
            self.terminal.show_picture(ShownPicture(columns, rows, number=_NUMBER), data)
        else:
            sixels = sixel(picture.width, picture.height, colours, pixels)
            self.terminal.show_picture(ShownPicture(columns, rows, sixels))
        self._shown = (*fitting, ground_and_ink)


_NONE = Pictures("none")


def pictures_of(app: App[object]) -> Pictures:
    """Return the pictures of the app's terminal."""
    pictures = getattr(app, "pictures", _NONE)
    assert isinstance(pictures, Pictures)
    return pictures
