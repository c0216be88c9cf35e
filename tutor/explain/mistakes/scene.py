"""What an explanation can ask: the code that failed, what its names meant, and what had happened before."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tutor.i18n import _
from tutor.trace.events import Backward, Failed, Op
from tutor.trace.names import name_of, names_of
from tutor.trace.state import State, TensorState
from tutor.trace.timeline import Timeline

_FARTHEST = 5_000
"""How many steps before the failure its cause is looked for."""


_BLOCK = re.compile(r"(async )?(for|while|with|if)\b")
"""A statement with a block below it, which is not shown."""


@dataclass(frozen=True)
class Diagnosis:
    """An explanation, and the step that made the failure inevitable."""

    text: str
    cause: int | None = None


Explain = Callable[["Scene", "re.Match[str]"], "Found | str | None"]
MISTAKES: list[tuple[str, re.Pattern[str], Explain]] = []


def mistake(error: str, pattern: str) -> Callable[[Explain], Explain]:
    """Registers the explanation of an exception of this type whose message matches."""

    def register(explain: Explain) -> Explain:
        MISTAKES.append((error, re.compile(pattern, re.DOTALL), explain))
        return explain

    return register


class FailureContext:
    """A failure and what led to it."""

    def __init__(self, timeline: Timeline, step: int, event: Failed) -> None:
        self.timeline = timeline
        self.step = step
        self.event = event
        self.state: State = timeline.state(step)
        self.view = timeline.view(step)
        self.code = " ".join((self.view.code or "").split())

    @cached_property
    def tree(self) -> ast.AST:
        """The code that failed; an empty module where it does not stand alone."""
        return _parsed(self.view.code) or _parsed(self.statement) or ast.Module([], [])

    @property
    def raised_by_hand(self) -> bool:
        """Whether the learner's own `raise` made the exception, whatever its words."""
        return any(isinstance(node, (ast.Raise, ast.Assert)) for node in ast.iter_child_nodes(self.tree))

    @cached_property
    def statement(self) -> str:
        """The whole statement around the failure."""
        line = self.view.line
        text = None if self.event.file is None else self.timeline.book.text(self.event.file)
        blocks = [] if line is None or text is None else text.covering(line)
        if not blocks or text is None:
            return ""
        return "\n".join(text.lines[blocks[0][1] - 1 : blocks[0][2]])

    def statement_of(self, step: int) -> str | None:
        """The whole statement around the operation of a step."""
        site = self.timeline.sites.get(self.timeline.columns.sites[step - 1])
        statement = None if site is None else self.timeline.sites.get(site.statement)
        return None if statement is None else self.timeline.book.code(statement.file, statement.span)

    # ------------------------------------------------------------ names

    def tensor(self, source: str) -> TensorState | None:
        """The tensor that this piece of the learner's code means, where that is a name."""
        for state, frame in ((self._inside, self.event.frame), (self.state, None), (self.state, 1)):
            number = names_of(state, frame).get(source)
            if number is not None:
                return self.state.tensors.get(number) or state.tensors.get(number)
        labelled = [tensor for tensor in self.state.tensors.values() if tensor.label == source]
        return labelled[-1] if labelled else None

    @cached_property
    def _inside(self) -> State:
        """The last state in which the activation that failed was there: the exception may have ended it."""
        for step in range(self.step, max(self.step - _FARTHEST, 0), -1):
            state = self.timeline.state(step)
            if any(frame.frame == self.event.frame for frame in state.frames):
                return state
        return self.state

    def name(self, tensor: int) -> str | None:
        """What the learner calls a tensor."""
        return name_of(self.state, tensor)

    def called_on(self, method: str) -> str | None:
        """The source of `y` in the first `y.method(…)` of the code that failed."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node.attr == method:
                plain = isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
                return ast.unparse(node.value) if plain else f"({ast.unparse(node.value)})"
        return None

    # ------------------------------------------------------------ what went before

    def operations(self) -> Iterator[tuple[int, Op]]:
        """The operations before the failure, the last one first."""
        for step in range(self.step - 1, max(self.step - _FARTHEST, 0), -1):
            if self.timeline.kind(step) == "op":
                event = self.timeline.event(step)
                if isinstance(event, Op):
                    yield step, event

    @cached_property
    def _makers(self) -> dict[int, list[tuple[int, Op]]]:
        made: dict[int, list[tuple[int, Op]]] = {}
        for step, op in self.operations():
            for tensor in op.outputs:
                made.setdefault(tensor, []).append((step, op))
        return made

    def maker(self, tensor: int, before: int | None = None) -> tuple[int, Op] | None:
        """The operation (the last one before a step) that a tensor came out of, and its step."""
        made = self._makers.get(tensor, [])
        return next(((step, op) for step, op in made if before is None or step < before), None)

    def backward_step(self) -> tuple[int, Backward] | None:
        """The backward pass that failed: it began last, in the statement that failed."""
        for info in reversed(self.timeline.passes):
            if info.start_step < self.step:
                event = self.timeline.event(info.start_step)
                over = info.end_step is not None and info.end_step < self.step - 1
                return (info.start_step, event) if isinstance(event, Backward) and not over else None
        return None

    @cached_property
    def stopped(self) -> State:
        """The state in which the pass that failed stopped. Of a graph that no name holds, nothing is left after it."""
        info = next((info for info in reversed(self.timeline.passes) if info.start_step < self.step), None)
        if info is None or info.end_step is None or self.backward_step() is None:
            return self.state
        return self.timeline.state(info.end_step - 1)

    def is_before_loop(self, nodes: Iterable[int | None], step: int) -> bool:
        """Whether these nodes were made before a loop that the program is in at a step."""
        for number in nodes:
            node = self.state.nodes.get(number or 0)
            made = None if node is None else self.timeline.operation(node)
            if made is not None:
                return bool(self.loops(step) - self.loops(made))
        return False

    def loops(self, step: int) -> set[tuple[int, int]]:
        """The loops that the program is in at a step: by activation and header."""
        return {(frame.frame, loop) for frame in self.timeline.state(step).frames for loop in frame.iterations}

    def layer(self, step: int, path: str) -> str:
        """What to call a module of this path inside of the one that the code of a step calls: `net[1]`."""
        callee = ast.unparse(next((n.func for n in ast.walk(parsed(self.timeline.view(step).code))
                                   if isinstance(n, ast.Call)), ast.Name("?")))  # fmt: skip
        inner = path if not path or path.startswith("[") else f".{path}"
        return callee if callee.endswith(inner) or callee.startswith("self") else callee + inner

    def roots(self) -> str | None:
        """What backward was called on, by its name in the code or in the recording."""
        named = self.called_on("backward")
        if named is not None and named not in ("torch.autograd", "autograd"):
            return named
        began = self.backward_step()
        names = [] if began is None else [self.name(root) for root in began[1].roots]
        return names[0] if names and names[0] else None

    def where(self, step: int, code: str | None = None) -> str:
        """`y.backward()` on line 11; or of another piece of code there."""
        view = self.timeline.view(step)
        code = code or view.code or ""
        code = " ".join((code.partition("\n")[0].rstrip(":") if _BLOCK.match(code) else code).split())
        line = _("line {number}", number=view.line) if view.line is not None else _("step {number}", number=step)
        return _("`{code}` on {line}", code=code, line=line) if code and len(code) <= 60 else line


def parsed(source: str | None) -> ast.Module:
    """The tree of a piece of code; empty where it does not stand alone."""
    return _parsed(source) or ast.Module([], [])


def _parsed(source: str | None) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent(source)) if source else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
