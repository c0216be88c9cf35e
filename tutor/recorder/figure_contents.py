"""What a matplotlib figure shows: its axes, curves, points, bars and images, with their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import structs

from tutor.recorder.formulas import plain_text
from tutor.trace.events import Plotted, Subplot

_MOST_PARTS = 20
"""Curves of a system of axes that are named."""
_MOST_LETTERS = 200


def contents(figure: Any) -> list[Subplot]:
    """Return what a figure shows."""
    return [_subplot(axes) for axes in figure.axes if not hasattr(axes, "_colorbar")]


def _subplot(axes: Any) -> Subplot:
    inside = {id(artist) for container in axes.containers for artist in _flat(container)}
    parts = [_of_container(container) for container in axes.containers]
    artists = [*axes.lines, *axes.collections, *axes.images, *axes.patches]
    parts += [_of_artist(artist) for artist in artists if id(artist) not in inside and artist.get_visible()]
    return Subplot(
        _text(axes.get_title() or axes.get_title(loc="left")), (_text(axes.get_xlabel()), _text(axes.get_ylabel())),
        (axes.get_xscale(), axes.get_yscale()), _joined(parts)[:_MOST_PARTS],
        [_text(text.get_text()) for text in axes.texts[:_MOST_PARTS]],
    )  # fmt: skip


def _flat(container: Any) -> Iterator[Any]:
    for item in container:
        if isinstance(item, tuple | list):
            yield from _flat(item)
        elif item is not None:
            yield item


def _of_container(container: Any) -> Plotted:
    kind = type(container).__name__
    if kind == "BarContainer":
        boxes = [bar.get_bbox() for bar in container]
        return _plotted(
            "bars", container, [box.x0 + box.width / 2 for box in boxes], [box.y0 + box.height for box in boxes]
        )
    line = next((item for item in _flat(container) if hasattr(item, "get_xdata")), None)
    if line is None:
        return _plotted("errorbars" if kind == "ErrorbarContainer" else kind, container, [], [])
    form = "errorbars" if kind == "ErrorbarContainer" else "points"
    return _plotted(form, container, line.get_xdata(orig=False), line.get_ydata(orig=False))


def _of_artist(artist: Any) -> Plotted:
    kind = type(artist).__name__
    if hasattr(artist, "get_xdata"):
        form = "points" if str(artist.get_linestyle()) in ("None", "", " ", "none") else "line"
        return _plotted(form, artist, artist.get_xdata(orig=False), artist.get_ydata(orig=False))
    if kind == "PathCollection":
        offsets = np.ma.getdata(artist.get_offsets()).reshape(-1, 2)
        return _plotted("points", artist, offsets[:, 0], offsets[:, 1])
    if "ContourSet" in kind:
        return _plotted("contours", artist, [], artist.levels)
    values = artist.get_array() if hasattr(artist, "get_array") else None
    if kind in ("AxesImage", "QuadMesh") and values is not None:
        return _plotted("image" if kind == "AxesImage" else "mesh", artist, [], np.ma.getdata(values))
    if "Poly" in kind or kind == "FillBetweenPolyCollection":
        paths = artist.get_paths() if hasattr(artist, "get_paths") else [artist.get_path()]
        points = np.vstack([path.vertices for path in paths]) if paths else np.zeros((0, 2))
        return _plotted("area", artist, points[:, 0], points[:, 1])
    if kind == "LineCollection":
        points = np.vstack(artist.get_segments()) if artist.get_segments() else np.zeros((0, 2))
        return _plotted("lines", artist, points[:, 0], points[:, 1])
    return _plotted("slices" if kind == "Wedge" else kind, artist, [], [])


def _plotted(form: str, artist: Any, x: Any, y: Any) -> Plotted:
    label = str(artist.get_label() or "")
    horizontal, vertical = (np.asarray(values, float).ravel() for values in (x, y))
    last = float(vertical[-1]) if form == "line" and len(vertical) else None
    count = max(len(vertical), 1)
    label = "" if label.startswith("_") else _text(label)
    return Plotted(form, label, count, _range(horizontal), _range(vertical), last)


def _range(values: Any) -> list[float]:
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if len(finite) else []


def _joined(parts: list[Plotted]) -> list[Plotted]:
    """Return the parts, those that say nothing but their form counted together."""
    joined: list[Plotted] = []
    for part in parts:
        last = joined[-1] if joined else None
        bare = Plotted(part.form, part.label, 0, [], [])
        if last is not None and structs.replace(last, count=0) == structs.replace(part, count=0) == bare:
            joined[-1] = Plotted(part.form, part.label, last.count + part.count, [], [])
        else:
            joined.append(part)
    return joined


def _text(text: str) -> str:
    return plain_text(text).encode("utf-8", "replace").decode()[:_MOST_LETTERS]
