"""Record the learner's source files, statements and call sites; decide which files are the learner's.

A call site is named by `id(code) + f_lasti` of the calling frame: unique, since an instruction lies inside its code
object, and permanent, since the code objects are kept.
"""

from __future__ import annotations
import __future__

import functools
import opcode
import operator
import os
import site
import sysconfig
import tempfile
import types
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tutor.paths import lessons_dir
from tutor.recorder.arguments import WrittenArguments
from tutor.recorder.compilers import PlainCode
from tutor.recorder.event_writer import EventWriter
from tutor.recorder.rewrite import SiteAllocator, characters, compile_recorded, source_lines
from tutor.trace.events import Site, Source, Span
from tutor.trace.selection import CodeLine

# ------------------------------------------------------------ the learner's files

_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg")
_INSTALLED = frozenset({"site-packages", "dist-packages", "node_modules", "__pypackages__", ".tox", ".nox", ".eggs"})
"""Folders of package managers."""
_COPIED = frozenset({"vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty"})
"""Folders of copied libraries, unless they are packages of the learner's."""
_LESSONS = os.path.realpath(lessons_dir())
"""The folder of the lessons that come with gradtutor: what they import from it is recorded as they are."""


class Project:
    """The learner's files: those in the script's folder, in the project around it, and in every other folder that
    modules are imported from, unless it holds libraries.

    Args:
        script: The script.
        folder: The folder to take for the script's, where it is run as a module; by default its own.
    """

    def __init__(self, script: str, folder: str | None = None) -> None:
        self._folder = os.path.realpath(folder) if folder else os.path.dirname(os.path.realpath(script))
        self._root = _root_of(self._folder)
        self._libraries = _libraries()
        self._caches = _cache_folders()
        """Folders where libraries put generated or downloaded files; the script may lie there too."""
        self._own_folders: dict[str, bool | None] = {}

    def is_own(self, path: str, asked_by_own: Callable[[], bool] = lambda: True) -> bool:
        """Return whether a module's file is the learner's.

        Args:
            path: The file.
            asked_by_own: Returns whether the learner's code imports it; asked for files in caches and temporary
                folders.
        """
        folder = os.path.dirname(path)
        if folder not in self._own_folders:
            self._own_folders[folder] = self._classify(os.path.realpath(folder))
        kind = self._own_folders[folder]
        return asked_by_own() if kind is None else kind

    def name_of(self, path: str, module: str) -> str:
        """Return the name to show for a file.

        It is the path below the script's folder or the project's, else the end of the path that matches the module's
        name.
        """
        place = os.path.realpath(path)
        for folder in (self._folder, self._root):
            if _is_below(place, folder):
                return os.path.relpath(place, folder)
        parts = place.split(os.sep)
        length = module.count(".") + 1 + (parts[-1] == "__init__.py")
        return os.path.join(*parts[-length:])

    def _classify(self, folder: str) -> bool | None:
        """Return whether the modules in a folder are the learner's; None where that depends on who imports them."""
        if _is_below(folder, _LESSONS):  # in site-packages, where gradtutor is installed
            return True
        installed = not _INSTALLED.isdisjoint(folder.split(os.sep))
        if installed or any(_is_below(folder, library) for library in self._libraries):
            return False
        for root in (self._folder, self._root):
            if _is_below(folder, root):
                return not any(_holds_libraries(place) for place in _between(root, folder))
        return None if any(_is_below(folder, passing) for passing in self._caches) else True


def _between(root: str, folder: str) -> Iterator[str]:
    """Yield the folders from `folder` up to `root`, without `root`."""
    while folder != root:
        yield folder
        folder = os.path.dirname(folder)


def _holds_libraries(folder: str) -> bool:
    """Return whether a folder of a project is a virtual environment, or holds copies of libraries."""
    if any(os.path.exists(os.path.join(folder, mark)) for mark in ("pyvenv.cfg", "conda-meta")):
        return True
    name = os.path.basename(folder)
    return name == "_vendor" or (name in _COPIED and not os.path.exists(os.path.join(folder, "__init__.py")))


def _root_of(folder: str) -> str:
    """Return the nearest folder, from this one up, that is marked as a project; this one where there is none.

    The home folder, the one for temporary files and the root of the file system do not count, marked or not.
    """
    ends = {os.path.realpath(place) for place in (os.path.expanduser("~"), *_temporary(), "/tmp", os.sep)}
    place = folder
    while place not in ends:
        if any(os.path.exists(os.path.join(place, marker)) for marker in _MARKERS):
            return place
        place = os.path.dirname(place)
    return folder


def _libraries() -> tuple[str, ...]:
    """Return the folders of the standard library, of installed packages, of torch and of this package."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [os.path.dirname(os.__file__), site.getusersitepackages(), *site.getsitepackages()]
    beside_torch = os.path.dirname(os.path.dirname(torch.__file__))
    folders += [os.path.join(beside_torch, name) for name in ("torch", "torchgen", "functorch")]
    folders.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return tuple({os.path.realpath(path) for path in folders})


def _cache_folders() -> list[str]:
    """Return the folders of caches and temporary files."""
    home = os.path.expanduser("~")
    caches = [os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), os.path.join(home, "Library", "Caches")]
    return [os.path.realpath(place) for place in (*caches, *_temporary(), torch.hub.get_dir())]


def _temporary() -> list[str]:
    """Return the folder for temporary files, if there is a writable one."""
    try:
        return [tempfile.gettempdir()]
    except OSError:
        return []


def _is_below(path: str, folder: str) -> bool:
    """Return whether a path is this folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


# ------------------------------------------------------------ call sites

_FUTURES = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
_ITERATING = {opcode.opmap[name] for name in ("GET_ITER", "FOR_ITER")}
_SITE = Site.__struct_config__.tag
MAX_SOURCE = 3 << 20
"""Characters of a file that are recorded: at four bytes each at most, they fit into one frame."""


_OPTIMIZERS = os.path.join(os.path.dirname(torch.__file__), "optim", "")
_NO_STEPS = ("optimizer.py", "lr_scheduler.py", "swa_utils.py")
"""The modules there whose functions run outside of steps."""


def _call(func: Any, args: Any, kwargs: Any) -> Any: return func(*args, **kwargs)  # fmt: skip


class CallSite:
    """The site of a call into torch, in the learner's code or in a library's.

    Attributes:
        key: Its name, see the module.
        is_own: Whether it is in the learner's code.
        is_step: Whether it is in one of torch's optimizers, which call it within a step.
        sites: The operations called from it, by function.
        call: Calls a function from a frame that looks like this one.
    """

    __slots__ = ("call", "code", "is_own", "is_step", "key", "sites")

    def __init__(self, frame: types.FrameType, is_own: bool) -> None:
        self.code = frame.f_code
        self.key = id(frame.f_code) + frame.f_lasti
        self.is_own = is_own
        self.is_step = self.code.co_filename.startswith(_OPTIMIZERS) and not self.code.co_filename.endswith(_NO_STEPS)
        self.sites: dict[Any, OpSite] = {}
        self.call = stand_in(frame)


def stand_in(frame: types.FrameType) -> Callable[[Any, Any, Any], Any]:
    """Return a function that calls another from a frame with this frame's file, line and globals.

    So torch counts its warnings, and prints them, for the learner's line.
    """
    code = frame.f_code
    return types.FunctionType(
        _call.__code__.replace(
            co_filename=code.co_filename,
            co_firstlineno=frame.f_lineno or code.co_firstlineno,
            co_name=STAND_IN,
        ),
        frame.f_globals,
    )


STAND_IN = "gradtutor stand-in"
"""The name of their code, by which tracebacks leave them out."""


class OpSite:
    """The site of an operation.

    Attributes:
        event: Its `Site` event, as a tuple.
        serial: Its number.
        inplace: Whether the operation writes to its first argument.
        sent: Whether the event was sent.
        looked: The combinations of inputs that need a gradient whose saved tensors were sent.
        shapes: The same with the shapes of results, where sizes may depend on it; else None.
        writes: Which arguments the operation writes to; None until it first runs.
        selects: Whether the operation has an index.
    """

    __slots__ = ("event", "inplace", "looked", "selects", "sent", "serial", "shapes", "writes")

    def __init__(self, event: Any, serial: int, inplace: bool) -> None:
        self.event = event
        self.serial = serial
        self.inplace = inplace
        self.sent = False
        self.looked: set[int] = set()
        self.shapes: set[Any] | None = None
        self.writes: WrittenArguments | None = None
        self.selects = False


class SourceRecorder:
    """Compile the learner's files, and record them with their statements and call sites.

    Attributes:
        own_code: The learner's code objects by `id`, each with the number of its file.
        callbacks: The recorder's functions that rewritten code calls, and its gate.
        plain_code: The learner's functions with the code as they wrote it.
        names: The names to show for files, by full path.
    """

    def __init__(self, writer: EventWriter) -> None:
        self._append = writer.waiting.append
        self._send = writer.send
        self._sites = 0
        self._files: dict[str, int] = {}
        self._futures: dict[str, int] = {}
        self._cells: dict[int, int] = {}
        """The cells of a notebook by file."""
        self._lines: dict[int, list[str]] = {}
        self._statements: dict[int, list[tuple[Span, int]]] = {}
        self._sorted_statements: dict[int, list[tuple[Span, int]]] = {}
        """The statements in the order in which they begin."""
        self._loops: dict[int, dict[Span, Span]] = {}
        """The span of each loop by that of its iterable, where iterations have the position of the iterable."""
        self._positions: dict[int, list[Any]] = {}
        self.own_code: dict[int, tuple[types.CodeType, int]] = {}
        self.callbacks: dict[str, Any] = {}
        self.plain_code = PlainCode()
        self.names: dict[str, str] = {}

    def compile(
        self, source: str, path: str, *, whole: str | None = None, imported: bool = False, cell: int | None = None
    ) -> types.CodeType:
        """Compile a file of the learner's, or a cell of one.

        Args:
            source: The code.
            path: The file.
            whole: The file's whole text, if `source` is a cell.
            imported: Whether it is a module.
            cell: The number of the cell of a notebook that this file is.

        Raises:
            SyntaxError: As `compile` does.
        """
        file = self._files.get(path)
        text = source if whole is None else whole
        if file is None or self._lines[file] != source_lines(text):  # a module may be imported again, changed
            file = self._files[path] = len(self._lines) + 1
            self._lines[file] = source_lines(text)
            self._statements[file] = []
            self._send(Source(file, self.names.get(path, path), text[:MAX_SOURCE], cell))
            if cell is not None:
                self._cells[file] = cell
        program = path if cell is None else ""  # the cells of a notebook share their `__future__` imports
        flags = self._futures.get(program, 0)
        code, plain = compile_recorded(
            source, path, self._allocator(file), self.callbacks,
            imported=imported, notebook=cell is not None, flags=flags,
        )  # fmt: skip
        self._futures[program] = flags | (code.co_flags & _FUTURES)
        self._adopt(code, file)
        self._adopt(plain, file)
        self.plain_code.pair(code, plain)
        return code

    def lines_of(self, site: int) -> tuple[int, int]:
        """Return the first and last line of a statement, of a block those of its header; 0, 0 for an unknown site."""
        for statements in self._statements.values():
            for (first, _, last, _), number in statements:
                if number == site:
                    inner_lines = [span[0] for span, _ in statements if first < span[0] <= last]
                    return first, min([last, *(line - 1 for line in inner_lines)])
        return 0, 0

    def line_in(self, path: str, site: int) -> CodeLine | None:
        """Return where a statement of this script, or of a cell of this notebook, begins; None for another file's."""
        files = {self._files[path]: 0} if path in self._files else self._cells
        for file, cell in files.items():
            for span, number in self._statements[file]:
                if number == site:
                    return CodeLine(span[0], cell)
        return None

    def file_of(self, path: str) -> int | None:
        """Return the number of a file of the learner's; None for others."""
        return self._files.get(path)

    def _adopt(self, code: types.CodeType, file: int) -> None:
        """Add a code object, and those inside it, to the learner's."""
        self.own_code[id(code)] = (code, file)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._adopt(constant, file)

    def _allocator(self, file: int) -> SiteAllocator:
        def statement(span: Span, function: str) -> int:
            self._sites += 1
            self._statements[file].append((span, self._sites))
            self._append((_SITE, self._sites, file, span, function, self._sites, None, 0, None, False))
            return self._sites

        def call(span: Span, function: str, statement: int, name: str) -> int:
            self._sites += 1
            self._append((_SITE, self._sites, file, span, function, statement, name, 0, None, False))
            return self._sites

        loops = self._loops.setdefault(file, {})
        return SiteAllocator(statement, call, loops.__setitem__)

    def span(self, code: types.CodeType, lasti: int) -> Span:
        """Return the span of an instruction in the source, in characters."""
        positions = self._positions.get(id(code))
        if positions is None:
            positions = self._positions[id(code)] = list(code.co_positions())
        line, last, column, end = positions[lasti // 2]
        first = line or code.co_firstlineno
        file = self.own_code[id(code)][1]
        lines = self._lines.get(file, [])
        span = (first, characters(lines, first, column or 0), last or first, characters(lines, last or first, end or 0))
        return self._loops[file].get(span, span) if code.co_code[lasti] in _ITERATING else span

    def op_site(
        self, code: types.CodeType, lasti: int, op: str, depth: int, parent: str | None, inplace: bool
    ) -> OpSite:
        """Return a new site of an operation, in the learner's code at `lasti`."""
        self._sites += 1
        span = self.span(code, lasti)
        file = self.own_code[id(code)][1]
        event = (
            _SITE, self._sites, file, span, code.co_name, self._enclosing_statement(file, span), op, depth, parent,
            inplace,
        )  # fmt: skip
        return OpSite(event, self._sites, inplace)

    def statement_at(self, code: types.CodeType, lasti: int) -> int:
        """Return the site of the statement around an instruction of the learner's code; 0 for other code."""
        file = self.own_code.get(id(code), (code, 0))[1]
        return self._enclosing_statement(file, self.span(code, lasti)) if file else 0

    def inner_site(self, outer: OpSite, op: str) -> OpSite:
        """Return a new site of an operation that is part of the composite at `outer`."""
        self._sites += 1
        tag, _, file, span, function, statement, parent, depth, *_ = outer.event
        inplace = op.endswith("_")
        event = (tag, self._sites, file, span, function, statement, op, depth + 1, parent, inplace)
        return OpSite(event, self._sites, inplace)

    def _enclosing_statement(self, file: int, span: Span) -> int:
        """Return the site of the innermost statement around a span: of those around it the last to begin."""
        statements = self._sorted_statements.get(file, [])
        if len(statements) != len(self._statements[file]):
            statements = self._sorted_statements[file] = sorted(self._statements[file], key=_start)
        for at in range(bisect_right(statements, span[:2], key=_start) - 1, -1, -1):
            statement, site = statements[at]
            if span[2:] <= statement[2:]:
                return site
        return 0


def _start(statement: tuple[Span, int]) -> tuple[int, int]:
    return statement[0][:2]
