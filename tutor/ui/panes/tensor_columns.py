"""The columns of the tensors pane."""

from __future__ import annotations

from tutor.i18n import N_
from tutor.ui.render.table import ROOMY, Column

Columns = tuple[Column, ...]

FLAT: Columns = (
    Column(" ", 17, 0, 60, 6),
    Column(N_("value"), 10, 0, 44, 8),
    Column("shape", 6, 4, 14),
    Column("dtype", 5, 10, 10, 7),
    Column("dev", 3, 11, 8),
    Column(N_("leaf"), 4, 2, centred=True),
    Column("req", 3, 8, centred=True),
    Column("grad_fn", 7, 9, 24, 8),
    Column("grad", 9, 0, 44, 7),
)
"""Columns where there is no module."""
BY_MODULE: Columns = (
    Column(" ", 12, 0, 60, 6, whole=True),
    Column("shape", 5, 3, 14, whole=True),
    Column(N_("value"), 9, 1, 30),
    Column("|grad|", 7, 0, 10, 7, whole=True),
    Column("", 4, 2, 10, 10),
    Column("dtype", 5, 10, 10, 7),
    Column("dev", 3, 11, 8),
    Column("req", 3, 9, centred=True),
    Column("grad_fn", 7, 8, 24, 8),
)
"""Columns of the tree."""
BY_MEMORY: Columns = (
    *BY_MODULE[:2],
    Column(N_("bytes"), 5, 2, 14, whole=True),
    Column(N_("kept by autograd"), 8, 0, 20, 8, whole=True),
    *BY_MODULE[5:],
)
"""Columns of the tree when it is sorted by memory."""
_DTYPE_THAT_DIFFERS = Column("dtype", 5, 3, 10, 7)
"""The column in place of the one above where tensors differ in it and there is room for it."""
GRADIENT_COLUMNS = (N_("leaf"), "req", "grad_fn", "grad", "|grad|", "")
CHANGE = Column(N_("change"), 7, 1, 16)
"""Difference from the previous run, if there is one."""
_SHORT_BAR = Column("", 4, 2, 5, 5)


def columns_of(kind: Columns, cells: int, with_change: bool, with_dtype: bool = False) -> Columns:
    """Return the columns of a pane `cells` wide; `with_dtype` keeps the dtype before others.

    In a narrow pane a value has the cells of half a bar: its range says more.
    """
    columns = (*kind[:4], _SHORT_BAR, *kind[5:]) if kind is BY_MODULE and cells < ROOMY else kind
    if kind is FLAT and with_dtype:
        columns = tuple(_DTYPE_THAT_DIFFERS if column.title == "dtype" else column for column in columns)
    return (*columns[:2], CHANGE, *columns[2:]) if with_change else columns
