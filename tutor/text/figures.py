"""What a figure of the program shows, in words."""

from __future__ import annotations

from typing import Any

from tutor.i18n import N_, _
from tutor.trace.events import Figure, Plotted, Subplot
from tutor.trace.number_format import number
from tutor.trace.timeline import Timeline

_FORMS = {
    "line": N_("line {label}: {count} points"),
    "points": N_("points {label}: {count}"),
    "bars": N_("bars {label}: {count}"),
    "errorbars": N_("points with error bars {label}: {count}"),
    "area": N_("area {label}"),
    "lines": N_("lines {label}"),
    "image": N_("image {label} of {count} values"),
    "mesh": N_("mesh {label} of {count} values"),
    "contours": N_("contours {label}: {count} levels"),
    "slices": N_("slices {label}: {count}"),
}
"""By the form of what is plotted."""
_OF_VALUES = ("image", "mesh", "contours")
_PLOTEXT = {"plot": "line", "scatter": "points", "bar": "bars", "hist": "bars"}


def figures_between(timeline: Timeline, since: int, step: int) -> list[tuple[int, Figure]]:
    """Return the figures that were shown after step `since`, up to and including `step`, with their numbers from 1."""
    figures = [(aside.step, aside.event) for aside in timeline.side_events if isinstance(aside.event, Figure)]
    return [(place, figure) for place, (at, figure) in enumerate(figures, 1) if since < at <= step]


def figure_lines(place: int, figure: Figure) -> list[str]:
    """Return what a figure shows: its title, then a line for each of its axes and for each thing that is plotted."""
    subplots = figure.subplots or [_of_calls(figure.calls)]
    title = figure.title or subplots[0].title
    head = _("figure {number}", number=place) + (f": {title}" if title else "")
    head += f" ({_('saved as {file}', file=figure.file)})" if figure.file else ""
    rows = [" ".join(head.split())]
    for subplot in subplots:
        rows += _subplot_lines(subplot, named=len(subplots) > 1 or subplot.title != title)
    if figure.left_out:
        rows.append(_("not drawn: {what}", what=", ".join(figure.left_out)))
    return rows


def to_json(figure: Figure) -> dict[str, Any]:
    """Return what a figure shows as an object."""
    return {
        "title": figure.title,
        "file": figure.file or None,
        "subplots": [
            {
                "title": subplot.title, "x": subplot.labels[0], "y": subplot.labels[1], "scales": list(subplot.scales),
                "parts": [
                    {"form": part.form, "label": part.label, "count": part.count, "x": part.x, "y": part.y,
                     "last": part.last} for part in subplot.parts
                ],
            } for subplot in figure.subplots
        ],
        "left_out": figure.left_out,
    }  # fmt: skip


def _subplot_lines(subplot: Subplot, *, named: bool) -> list[str]:
    axes = [_("{axis} is {label}", axis=axis, label=label)
            for axis, label in zip("xy", subplot.labels, strict=True) if label]  # fmt: skip
    axes += [_("{axis} is logarithmic", axis=axis)
             for axis, scale in zip("xy", subplot.scales, strict=True) if scale == "log"]  # fmt: skip
    head = _(", ").join([*([subplot.title] if named and subplot.title else []), *axes])
    rows = [head] if head else []
    rows += [_(", ").join(_phrases(part)) for part in subplot.parts]
    return rows + [_("text: {text}", text=" ".join(text.split())) for text in subplot.texts if text.strip()]


def _phrases(part: Plotted) -> list[str]:
    template = _FORMS.get(part.form)
    text = _(template, label=part.label, count=part.count) if template else f"{part.form} {part.label}"
    phrases = [" ".join(text.split()).replace(" :", ":").replace(" ：", "：").replace(" ，", "，")]
    if part.x:
        phrases.append(_("x from {low} to {high}", low=_short(part.x[0]), high=_short(part.x[1])))
    if part.y:
        template = N_("values from {low} to {high}") if part.form in _OF_VALUES else N_("y from {low} to {high}")
        phrases.append(_(template, low=_short(part.y[0]), high=_short(part.y[1])))
    if part.last is not None:
        phrases.append(_("{value} at the end", value=_short(part.last)))
    return phrases


def _short(value: float) -> str:
    return number(float(f"{value:.4g}"))


def _of_calls(calls: list[Any]) -> Subplot:
    """Return what plotext's calls draw."""
    title, labels, parts = "", {"xlabel": "", "ylabel": ""}, []
    for call in calls:
        name, args, kwargs = call if len(call) == 3 else ("", [], {})
        if name == "title" and args:
            title = str(args[0])
        elif name in labels and args:
            labels[name] = str(args[0])
        elif name in _PLOTEXT:
            lists = [argument for argument in args if isinstance(argument, list)]
            parts.append(
                Plotted(_PLOTEXT[name], str(kwargs.get("label") or ""), len(lists[-1]) if lists else 1, [], [])
            )
    return Subplot(title, (labels["xlabel"], labels["ylabel"]), ("linear", "linear"), parts, [])
