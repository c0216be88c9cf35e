"""Record the figures that matplotlib shows or saves, drawn as cells, and the scalars that TensorBoard is to show.

A copy is drawn, as drawing changes a figure. No window opens: a backend that would open one is replaced by Agg, which
draws into memory. `show` and `pause` do not wait.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import io
import itertools
import logging
import os
import pickle
import sys
import types
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from msgspec import structs

from tutor.recorder.exceptions import is_recorder_code
from tutor.recorder.figure_contents import contents
from tutor.recorder.formulas import plain_text
from tutor.trace import drawings
from tutor.trace.events import Drawing, Figure, Gap, Picture, Point

SIZES = ((40, 7), (60, 7), (70, 12), (70, 16), (96, 22), (156, 35))
"""Columns and rows of the drawings of a figure."""
FILM_SIZES = ((40, 7), (70, 12))
"""Those of the figures of a film, which one statement shows."""
_FILM = 10
"""Number of figures of a statement that are drawn at all sizes."""
MOST_FIGURES = 200
"""Figures of a run that are recorded; of those after it, the last."""
_WITHOUT_WINDOWS = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}
_MATPLOTLIB = ("matplotlib", "mpl_toolkits")
_SHARED = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type, torch.Tensor)
"""What the copy of a figure has in common with the figure: none of it is changed by drawing, and some cannot be
copied."""


_Copy: TypeAlias = tuple[bytes, list[Any]]
"""A figure, pickled, and what the copy has in common with it."""


class FigureRecorder:
    """Records figures at `show`, `pause` and `draw`, unless they look as they did when shown last, and at `savefig`.

    Args:
        send: Sends an event.
        unseen: Returns a context in which operations are not recorded.
        is_child: Returns whether this is a forked child, which records nothing.
        with_pictures: Whether figures are recorded as pictures of pixels, too.

    Attributes:
        are_inline: Whether figures are closed when they are shown, and open ones shown at the end of a cell, as in a
            notebook.
    """

    def __init__(
        self,
        send: Callable[[Figure | Gap | Point], None],
        unseen: Callable[[], Any],
        is_child: Callable[[], bool],
        with_pictures: bool = False,
    ) -> None:
        self.are_inline = False
        self._show_all: Callable[[], None] = lambda: None
        """What `pyplot.show` is, once that is imported."""
        self._with_pictures = with_pictures
        self._send = send
        self._unseen = unseen
        self._is_child = is_child
        self._last: weakref.WeakKeyDictionary[Any, list[Drawing]] = weakref.WeakKeyDictionary()
        """By figure: its drawings when it was shown last."""
        self._drawn: weakref.WeakKeyDictionary[Any, tuple[set[int], Figure]] = weakref.WeakKeyDictionary()
        """By figure: how it was drawn last, and hashes of copies of it that look so."""
        self._times: Counter[tuple[types.CodeType, int] | None] = Counter()
        """By statement of the program: how many figures it has shown."""
        self._count = 0
        self._left_out = 0
        self._pending: tuple[bytes, list[Any], str] | None = None
        """The last figure past `MOST_FIGURES`: what `_pickled` returned, and the file that it was saved in."""
        self.patches = {
            "matplotlib._api": _attribute_warnings, "matplotlib.pyplot": self._watch_pyplot,
            "matplotlib.figure": self._watch_figures, "torch.utils.tensorboard.writer": self._watch_scalars,
            "tensorboardX.writer": self._watch_scalars,
        }  # fmt: skip
        """By the name of a module: what is to be called with it when it was imported."""

    def finish(self) -> None:
        """At the end of a run: send the last figure of those past the limit, and how many were left out."""
        if self._pending is not None:
            with self._unseen(), _quiet(), contextlib.suppress(Exception):
                self._send(_drawn(*self._pending, SIZES, self._with_pictures))
            self._send(Gap(0, "figures", self._left_out - 1))
            self._pending = None

    def end_cell(self) -> None:
        """At the end of a cell of a notebook: show the figures that are open, and close them."""
        if self.are_inline and not self._is_child():
            self._show_all()

    def show(self, value: Any) -> None:
        """Show a value that a notebook displays, if it is a figure."""
        module = sys.modules.get("matplotlib.figure")
        if module is not None and isinstance(value, module.Figure):
            self._record(value)

    # ------------------------------------------------------------ matplotlib's functions

    def _watch_pyplot(self, pyplot: Any) -> None:
        from matplotlib._pylab_helpers import Gcf

        plain_switch, plain_draw, plain_save = pyplot.switch_backend, pyplot.draw, pyplot.savefig

        @functools.wraps(plain_switch)
        def switch_backend(newbackend: Any) -> None:
            name = newbackend if isinstance(newbackend, str) else ""
            plain_switch(newbackend if name.lower() in _WITHOUT_WINDOWS else "agg")
            if name and name.lower() not in _WITHOUT_WINDOWS:
                self._send(Gap(0, "backend", detail=name))

        @functools.wraps(pyplot.show)
        def show(*args: Any, **kwargs: Any) -> None:
            for manager in Gcf.get_all_fig_managers():
                self._record(manager.canvas.figure, changed_only=True)
            if self.are_inline:
                Gcf.destroy_all()
            block = kwargs.get("block", args[0] if args else None)
            if _opens_windows() and (block or (block is None and not pyplot.isinteractive())):
                Gcf.destroy_all()  # as when all windows were closed

        @functools.wraps(pyplot.pause)
        def pause(interval: float) -> None:
            manager = Gcf.get_active()
            if manager is not None:
                figure = manager.canvas.figure
                if figure.stale or figure not in self._last:
                    self._record(figure, changed_only=True)
                if figure.stale:
                    manager.canvas.draw_idle()

        @functools.wraps(plain_save)
        def savefig(*args: Any, **kwargs: Any) -> Any:
            result = plain_save(*args, **kwargs)
            self._looks_the_same(pyplot.gcf())
            return result

        @functools.wraps(plain_draw)
        def draw() -> None:
            self._record(pyplot.gcf(), changed_only=True)
            plain_draw()

        self._show_all = show
        pyplot.switch_backend, pyplot.show, pyplot.pause = switch_backend, show, pause
        pyplot.draw, pyplot.savefig = draw, savefig

    def _watch_figures(self, module: Any) -> None:
        figure_class = module.Figure
        plain_save, plain_show = figure_class.savefig, figure_class.show

        @functools.wraps(plain_save)
        def savefig(figure: Any, fname: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(fname, str | os.PathLike):
                return plain_save(figure, fname, *args, **kwargs)
            copy = self._copied(figure)
            result = plain_save(figure, fname, *args, **kwargs)
            self._record(figure, str(fname), copy=copy)
            self._looks_the_same(figure)
            return result

        @functools.wraps(plain_show)
        def show(figure: Any, *args: Any, **kwargs: Any) -> Any:
            if figure.canvas.manager is None:
                return plain_show(figure, *args, **kwargs)
            return self._record(figure)

        figure_class.savefig, figure_class.show = savefig, show
        plain_flush = module.FigureCanvasBase.flush_events

        @functools.wraps(plain_flush)
        def flush_events(canvas: Any) -> Any:
            self._record(canvas.figure, changed_only=True)
            return plain_flush(canvas)

        module.FigureCanvasBase.flush_events = flush_events

    def _watch_scalars(self, module: Any) -> None:
        """Make what is logged with `SummaryWriter.add_scalar` a curve of the chart."""
        plain = module.SummaryWriter.add_scalar

        @functools.wraps(plain)
        def add_scalar(writer: Any, tag: str, scalar_value: Any, *args: Any, **kwargs: Any) -> Any:
            result = plain(writer, tag, scalar_value, *args, **kwargs)
            if not self._is_child():
                with self._unseen(), _quiet(), contextlib.suppress(Exception):  # it may be no number
                    value = scalar_value.detach() if isinstance(scalar_value, torch.Tensor) else scalar_value
                    self._send(Point(str(tag), float(value), logged=True))
            return result

        module.SummaryWriter.add_scalar = add_scalar

    # ------------------------------------------------------------ a figure

    def _copied(self, figure: Any) -> _Copy | Exception:
        """Return a copy of a figure, or why it cannot be copied."""
        with self._unseen(), _quiet():
            try:
                return _pickled(figure)
            except Exception as error:
                return error

    def _looks_the_same(self, figure: Any) -> None:
        """Take note that saving, which draws a figure, has not changed its looks: it need not be drawn again."""
        copy = self._copied(figure)
        if figure in self._drawn and isinstance(copy, tuple):
            self._drawn[figure][0].add(hash(copy[0]))

    def _record(
        self, figure: Any, file: str = "", *, changed_only: bool = False, copy: _Copy | Exception | None = None
    ) -> None:
        """Send a figure as it was when it was copied; with `changed_only`, unless it looks as when shown last."""
        if self._is_child() or len(figure.get_children()) < 2:  # its ground alone
            return
        copy = copy or self._copied(figure)
        if isinstance(copy, Exception):
            self._send(_undrawn(figure, copy, file))
            return
        if self._count >= MOST_FIGURES:
            self._left_out += 1
            self._pending = *copy, file
            return
        statement, number = _statement(), hash(copy[0])
        with self._unseen(), _quiet():
            try:
                sizes = SIZES if self._times[statement] < _FILM else FILM_SIZES
                if figure not in self._drawn or number not in self._drawn[figure][0]:
                    self._drawn[figure] = {number}, _drawn(*copy, file, sizes, self._with_pictures)
                drawn = structs.replace(self._drawn[figure][1], file=file)
            except Exception as error:
                self._send(_undrawn(figure, error, file))
                return
        if changed_only and figure in self._last and self._last[figure][:1] == drawn.drawings[:1]:
            return
        if not file:
            self._last[figure] = drawn.drawings
        self._times[statement] += 1
        self._count += 1
        self._send(drawn)


def _undrawn(figure: Any, error: Exception, file: str) -> Figure:
    """Return the event of a figure that cannot be drawn."""
    return Figure([], title=_title(figure), left_out=[f"{type(error).__name__}: {error}"], file=file)


def _drawn(data: bytes, shared: list[Any], file: str, sizes: Sequence[tuple[int, int]], with_pictures: bool) -> Figure:
    """Return the event of a figure that `_pickled` has copied."""
    from tutor.recorder import cell_renderer, pictures

    copy = _Unpickler(data, shared).load()
    subplots, title = contents(copy), _title(copy)
    cells, left_out = cell_renderer.draw(copy, sizes)
    drawn: list[Picture] = []
    if with_pictures:
        with contextlib.suppress(Exception):  # what cannot be drawn is left out of the cells alone, which are there
            drawn = pictures.draw(_Unpickler(data, shared).load(), sizes)
    packed = [drawings.pack(*drawing) for drawing in cells]
    return Figure([], packed, title, subplots, left_out, file, drawn)


def _statement() -> tuple[types.CodeType, int] | None:
    """Return the code and line of the program that has called matplotlib; None at the end of a cell."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and (is_recorder_code(frame.f_code) or _package(frame) in _MATPLOTLIB):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lineno)


def _attribute_warnings(api: Any) -> None:
    """Make matplotlib's warnings, which name the first frame outside of it, pass over the recorder's frames too."""

    @functools.wraps(api.warn_external)
    def warn_external(message: Any, category: Any = None) -> None:
        level = 1
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None and (is_recorder_code(frame.f_code) or _package(frame) in _MATPLOTLIB):
            level += not is_recorder_code(frame.f_code)
            frame = frame.f_back
        warnings.warn(message, category, level)

    api.warn_external = warn_external


def _package(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _title(figure: Any) -> str:
    """Return the title of a figure: of all of it, else of its first axes that have one."""
    titles = [figure.get_suptitle(), *(axes.get_title(loc=at) for axes in figure.axes for at in ("center", "left"))]
    return plain_text(next((title for title in titles if title), ""))


def _opens_windows() -> bool:
    """Return whether a plain run would open windows."""
    from matplotlib import _c_internal_utils

    has_display = getattr(_c_internal_utils, "display_is_valid", lambda: False)
    return bool(has_display())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let drawing warn of nothing: the program's own drawing does."""
    warn, disabled = warnings.warn, logging.root.manager.disable
    warnings.warn = lambda *args, **kwargs: None
    logging.disable(logging.CRITICAL)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        warnings.warn = warn
        logging.disable(disabled)


def _pickled(figure: Any) -> _Copy:
    """Return a copy of a figure as bytes, and what it has in common with it."""
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    pickler.dump(figure)
    return stream.getvalue(), pickler.shared


class _Pickler(pickle.Pickler):
    """Pickles a figure, which pyplot is not to know of when it is read again."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self.shared: list[Any] = []

    def persistent_id(self, item: Any) -> int | None:
        if not isinstance(item, _SHARED):
            return None
        self.shared.append(item)
        return len(self.shared) - 1

    def reducer_override(self, item: Any) -> Any:
        from matplotlib.cbook import CallbackRegistry
        from matplotlib.figure import Figure as Figures

        if not isinstance(item, Figures | CallbackRegistry):
            return NotImplemented
        state: Any = item.__getstate__()
        state.pop("_restore_to_pylab", None)
        if isinstance(number := state.get("_cid_gen"), int):  # a number that it has drawn from the registry
            item._cid_gen = itertools.count(number)
        return copyreg.__newobj__, (type(item),), state  # type: ignore[attr-defined]


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, shared: list[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._shared = shared

    def persistent_load(self, number: int) -> Any:
        return self._shared[number]
