"""What a recording says once and refers to by number after: its document, sources, sites and metas."""

from __future__ import annotations

from tutor.trace.events import Document, Event, Meta, Saved, Site, Source, Span
from tutor.trace.source import SourceText
from tutor.trace.state import SiteInfo


class Book:
    """All that was said once, so far."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.sources: dict[int, Source] = {}
        self.sites: dict[int, SiteInfo] = {}
        self.metas: dict[int, Meta] = {}
        self.saved: dict[tuple[int, str], list[Saved]] = {}
        """By the site of an operation and the name of the node that it makes: one for each set of inputs that need a
        gradient."""
        self.most_text: int | None = None
        """So many characters of text are at hand as statements, of a recording that may come from a stranger."""
        self._texts: dict[int, SourceText] = {}
        self._headers: dict[tuple[int, Span], Span] = {}
        self._inside: dict[tuple[int, int], bool] = {}

    def add(self, event: Event) -> None:
        """Take note of a `Source`, `Site`, `Document`, `Meta` or `Saved`."""
        if type(event) is Site:
            self.sites[event.site] = SiteInfo(
                event.site, event.file, event.span, event.function, event.statement,
                event.op, event.depth, event.parent, event.inplace,
            )  # fmt: skip
        elif type(event) is Meta:
            self.metas[event.meta] = event
        elif type(event) is Saved:
            self.saved.setdefault((event.site, event.name), []).append(event)
        elif type(event) is Source:
            self.sources[event.file] = event
            self._texts.pop(event.file, None)
        elif type(event) is Document:
            self.document = event

    def text(self, file: int) -> SourceText | None:
        """The text of a file, or None where the recording has none."""
        text = self._texts.get(file)
        if text is None and file in self.sources:
            held = self.sources[file].text
            if self.most_text is not None and len(held) + sum(map(len, self._texts.values())) > self.most_text:
                self._texts.clear()
            text = self._texts[file] = SourceText(held, self.most_text)
        return text

    def code(self, file: int, span: Span) -> str | None:
        """What stands at a place in a file."""
        text = self.text(file)
        return None if text is None else text.slice(span)

    def header(self, file: int, span: Span) -> Span:
        """A statement without the block that follows its header."""
        if span[0] == span[2]:
            return span
        known = self._headers.get((file, span))
        if known is None:
            text = self.text(file)
            known = self._headers[file, span] = span if text is None else text.header(span)
        return known

    def inside(self, site: int, loop: int) -> bool:
        """Whether a statement belongs to the loop whose header is `loop` (the header does)."""
        known = self._inside.get((site, loop))
        if known is None:
            known = self._inside[site, loop] = self._look(site, loop)
        return known

    def _look(self, site: int, loop: int) -> bool:
        here, header = self.sites.get(site), self.sites.get(loop)
        if site == loop or here is None or header is None:
            return True
        text = self.text(header.file)
        extent = None if text is None else text.extent(header.span[0], header.span[1])
        if extent is None:
            return True
        return here.file == header.file and extent[0] <= here.span[0] <= extent[1]
