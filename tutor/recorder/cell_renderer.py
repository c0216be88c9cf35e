"""Draw a matplotlib figure as the cells of a terminal: its text as text, its lines and markers as braille dots.

A cell is two by four pixels, those of a braille character, and at `DPI` pixels per inch a letter of ten points is as
large as a cell. So matplotlib's own layout places text on the grid of cells. Agg draws everything else: strokes and
small shapes (markers) as dots, areas and images as grounds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase, RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from tutor.recorder.formulas import plain_text
from tutor.text_width import width
from tutor.trace.drawings import DEFAULT_INK, NO_GROUND, QUADRANTS, QUIET_INK, Cells

DPI = 28.8
WIDE, HIGH = 2, 4
"""Pixels of a cell."""
_POINT = DPI / 72
_SMALL = 7.0
"""Markers up to this many pixels wide and high are drawn as dots."""
_LEAST_AREA = 4.0
"""So are other shapes."""
_FRAME = (0.49, 0.53, 0.59)
"""The colour of axes in the figure that is drawn: it is drawn as `QUIET_INK`."""
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot in the number of a braille character."""
_MARGIN = 10
"""Lines are drawn up to this many pixels outside of the figure."""
_EVEN = 40
"""Grounds of a cell that differ by less than this, of 255, are drawn as one."""


def draw(figure: Any, sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int, Cells]], list[str]]:
    """Draw a figure, which is changed: give a copy.

    Args:
        figure: The matplotlib figure.
        sizes: Columns and rows, the smallest first.

    Returns:
        For each size that has room for the figure, columns, rows and the rows of cells; and what could not be drawn.
    """
    drawings, left_out = [], []
    figure.set_dpi(DPI)
    labels = _simplify(figure)
    for columns, rows in sizes:
        figure.set_size_inches(WIDE * columns / DPI, HIGH * rows / DPI)
        _set_upright(labels, rows)
        renderer = _CellRenderer(figure, columns, rows)
        _Canvas(figure, renderer)
        try:
            figure.draw(renderer)
        except Exception:
            left_out += _leave_out_failing(figure, renderer)
            renderer.clear()
            figure.draw(renderer)
        left_out += renderer.left_out
        if columns == sizes[-1][0] or has_room(figure, 6 * WIDE, 2 * HIGH):
            drawings.append((columns, rows, renderer.cells()))
    return drawings, list(dict.fromkeys(left_out))


def has_room(figure: Any, width: int, height: int) -> bool:
    """Return whether all axes are large enough to show something, in dots of the figure as it was drawn last."""
    boxes = [axes.get_window_extent() for axes in figure.axes if not hasattr(axes, "_colorbar")]
    return all(box.height >= height and box.width >= width for box in boxes)


class _Canvas(FigureCanvasBase):
    """A canvas that gives the figure's layout our renderer."""

    def __init__(self, figure: Any, renderer: _CellRenderer) -> None:
        super().__init__(figure)
        self._renderer = renderer

    def get_renderer(self) -> _CellRenderer:
        return self._renderer


def _draw_nothing(renderer: Any) -> None:
    """Stand in for the `draw` of an artist that fails, and may not ask whether it is visible."""


def _leave_out_failing(figure: Any, renderer: _CellRenderer) -> list[str]:
    """Leave out what raises an exception when it is drawn; return the names of its classes."""
    failing = []
    for axes in figure.axes:
        for artist in axes.get_children():
            try:
                artist.draw(renderer)
            except Exception:
                failing.append(type(artist).__name__)
                artist.set_visible(False)
                artist.set_in_layout(False)
                artist.draw = _draw_nothing
    return failing


# ------------------------------------------------------------ what is simpler in cells


def _simplify(figure: Any) -> list[tuple[Any, str]]:
    """Prepare a figure for cells: no backgrounds, no grid, no tick marks.

    Returns:
        The vertical labels of axes, with their texts.
    """
    labels: list[tuple[Any, str]] = []
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
        if axes.name != "3d":
            axes.grid(False, which="both")
            axes.tick_params(which="both", length=0, pad=2, labelsize=10, labelrotation=0)
            axes.xaxis.labelpad, axes.yaxis.labelpad = 0, 1.5 * WIDE / _POINT
            for place in ("left", "center", "right"):
                if title := axes.get_title(loc=place):
                    axes.set_title(title, loc=place, pad=1, va="bottom")
            label = axes.yaxis.label
            if label.get_text() and label.get_rotation() % 180:
                labels.append((axes.yaxis, plain_text(label.get_text())))
        for spine in axes.spines.values():
            spine.set_edgecolor(_FRAME)
            spine.set_linewidth(0.8)
        if (legend := axes.get_legend()) is not None:
            legend.get_frame().set_linewidth(0)
            _set_close(legend)
    for text in figure.findobj(Text):
        text.set_fontsize(10)
        text.set_linespacing(1.0)
        text.set_path_effects([])
    fit_all_text(figure)
    return labels


def fit_all_text(figure: Any) -> None:
    """Set the layout that makes room for all text, at whatever size the figure is drawn."""
    # It does not take colour bars that were made under another.
    has_bars = any(hasattr(axes, "_colorbar") for axes in figure.axes)
    engine = figure.get_layout_engine()
    if not has_bars:
        figure._layout_engine = None
        figure.set_layout_engine("constrained")
    elif engine is None or engine.colorbar_gridspec:
        figure.set_layout_engine("tight", pad=0.3)


def _set_close(box: Any) -> None:
    """Remove the space between the rows of a legend: half of a row is none."""
    from matplotlib.offsetbox import VPacker

    for packer in box.findobj(VPacker):
        packer.sep = 0


def _set_upright(labels: list[tuple[Any, str]], rows: int) -> None:
    """Stack the letters of the labels of vertical axes, and cut those that are too long for a figure of `rows`."""
    for axis, text in labels:
        height = axis.axes.get_subplotspec().get_position(axis.figure).height if axis.axes.get_subplotspec() else 1.0
        room = max(round(height * rows) - 1, 1)
        letters = text if len(text) <= room else text[: room - 1] + "…"
        right = axis.get_label_position() == "right"
        axis.label.set(
            text="\n".join(letters), rotation=0, va="center", ha="left" if right else "right",
            multialignment="center",
        )  # fmt: skip


# ------------------------------------------------------------ the renderer


class _CellRenderer(RendererBase):
    """A renderer of cells: `columns` by `rows`."""

    def __init__(self, figure: Any, columns: int, rows: int) -> None:
        super().__init__()
        self.columns, self.rows = columns, rows
        self.width, self.height = WIDE * columns, HIGH * rows
        self._dots, self._fills, self._scratch = (RendererAgg(self.width, self.height, DPI) for _ in range(3))
        self._faces = [to_rgb(figure.get_facecolor()), *(to_rgb(axes.get_facecolor()) for axes in figure.axes)]
        """The colours of the figure's and its axes' grounds: what is filled with one only hides what is below."""
        self.clear()

    def clear(self) -> None:
        """Remove all that is drawn."""
        self._dots.clear()
        self._fills.clear()
        self.left_out: list[str] = []
        self._texts: list[tuple[int, int, str, tuple[float, ...]]] = []
        self._taken: set[tuple[int, int]] = set()
        self._groups: list[str] = []

    # -------------------------------------------------------- asked by matplotlib

    def get_canvas_width_height(self) -> tuple[int, int]:
        return self.width, self.height

    def points_to_pixels(self, points: Any) -> Any:
        return points * _POINT

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[int, int, int]:
        return WIDE * max(width(plain_text(s) if ismath else s), 1), HIGH, 0

    def _get_font_height_metrics(self, prop: Any) -> tuple[float, float, float]:
        """Return ascent, descent and gap of a line (matplotlib 3.11 and newer: without it, a font is read)."""
        return HIGH, 0.0, 0.0

    def open_group(self, s: str, gid: str | None = None) -> None:
        self._groups.append(s)

    def close_group(self, s: str) -> None:
        if self._groups:
            self._groups.pop()

    # -------------------------------------------------------- shapes

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        fill = _opaque(rgbFace)
        size = _size(path.transformed(transform)) if fill is not None else (0.0, 0.0)
        if fill is not None and max(size) > _LEAST_AREA:
            self._fill(gc, path, transform, fill)
            if min(size) <= _SMALL:  # the edge would hide the area
                return
            fill = None
        if fill is not None:
            with self._stroking(gc, filled=True) as stroke:
                self._dots.draw_path(stroke, path, transform, fill)
        elif _has_stroke(gc):
            self._stroke(gc, path, transform)

    def draw_markers(
        self, gc: Any, marker_path: Any, marker_trans: Any, path: Any, trans: Any, rgbFace: Any = None
    ) -> None:
        fill = _opaque(rgbFace)
        if max(_size(marker_path.transformed(marker_trans))) > _SMALL:
            super().draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)
            return
        if fill is None and not _has_stroke(gc):
            return
        with self._stroking(gc, filled=fill is not None) as stroke:
            self._dots.draw_markers(stroke, marker_path, marker_trans, path, trans, fill)
        points = [vertices[-2:] for vertices, _ in path.iter_segments(trans, simplify=False) if len(vertices)]
        self._stamp(gc, np.array(points, float).reshape(-1, 2), [gc.get_rgb() if fill is None else fill])

    def draw_path_collection(
        self, gc: Any, master_transform: Any, paths: Any, all_transforms: Any, offsets: Any, offset_trans: Any,
        facecolors: Any, edgecolors: Any, linewidths: Any, linestyles: Any, antialiaseds: Any, urls: Any,
        offset_position: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        raw = [path.transformed(transform) for path, transform in
               self._iter_collection_raw_paths(master_transform, paths, all_transforms)]  # fmt: skip
        points = offset_trans.transform(offsets)
        if len(points) > 1 and raw and max(max(_size(path)) for path in raw[:100]) <= _SMALL:
            filled = len(facecolors) > 0
            with self._stroking(gc, filled=filled) as stroke:
                self._dots.draw_path_collection(
                    stroke, master_transform, paths, all_transforms, offsets, offset_trans, facecolors,
                    np.zeros((0, 4)) if filled else edgecolors, [1 / _POINT], linestyles, [False], urls,
                    offset_position, **kwargs,
                )  # fmt: skip
            self._stamp(gc, np.asarray(points), facecolors if filled else edgecolors)
            return
        super().draw_path_collection(
            gc, master_transform, paths, all_transforms, offsets, offset_trans, facecolors, edgecolors, linewidths,
            linestyles, antialiaseds, urls, offset_position, **kwargs,
        )  # fmt: skip

    def draw_quad_mesh(
        self, gc: Any, master_transform: Any, meshWidth: Any, meshHeight: Any, coordinates: Any, offsets: Any,
        offsetTrans: Any, facecolors: Any, antialiased: Any, edgecolors: Any,
    ) -> None:  # fmt: skip
        self._fills.draw_quad_mesh(
            gc, master_transform, meshWidth, meshHeight, coordinates, offsets, offsetTrans, facecolors, False,
            facecolors,
        )  # fmt: skip

    def draw_gouraud_triangles(self, gc: Any, triangles_array: Any, colors_array: Any, transform: Any) -> None:
        self._fills.draw_gouraud_triangles(gc, triangles_array, colors_array, transform)

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        self._fills.draw_image(gc, x, y, im)

    def _fill(self, gc: Any, path: Any, transform: Any, colour: Any) -> None:
        """Fill an area, and remove the dots that an opaque one hides."""
        fill = self.new_gc()
        fill.copy_properties(gc)
        fill.set_linewidth(0)
        fill.set_antialiased(False)
        if gc.get_hatch() is not None:
            fill.set_hatch(None)
            self._leave_out("hatch")
        is_face = any(max(abs(a - b) for a, b in zip(colour[:3], face, strict=True)) < 0.02 for face in self._faces)
        alpha = gc.get_alpha() if gc.get_forced_alpha() or len(colour) == 3 else colour[3]
        if alpha >= 0.5:
            self._scratch.clear()
            self._scratch.draw_path(fill, path, transform, (*colour[:3], 1.0))
            mask = _pixels(self._scratch)[..., 3] > 127
            _pixels(self._dots)[mask, 3] = 0
            if is_face:
                _pixels(self._fills)[mask, 3] = 0
        if not is_face:
            self._fills.draw_path(fill, path, transform, colour)

    def _stroke(self, gc: Any, path: Any, transform: Any) -> None:
        """Draw lines a dot wide, or as wide as they are if that is more."""
        if gc.get_linewidth() * _POINT >= 2 or gc.get_clip_path()[0] is not None:
            with self._stroking(gc, filled=False) as stroke:
                self._dots.draw_path(stroke, path, transform)
            return
        around = (-_MARGIN, -_MARGIN, self.width + _MARGIN, self.height + _MARGIN)
        lines = path.cleaned(transform, remove_nans=True, clip=around, curves=False)
        is_line = lines.codes[1:] == path.LINETO
        starts, ends = lines.vertices[:-1][is_line], lines.vertices[1:][is_line]
        if not len(starts):
            return
        counts = np.maximum(np.ceil(np.abs(ends - starts).max(1)), 1).astype(int)
        of_line = np.repeat(np.arange(len(counts)), counts)
        share = (np.arange(len(of_line)) - np.repeat(counts.cumsum() - counts, counts)) / counts[of_line]
        points = starts[of_line] + (ends - starts)[of_line] * share[:, None]
        points = np.vstack([points, ends[-1:]])
        offset, dashes = gc.get_dashes()
        if dashes is not None and len(dashes):
            lengths = np.maximum(np.array(dashes, float) * _POINT, 2).round()
            travelled = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
            at = np.searchsorted(lengths.cumsum(), (travelled + offset * _POINT) % lengths.sum(), side="right")
            points = points[at % 2 == 0]
        self._stamp(gc, points, [gc.get_rgb()])

    @contextlib.contextmanager
    def _stroking(self, gc: Any, *, filled: bool) -> Iterator[Any]:
        """Yield a context for dots: a pixel is one or not, and a line has the width of one at least."""
        stroke = self.new_gc()
        stroke.copy_properties(gc)
        stroke.set_antialiased(False)
        stroke.set_hatch(None)
        stroke.set_alpha(1.0)
        stroke.set_linewidth(0 if filled else max(gc.get_linewidth(), 1 / _POINT))
        offset, dashes = gc.get_dashes()
        if dashes is not None and len(dashes):  # a gap of less than a dot closes
            stroke.set_dashes(offset, [max(float(length), 2 / _POINT) for length in dashes])
        yield stroke
        stroke.restore()

    def _stamp(self, gc: Any, points: Any, colours: Any) -> None:
        """Draw a dot at each point, in colours that repeat: the smallest marker is seen."""
        clip = gc.get_clip_rectangle()
        x0, y0, x1, y1 = (0.0, 0.0, self.width, self.height) if clip is None else clip.extents
        with np.errstate(invalid="ignore"):
            inside = (points[:, 0] >= x0) & (points[:, 0] <= x1) & (points[:, 1] >= y0) & (points[:, 1] <= y1)
        if not len(colours) or not inside.any():
            return
        kept = points[inside]
        columns = np.clip(kept[:, 0].astype(int), 0, self.width - 1)
        lines = np.clip(self.height - 1 - kept[:, 1].astype(int), 0, self.height - 1)
        rgb = np.array([list(colour[:3]) for colour in colours], float)[np.nonzero(inside)[0] % len(colours)]
        _pixels(self._dots)[lines, columns] = np.column_stack([np.round(255 * rgb), np.full(len(rgb), 255)])

    def _leave_out(self, what: str) -> None:
        if what not in self.left_out:
            self.left_out.append(what)

    # -------------------------------------------------------- text

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        text = plain_text(s) if ismath else s
        size = width(text)
        across, up = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        # The middle of the text, whatever its angle: letters are upright.
        middle = x + (WIDE * size / 2) * across - HIGH / 2 * up
        line = y - (WIDE * size / 2) * up - HIGH / 2 * across
        row = _whole(line / HIGH - 0.5, mtext.get_verticalalignment() if mtext is not None else "")
        column = round(middle / WIDE - size / 2)
        column = min(max(column, 0), max(self.columns - size, 0))
        around = {(row, place) for place in range(column - 1, column + size + 1)}
        if {"xtick", "ytick"} & {*self._groups} and self._taken & around:
            return  # a label among too many
        self._taken |= {(row, column + place) for place in range(size)}
        if 0 <= row < self.rows:
            self._texts.append((row, column, text, tuple(gc.get_rgb()[:3])))

    def draw_tex(self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, *, mtext: Any = None) -> None:
        self.draw_text(gc, x, y, s, prop, angle, ismath=True)

    # -------------------------------------------------------- cells

    def cells(self) -> Cells:
        """Return the rows of what is drawn."""
        dots = _by_cell(_pixels(self._dots), self.rows, self.columns)
        codes = (np.where(dots[..., 3] > 0, _BITS, 0)).sum((2, 3))
        shapes, inks, grounds = self._areas()
        rows: list[list[list[Any]]] = []
        for row in range(self.rows):
            cells: list[list[Any]] = [list(cell) for cell in zip(shapes[row], inks[row], grounds[row], strict=True)]
            for column in np.nonzero(codes[row])[0].tolist():
                ground = cells[column][2] if cells[column][0] == " " else _denser(cells[column])
                cells[column] = [chr(0x2800 + codes[row, column]), self._ink_of(dots[row, column], ground), ground]
            rows.append(cells)
        for row, first, text, colour in self._texts:
            self._write(rows[row], first, text, colour)
        return [_runs(cells) for cells in rows]

    def _write(self, cells: list[list[Any]], column: int, text: str, colour: tuple[float, ...]) -> None:
        for char in text:
            size = width(char)
            if not size or column + size > len(cells):
                continue
            ground = _denser(cells[column]) if cells[column][0] in QUADRANTS[1:] else cells[column][2]
            cells[column] = [char, self._ink(np.round(255 * np.array(colour)).astype(int), ground), ground]
            for place in range(column + 1, column + size):
                cells[place] = ["", *cells[column][1:]]
            column += size

    def _areas(self) -> tuple[list[list[str]], list[list[int]], list[list[int]]]:
        """Return the character, ink and ground of each cell by the areas in it: quarters of two colours at most."""
        pixels = _by_cell(_pixels(self._fills), self.rows, self.columns).astype(float)
        halves = np.stack([pixels[:, :, top : top + 2, left] for top in (0, 2) for left in (0, 1)], 2)
        weights = halves[..., 3:]
        quarters = np.concatenate([halves[..., :3] * weights, weights], -1).sum(3)
        quarters[..., :3] /= np.maximum(quarters[..., 3:], 1)
        covered = (weights > 0).sum(3)
        quarters[..., 3:] /= np.maximum(covered, 1)
        quarters[covered[..., 0] == 0] = 0
        pairs = [(a, b) for a in range(4) for b in range(a)]
        distances = np.stack([np.abs(quarters[:, :, a] - quarters[:, :, b]).max(-1) for a, b in pairs], -1)
        first, second = (np.array([pair[side] for pair in pairs])[distances.argmax(-1)] for side in (0, 1))
        at = np.indices(first.shape)
        to_first = np.abs(quarters - quarters[at[0], at[1], first][:, :, None]).max(-1)
        to_second = np.abs(quarters - quarters[at[0], at[1], second][:, :, None]).max(-1)
        is_first = (to_first < to_second) & (distances.max(-1) >= _EVEN)[..., None]
        share = is_first.sum(-1)[..., None]
        inks = (quarters * is_first[..., None]).sum(2) / np.maximum(share, 1)
        grounds = (quarters * ~is_first[..., None]).sum(2) / (4 - share)
        shapes = (is_first * np.array([1, 2, 4, 8])).sum(-1)
        # Where one of the two is none, it is the ground.
        swapped = (share[..., 0] > 0) & (inks[..., 3] < grounds[..., 3])
        inks[swapped], grounds[swapped] = grounds[swapped], inks[swapped].copy()
        shapes[swapped] = 15 - shapes[swapped]
        return (
            [[QUADRANTS[shape] for shape in row] for row in shapes], _coded(inks).tolist(), _coded(grounds).tolist()
        )  # fmt: skip

    def _ink_of(self, dots: Any, ground: int) -> int:
        """Return the ink of a cell: the colour of most of its dots, that of the frame last."""
        colours = [tuple(int(part) for part in dot[:3]) for dot in dots.reshape(-1, 4) if dot[3]]
        frame = tuple(round(255 * part) for part in _FRAME)
        others = [colour for colour in colours if colour != frame]
        if not others:
            return QUIET_INK
        return self._ink(max(others, key=others.count), ground)

    def _ink(self, colour: Any, ground: int) -> int:
        """Return the number of an ink: that of the terminal for black or white text on no ground."""
        red, green, blue = (int(part) for part in colour)
        if ground == NO_GROUND and max(red, green, blue) - min(red, green, blue) < 16:
            face = 255 * sum(self._faces[0]) / 3
            return DEFAULT_INK if abs(red - face) > 128 else QUIET_INK
        return 0xFF << 24 | red << 16 | green << 8 | blue


def _size(path: Any) -> tuple[float, float]:
    """Return the width and height of a path in pixels."""
    vertices = path.vertices[np.isfinite(path.vertices).all(1)]
    if not len(vertices):
        return 0.0, 0.0
    extent = vertices.max(0) - vertices.min(0)
    return float(extent[0]), float(extent[1])


def _opaque(colour: Any) -> Any:
    """Return a colour to fill with; None if it is invisible."""
    return None if colour is None or (len(colour) == 4 and colour[3] == 0) else colour


def _whole(row: float, alignment: str) -> int:
    """Return the row of a text: what is aligned at its top stays below that, and at its bottom above it."""
    if alignment == "top":
        return int(np.ceil(row - 0.1))
    return int(np.floor(row + 0.1) if alignment == "bottom" else np.round(row))


def _has_stroke(gc: Any) -> bool:
    colour = gc.get_rgb()
    return bool(gc.get_linewidth() > 0 and (len(colour) == 3 or colour[3] > 0))


def _pixels(renderer: Any) -> Any:
    """Return the pixels of a renderer, to be changed in place: height, width, 4."""
    return np.asarray(renderer.buffer_rgba())


def _by_cell(pixels: Any, rows: int, columns: int) -> Any:
    """Return pixels as rows, columns, and the four by two pixels of each cell."""
    return pixels.reshape(rows, HIGH, columns, WIDE, 4).transpose(0, 2, 1, 3, 4)


def _coded(colours: Any) -> Any:
    """Return colours as numbers, `NO_GROUND` where there is none."""
    parts = np.clip(np.round(colours), 0, 255).astype(int)
    opacity = (parts[..., 3] + 8) // 17 * 17
    parts = np.minimum((parts + 2) // 4 * 4, 255)
    return np.where(opacity < 17, NO_GROUND, opacity << 24 | parts[..., 0] << 16 | parts[..., 1] << 8 | parts[..., 2])


def _denser(cell: list[Any]) -> int:
    """Return the ground that most of a cell with two has."""
    shape = QUADRANTS.find(cell[0])
    return int(cell[1] if shape.bit_count() >= 2 else cell[2])


def _runs(cells: list[list[Any]]) -> list[tuple[str, int, int]]:
    """Join cells that look alike; a space has no ink."""
    runs: list[tuple[str, int, int]] = []
    for char, ink, ground in cells:
        if runs and runs[-1][2] == ground and (runs[-1][1] == ink or char == " "):
            runs[-1] = (runs[-1][0] + char, runs[-1][1], ground)
        else:
            runs.append((char, ink, ground))
    return runs
