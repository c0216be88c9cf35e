"""The learner's functions as they wrote them, for whoever reads code: torch's compilers trace bytecode.

Each rewritten code object has a plain twin. While something is compiled, or what was compiled runs, all functions of
the learner's have their plain code; a frame that is running keeps the code that it was begun with.
"""

from __future__ import annotations

import contextlib
import types
import weakref
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tutor.worker.unrecorded import Unrecorded


class Twins:
    """Knows the learner's functions, and the plain code of each."""

    def __init__(self) -> None:
        self._plain: dict[int, types.CodeType] = {}
        """By `id` of the rewritten code, which is kept alive by whoever knows it as the learner's."""
        self._functions: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()
        self._inside = False

    def __reduce__(self) -> tuple[type[Unrecorded], tuple[()]]:
        """In pickled code the callbacks do nothing."""
        return Unrecorded, ()

    def pair(self, rewritten: types.CodeType, plain: types.CodeType) -> None:
        """Two compilations of the same text: the functions in them are matched by name and line."""
        both = _by_place(rewritten), _by_place(plain)
        for place, codes in both[0].items():
            others = both[1].get(place, [])
            if len(codes) == len(others):
                for code, other in zip(codes, others, strict=True):
                    if code.co_freevars == other.co_freevars:
                        self._plain[id(code)] = other

    def defined(self, function: Any) -> Any:
        """A `def` of the learner's has made a function."""
        self._functions.add(function)
        return function

    @contextlib.contextmanager
    def plain(self) -> Iterator[None]:
        """Inside, the learner's functions have their plain code."""
        if self._inside:
            yield
            return
        changed = []
        for function in list(self._functions):
            code = function.__code__
            plain = self._plain.get(id(code))
            if plain is not None:
                changed.append((function, code, plain))
                function.__code__ = plain
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            for function, code, plain in changed:
                if function.__code__ is plain:
                    function.__code__ = code


def _by_place(code: types.CodeType) -> dict[tuple[str, int], list[types.CodeType]]:
    found: dict[tuple[str, int], list[types.CodeType]] = defaultdict(list)
    waiting = [code]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, types.CodeType):
                found[constant.co_qualname, constant.co_firstlineno].append(constant)
                waiting.append(constant)
    return found
