"""Under which names a backward pass is charted, and with which values.

The curve is that of the loss, as the learner calls it, and not of what became of it on the way to `backward`:

- A root with a name is charted under that: `loss.backward()`.
- Else what is charted is the nearest named scalar behind scaling (a product with, or a quotient by, what needs no
  gradient), sums and changes of shape or dtype, with its own value: `(loss / n).backward()` is `loss`, not `loss / n`.
  A leaf is no loss, and neither is a factor of a product in which both sides need gradients.
- A sum of several named scalars is charted as a whole under its source text, and so is each of them that has a name
  of its own (`recon + kl`, `recon`, `kl`); those that only stand in a list (`losses[3]`) are many, and charted as the
  sum alone.
- A name by number changes with every pass where a list grows, so it counts only where the code says it:
  `losses[-1].backward()` is charted as `losses[-1]`.
- Where there is no name, the source text of the root (`cost()`) stands for it; where that is long, or the call stands
  in a library, its file and line.

`autograd.grad` counts as `backward` does, unless it makes a graph of its own: then it is a part of a loss to come.
The recorder asks the same questions of live tensors once the budget is spent, and the names go on.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tutor.trace.scope import is_indexed
from tutor.trace.source import parse

if TYPE_CHECKING:
    from tutor.trace.book import Book

Key = TypeVar("Key", bound=Hashable)
Named = tuple[str, float]
_SUMS = {"AddBackward0", "SubBackward0", "RsubBackward0", "StackBackward0", "CatBackward0"}
_THROUGH = {
    "NegBackward0", "CloneBackward0", "AliasBackward0", "ToCopyBackward0", "ViewBackward0", "UnsafeViewBackward0",
    "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0",
}  # fmt: skip
_REDUCED = {"SumBackward0", "SumBackward1", "MeanBackward0", "MeanBackward1"}
_STACKED = {"StackBackward0", "CatBackward0"}
_MOST_NODES = 4096
_MOST_CURVES = 8
_LONGEST = 60


def is_charted(call: str, create_graph: bool, depth: int) -> bool:
    """Whether a call that starts a pass is one whose roots are charted."""
    return call != "grad" or not (create_graph or depth)


def behind(
    root: Key, kind: Callable[[Key], str], inputs: Callable[[Key], Iterable[Key | None]],
    named: Callable[[Key], Named | None],
) -> list[Named]:  # fmt: skip
    """The named scalars behind the node of a root, in the order of the code, by what the functions tell of nodes."""
    found: dict[str, float] = {}
    seen: set[Key] = set()
    waiting = [root]
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        part = named(node) if node != root else None
        if part is not None:
            found.setdefault(*part)
            continue
        what = kind(node)
        sources = list(inputs(node))
        given = [source for source in sources if source is not None]
        if what in _SUMS or what in _THROUGH or (what == "MulBackward0" and len(given) == 1):
            waiting.extend(reversed(given))
        elif what == "DivBackward0" and len(given) == 1 and sources[0] is not None:
            waiting.append(sources[0])
        elif what in _REDUCED and len(given) == 1 and (kind(given[0]) in _STACKED or named(given[0]) is not None):
            waiting.append(given[0])
    return list(found.items())


def curves(name: str | None, value: float, parts: Sequence[Named], text: str | None, place: str) -> list[Named]:
    """What to chart of a root with this name and value, and these named scalars behind it; `text` is what stands for
    the root in the code, `place` where that is."""
    if name is not None and not is_indexed(name):
        return [(name, value)]
    own = [part for part in parts if not is_indexed(part[0]) or (text is not None and part[0] in text)]
    if name is None and len(parts) == 1 and own:
        return own
    whole = text or name or place
    return [(whole, value), *(own if len(parts) > 1 else ())][:_MOST_CURVES]


def source_of(book: Book, site: int, number: int, count: int) -> tuple[str | None, str]:
    """What stands in the code for the root of this number among so many of the call at a site, and where that is."""
    info = book.sites.get(site)
    if info is None:
        return None, "loss"
    source = book.sources.get(info.file)
    place = f"{'' if source is None else os.path.basename(source.path)}:{info.span[0]}"
    code = None if info.depth else book.code(info.file, info.span)
    text = None if code is None else _root_text(code, number, count)
    return (text if text is not None and len(text) <= _LONGEST else None), place


def _root_text(code: str, number: int, count: int) -> str | None:
    tree = parse(f"({code})", "eval")
    call = tree.body if isinstance(tree, ast.Expression) else None
    if not isinstance(call, ast.Call):
        return None
    callee = call.func
    if isinstance(callee, ast.Attribute) and callee.attr == "backward" and not _is_namespace(callee.value):
        roots: ast.expr | None = callee.value
    else:
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        roots = call.args[0] if call.args else keywords.get("tensors", keywords.get("outputs"))
    if isinstance(roots, ast.List | ast.Tuple):
        if len(roots.elts) != count or any(isinstance(item, ast.Starred) for item in roots.elts):
            return None
        roots = roots.elts[number]
    elif count != 1:
        return None
    text = None if roots is None else ast.get_source_segment(f"({code})", roots)
    return None if text is None else " ".join(text.split())


def _is_namespace(node: ast.expr) -> bool:
    """Whether `backward` is looked up in `torch.autograd` or in `torch.Tensor`, rather than in a tensor."""
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return last in ("autograd", "Tensor")
