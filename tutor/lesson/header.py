"""Parsing the YAML header of a lesson, without its cells: fast enough for a list of all lessons.

A header of plain keys, quoted texts, numbers and lists of words is read without PyYAML, whose import and loader would
take most of the time until the list is on the screen.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tutor.i18n import _
from tutor.lesson import files
from tutor.lesson.model import (
    FAMILIES,
    LANGUAGES,
    NEEDS,
    Header,
    LessonError,
    Report,
    is_family,
    join_words,
    raise_error,
    suggest,
)

FILE_NAME = re.compile(r"(\d{1,4})-(.+)")
"""`<nn>-<slug>`, without the suffix."""

_LINE = re.compile(r"((?:  )*)([a-z]+):(?: +(.*))?")
_NUMBER = re.compile(r"0|[1-9]\d{0,8}")
_QUOTED = r'"(?:[^"\\]++|\\["\\n])*+"'
_ITEM = re.compile(rf"{_QUOTED}|\.?[^\W\d_](?:[\w .()/-]*[\w.()/-])?")
_LIST = re.compile(rf"\[({_ITEM.pattern})(?:, ({_ITEM.pattern}))*\]")
_PAIR = re.compile(rf"([a-z]+): ({_QUOTED})")
_MAP = re.compile(rf"\{{{_PAIR.pattern}(?:, {_PAIR.pattern})*\}}")
_NOT_TEXT = frozenset(("yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan"))
"""Words that are no texts in YAML."""

_KEYS = ("title", "summary", "needs", "order", "topics", "aliases")


def read(path: Path) -> Header | None:
    """Return the header of a lesson file; None for a plain script. Raises LessonError."""
    text = files.load(path)
    return parse(text, path)[0]


def parse(text: str, path: Path, report: Report = raise_error) -> tuple[Header | None, int]:
    """Return the header, None for a plain script, and the number of lines up to its end."""
    match = _find_header(text)
    if match is None:
        return None, 0
    first, end, yaml_text = match
    if "gradtutor" not in yaml_text:
        return None, end  # a notebook's header, or just lines of dashes
    try:
        data, lines = _load_plain(yaml_text, first) or _load_yaml(yaml_text, str(path), first)
    except LessonError as error:
        report(error)
        return from_path(path, title={}, summary={}, needs=()), end
    jupyter = data.get("jupyter") if isinstance(data, dict) else None
    if not isinstance(jupyter, dict) or "gradtutor" not in jupyter:
        return None, end
    return _header(jupyter["gradtutor"], lines, path, report), end


def for_script(path: Path) -> Header:
    """Return a header for a script that has none."""
    return Header(id=str(path), family="", slug=path.stem, title={}, summary={}, needs=(), path=str(path))


def _find_header(text: str) -> tuple[int, int, str] | None:
    """Return the first line of YAML (from 0), the line after the header, and the YAML; None if there is none."""
    lines = text.split("\n")
    start = 0
    # A `#!` line and an encoding may come first, as in any script.
    while start < len(lines) and (not lines[start] or re.match(r"#!|#.*coding[:=]", lines[start])):
        start += 1
    if start >= len(lines) or lines[start].rstrip() != "# ---":
        return None
    body: list[str] = []
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line.rstrip() == "# ---":
            return start + 1, number + 1, "\n".join(body)
        if not line.startswith("#"):
            return None
        body.append(line[2:] if line.startswith("# ") else line[1:])
    return None


def _load_plain(text: str, first: int) -> tuple[Any, dict[str, int]] | None:
    """Return what `_load_yaml` does; None for a header that needs more of YAML."""
    data: dict[str, Any] = {}
    open_maps, maps = [data], list[dict[str, Any]]()
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), first + 1):
        match = _LINE.fullmatch(line.rstrip(" "))
        if match is None or not line.isprintable():
            return None
        depth, key, written = len(match[1]) // 2, match[2], match[3]
        value = _plain_value(written) if written else {}
        if depth >= len(open_maps) or key in open_maps[depth] or key in _NOT_TEXT or value is None:
            return None
        del open_maps[depth + 1 :]
        open_maps[depth][key] = value
        if depth == 2 and open_maps[2] is data.get("jupyter", {}).get("gradtutor"):
            lines.setdefault("", number)
            lines[key] = number
        if not written:
            open_maps.append(value)
            maps.append(value)
    return (data, lines) if all(maps) else None


def _plain_value(written: str) -> Any:
    """Return a number, a text, a list of texts, or texts by key; None for anything else."""
    if _NUMBER.fullmatch(written):
        return int(written)
    if _LIST.fullmatch(written):
        items = [_text(item) for item in _ITEM.findall(written)]
        return None if None in items else items
    if _MAP.fullmatch(written):
        texts = {key: _text(quoted) for key, quoted in _PAIR.findall(written)}
        return None if None in texts.values() or not _NOT_TEXT.isdisjoint(texts) else texts
    return _text(written) if written.startswith('"') else None


def _text(written: str) -> str | None:
    """Return a word, or a text in quotes; None for anything else."""
    if written.startswith('"'):
        return str(json.loads(written)) if re.fullmatch(_QUOTED, written) else None
    return None if written.lower() in _NOT_TEXT else written


def _load_yaml(text: str, path: str, first: int) -> tuple[Any, dict[str, int]]:
    """Return the YAML as data, and the line in the file of each key of its `gradtutor` part. Raises LessonError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        lines = {} if node is None else _key_lines(node, first)
        return None if node is None else loader.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or _("it cannot be read")
        line = first + (mark.line if mark else 0) + 1
        raise LessonError(_("the header is not YAML: {problem}.", problem=problem), path=path, line=line) from None
    except Exception as error:  # absurd nesting; a date that is none; tags fail in ways of their own
        why = str(error) or type(error).__name__
        raise LessonError(_("the header is not YAML: {error}.", error=why), path=path, line=first + 1) from None
    finally:
        loader.dispose()


def _key_lines(node: Any, first: int) -> dict[str, int]:
    for wanted in ("jupyter", "gradtutor"):
        pairs = node.value if isinstance(node.value, list) else []
        inner = [pair for pair in pairs if isinstance(pair, tuple) and pair[0].value == wanted]
        if not inner:
            return {}
        node = inner[0][1]
    pairs = node.value if isinstance(node.value, list) else []
    lines = {str(pair[0].value): first + pair[0].start_mark.line + 1 for pair in pairs if isinstance(pair, tuple)}
    return {"": first + node.start_mark.line + 1, **lines}


def _header(data: Any, lines: dict[str, int], path: Path, report: Report) -> Header:
    name = str(path)

    def wrong(key: str, what: str, fix: str = "") -> None:
        report(LessonError(what, path=name, line=lines.get(key, lines.get("", 1)), fix=fix))

    if not isinstance(data, dict):
        wrong("", _("`gradtutor` in the header holds no keys."), _("It needs at least a title."))
        data = {}
    for key in data:
        if key not in _KEYS:
            wrong(str(key), _("the header has an unknown key `{key}`.", key=key), suggest(str(key), _KEYS))

    def texts(key: str) -> dict[str, str]:
        value = data.get(key) or {}
        if not isinstance(value, dict) or not all(isinstance(text, str) and text.strip() for text in value.values()):
            wrong(
                key,
                _("`{key}` must give a text for each language.", key=key),
                _('For instance: {key}: {{en: "…"}}', key=key),
            )
            return {}
        return known(key, value)

    def known(key: str, value: dict[str, Any]) -> dict[str, Any]:
        for language in value:
            if language not in LANGUAGES:
                wrong(
                    key,
                    _("`{key}` has an unknown language `{language}`.", key=key, language=language),
                    _("There is {names}.", names=join_words(LANGUAGES)),
                )
        return {language: value[language] for language in LANGUAGES if language in value}

    def topics() -> dict[str, tuple[str, ...]]:
        value = data.get("topics") or {}
        lists = list(value.values()) if isinstance(value, dict) else [None]
        if not all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in lists):
            wrong("topics", _("`topics` must give a list of words for each language."),
                  _("For instance: {key}: {{en: [chain rule, relu]}}", key="topics"))  # fmt: skip
            return {}
        return {language: tuple(words) for language, words in known("topics", value).items()}

    title = texts("title")
    if not title and not data.get("title"):
        wrong("", _("the lesson has no title."), _('Put one into the header: title: {en: "…"}'))
    needs = data.get("needs") or []
    if not isinstance(needs, list):
        wrong("needs", _("`needs` must be a list."), _("For instance: needs: [cuda]"))
        needs = []
    for need in needs:
        if need not in NEEDS:
            wrong(
                "needs",
                _("`needs` names `{need}`, which is unknown.", need=need),
                _("There is {names}.", names=join_words(NEEDS)),
            )
    order = data.get("order")
    if order is not None and (type(order) is not int or order < 0):
        wrong("order", _("`order` must be a whole number from 0 on."), _("A lesson without it is a side road."))
        order = None
    aliases = data.get("aliases") or []
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        wrong("aliases", _("`aliases` must be a list of ids."), _("For instance: aliases: [training/modules]"))
        aliases = []
    return from_path(path, title=title, summary=texts("summary"), needs=tuple(needs), order=order, topics=topics(),
                     aliases=tuple(aliases))  # fmt: skip


def from_path(path: Path, **fields: Any) -> Header:
    """Return a header whose id is taken from the path, `<family>/<nn>-<slug>.py`; `fields` are those of the file."""
    match = FILE_NAME.fullmatch(path.stem)
    slug = match[2] if match else path.stem
    parent = path.absolute().parent.name
    family = parent if parent in FAMILIES or (fields.get("title") and is_family(parent)) else ""
    return Header(id=f"{family}/{slug}" if family else slug, family=family, slug=slug, path=str(path), **fields)
