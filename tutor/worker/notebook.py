"""Run the cells of a notebook as Jupyter does: last expressions shown, `display`, `await` outside of functions.

IPython is not needed, and its `get_ipython` is absent, so that libraries take their plain ways.
"""

from __future__ import annotations

import asyncio
import builtins
import inspect
import linecache
import os
import re
import types
from html.parser import HTMLParser
from typing import Any

from tutor.lesson.model import Cell
from tutor.recorder.figures import FigureRecorder
from tutor.recorder.recorder import Recorder
from tutor.trace.events import Gap
from tutor.worker.display_module import DisplayModule
from tutor.worker.magics import to_python
from tutor.worker.stdio import OutputRecorder
from tutor.worker.text_bars import TextBars


class Notebook:
    """Compiles and executes the cells of one notebook, in its folder.

    Args:
        path: The notebook.
        name: Its name in the recording.
        recorder: Records it.
        printed: Takes what is shown.
        figures: Takes the figures that are shown.
    """

    def __init__(
        self, path: str, name: str, recorder: Recorder, printed: OutputRecorder, figures: FigureRecorder
    ) -> None:
        self._figures = figures
        self._path = path
        self._name = name
        self._recorder = recorder
        self._printed = printed
        self._number = 0
        self._reported: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Go to its folder, and give the program `display` and text bars for tqdm's widgets."""
        os.chdir(os.path.dirname(self._path))
        builtins.display = self._display  # type: ignore[attr-defined]
        TextBars().install()
        DisplayModule(self._display).install()
        self._figures.are_inline = True
        self._recorder.code.callbacks["show"] = self._show_result

    def compile(self, cell: Cell) -> types.CodeType:
        """Return the code of a cell. Each cell is a file.

        Raises:
            SyntaxError: It is not valid Python.
        """
        number = cell.number or 1
        path = f"{self._path}, cell {number}"
        self._recorder.code.names[path] = self._name
        # Tracebacks quote the cell, not what became of its magics.
        linecache.cache[path] = (len(cell.source), None, cell.source.splitlines(keepends=True), path)
        plain = to_python(cell.source)
        for skipped in plain.skipped:
            kind = skipped.name if skipped.kind == "magic" else skipped.kind
            if kind not in self._reported:
                self._reported.add(kind)
                self._recorder.writer.send(Gap(0, f"notebook-{skipped.kind}", number, skipped.name))
        return self._recorder.code.compile(plain.source, path, whole=cell.source, cell=number)

    def execute(self, cell: Cell, code: types.CodeType, names: dict[str, Any]) -> None:
        """Execute the code of a cell; where it waits for something, in the event loop of the notebook."""
        self._number = cell.number or 1
        self._recorder.frames.continue_script(code.co_filename)
        if not code.co_flags & inspect.CO_COROUTINE:
            exec(code, names)
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(eval(code, names))

    def _show_result(self, value: Any) -> None:
        """Show the value of the last expression of a cell."""
        if value is not None:
            self._figures.show(value)
            text = self._text_of(value)
            space = "\n" if "\n" in text else " "
            self._printed.show(f"Out[{self._number}]:{space}{text}\n")

    def _display(self, *values: Any, **options: Any) -> None:
        for value in values:
            self._figures.show(value)
            self._printed.show(self._text_of(value) + "\n")

    def _text_of(self, value: Any) -> str:
        with self._recorder.unseen():
            return text_of(value)


def text_of(value: Any) -> str:
    """Return an object as text: its Markdown, else its `repr`; where that says nothing, the text of its HTML."""
    kind = type(value)
    markdown = value._repr_markdown_() if hasattr(kind, "_repr_markdown_") else None
    if isinstance(markdown, str):
        return markdown
    spelled: Any = kind.__repr__
    says_nothing = spelled is object.__repr__ or kind.__module__.startswith("IPython.")
    html = value._repr_html_() if says_nothing and hasattr(kind, "_repr_html_") else None
    return _text_of_html(html) if isinstance(html, str) else repr(value)


class _TextReader(HTMLParser):
    """Collects the text of HTML, with a line for each block."""

    _BLOCKS = frozenset(("br", "div", "h1", "h2", "h3", "h4", "li", "p", "table", "tr"))

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self._hidden += tag in ("script", "style")
        if tag in self._BLOCKS and self.text.strip() and not self.text.endswith("\n"):
            self.text += "\n"
        elif tag in ("td", "th") and not self.text.endswith("\n"):
            self.text += "  "

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            text = re.sub(r"\s+", " ", data)
            self.text += text.lstrip() if not self.text or self.text[-1].isspace() else text


def _text_of_html(html: str) -> str:
    reader = _TextReader()
    reader.feed(html)
    return reader.text.strip()
