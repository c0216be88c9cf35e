"""What the graph pane says of each thing in the graph: its name, what it holds, the gradient that reached it."""

from __future__ import annotations

from dataclasses import replace

from tutor.explain.expressions import find
from tutor.i18n import N_, _
from tutor.text_width import width
from tutor.trace import events as ev
from tutor.trace.history import code_of
from tutor.trace.module_calls import around
from tutor.trace.names import name_of, names_of
from tutor.trace.operands import only_literal, op_texts
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.wire_types import Value
from tutor.ui.draw import graph as drawing
from tutor.ui.draw.graph import NodeRow
from tutor.ui.draw.row import clean
from tutor.ui.reading import Namer, Texts, brief, figure
from tutor.ui.skeleton import Item, Skeleton

_VALUE = 24
"""The widest a value gets."""
_NAME = 18
"""The widest a module's name gets."""
_TERMS = 12
"""Of so many shares each is said."""
_OUTER = 4
"""In so many frames, from the outermost on, parameters are looked for by name."""

Said = tuple[str, Value, str]
"""A name, a value and its dtype."""

_GIVEN = {"constant": N_("constant"), "input": N_("input")}


class Rows:
    """Makes rows for one point after the other of one recording."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._text = Texts(figure, _VALUE)
        self._given: dict[int, Said] = {}
        """Of each input and constant: what it was when the operation ran."""
        self._codes: dict[int, str] = {}
        self._derived: dict[int, str] = {}
        """By node of a second graph: what it computed."""
        self._roots: dict[int, str] = {}
        """By outermost module: its name."""

    def at(self, state: State, skeleton: Skeleton, now: int | None, sent: set[int]) -> Rows:
        """From now on about this point."""
        self._state, self._skeleton, self._now, self._sent = state, skeleton, now, sent
        self._namer = Namer(state)
        self._lasting: dict[int, str] | None = None
        return self

    def row(self, item: Item) -> NodeRow:
        """The row of a thing."""
        if item.kind == "heading":
            return NodeRow(item.number, _(item.text, number=item.place), "", "", kind="heading")
        if item.kind in ("constant", "input"):
            name, value, dtype = self._what_was_given(item)
            text = value if isinstance(value, str) else self._text(value, dtype) if value is not None else ""
            return NodeRow(item.number, _(_GIVEN[item.kind]), name, text, kind=item.kind)
        if item.kind == "module":
            return self._module(item)
        node = self._state.nodes.get(item.node)
        if node is None:
            node = NodeState(item.number, "AccumulateGrad", [], item.tensor, -1, [])
        row = self._node(node, item, item.number == self._now)
        name = self._name(node.tensor) or self._derivative(node)
        return replace(row, name=name, code="" if name else self._code(node))

    def _node(self, node: NodeState, item: Item, now: bool) -> NodeRow:
        value, dtype = value_of(self._state, node)
        text = "" if value is None else self._text(value, dtype)
        if value is None and node.shape is not None:
            text = "x".join(map(str, node.shape)) or _("scalar")
        grad, parts = self._reached(node)
        shares = " + ".join(brief(part, dtype) for part in parts[:_TERMS]) if len(parts) > 1 else ""
        if len(parts) > _TERMS:
            shares += _(" + {count:,} more", count=len(parts) - _TERMS)
        return NodeRow(
            item.number, drawing.label_of(node.name), "", text,
            grad=self._text(grad, dtype) if grad is not None else shares,
            parts=shares if grad is not None else "",
            kind=item.kind, freed=node.state == "freed", now=now, new=not self._sent.isdisjoint(item.nodes),
        )  # fmt: skip

    def _module(self, item: Item) -> NodeRow:
        """A module is what its output is; while it runs backward, how far it has come."""
        nodes = [self._state.nodes[number] for number in item.nodes if number in self._state.nodes]
        now = self._now in item.nodes
        row = self._node(self._state.nodes[item.node], item, now)
        ran = sum(node.order > 0 for node in nodes)
        name = self.module_name(item.module or 0)
        if now and ran:
            name = f"{name} {ran}/{len(nodes)}"
        kind = self._state.modules[item.module or 0].kind
        return replace(row, label=clean(kind), name=name, freed=any(node.state == "freed" for node in nodes),
                       new=self._sent_to_output(item))  # fmt: skip

    def _sent_to_output(self, item: Item) -> bool:
        return item.node in self._sent

    def fitted(self, row: NodeRow, cells: int, grad_cells: int) -> NodeRow:
        """The row with its value and its gradient in so many cells, as far as that goes."""
        item = self._skeleton.items[row.node]
        node = self._state.nodes.get(item.node)
        if item.kind in ("constant", "input"):
            _, value, dtype = self._what_was_given(item)
        elif node is None:  # a leaf that nothing has used yet
            value, dtype = value_of(self._state, NodeState(item.number, "AccumulateGrad", [], item.tensor, -1, []))
        else:
            value, dtype = value_of(self._state, node)
        if value is not None and not isinstance(value, str) and width(row.value) > cells:
            row = replace(row, value=figure(value, dtype, cells))
        grad = None if node is None or item.kind in ("constant", "input") else self._reached(node)[0]
        if grad is not None and width(row.grad) > grad_cells:
            row = replace(row, grad=figure(grad, dtype, grad_cells))
        return row

    def _reached(self, node: NodeState) -> tuple[Value, list[Value]]:
        """The gradient that reached a node, and the shares that it is the sum of, in the order in which they came."""
        state = self._state
        users = (state.nodes.get(number) for number in dict.fromkeys(self._skeleton.feeds.get(node.node, ())))
        ran = sorted((user for user in users if user is not None and user.order), key=lambda user: user.order)
        parts = [
            value
            for user in ran
            for source, value in zip(user.inputs, user.grad_inputs or (), strict=False)
            if source is not None and source[0] == node.node and value is not None
        ]
        if node.grad_outputs:
            return node.grad_outputs[0], parts
        return (parts[0], parts) if len(parts) == 1 else (None, parts)

    # ------------------------------------------------------------ names

    def _name(self, tensor: int | None) -> str:
        """A parameter is called by the path of its module, also in the function in which it is at work."""
        held = None if tensor is None else self._state.tensors.get(tensor)
        if held is not None and held.class_name == "Parameter":
            if self._lasting is None:
                self._lasting = {}
                for frame in self._state.frames[:_OUTER]:
                    for name, number in names_of(self._state, frame).items():
                        self._lasting.setdefault(number, name)
            lasting = self._lasting.get(held.tensor)
            if lasting is not None:
                return lasting
        return self._namer(tensor)

    def _derivative(self, node: NodeState) -> str:
        """What a node of the second graph computed: the gradient of what, and over which of its uses if of several."""
        name = self._derived.get(node.node, "")
        passed = None if node.of is None or name else self._state.nodes.get(node.of[0])
        if node.of is None or passed is None:
            return name
        which = node.of[1]
        source = passed.inputs[which] if 0 <= which < len(passed.inputs) else None
        of = passed if which < 0 or source is None else self._state.nodes.get(source[0], passed)
        called, through = self._name(of.tensor), self._name(passed.tensor)
        if called:
            uses = sum(
                came is not None and came[0] == of.node
                for one in self._state.nodes.values()
                if one.node < node.node and one.of_pass != node.of_pass
                for came in one.inputs
            )
            via = _(" via {name}", name=through) if of is not passed and uses > 1 and through else ""
            name = self._derived[node.node] = f"∇{called}{via}"
        return name

    def module_name(self, module: int) -> str:
        """The name of a module: `fc1`, `net[0]`; of the outermost what the learner calls it."""
        info = self._state.modules.get(module)
        if info is None:
            return ""
        name = info.path.removeprefix(".")
        if not name or name.startswith("["):
            outermost = around(self._state.modules, module)[0]
            root = self._roots[outermost] = self._roots.get(outermost) or self._root(outermost)
            name = root + name
        return clean(name if len(name) <= _NAME else "…" + name[1 - _NAME :])

    def _root(self, outermost: int) -> str:
        """What the learner calls the outermost module, by the name of one of its parameters."""
        state = self._state
        for node in state.nodes.values():
            if node.tensor is None or node.sequence >= 0:
                continue
            for number in self._skeleton.feeds.get(node.node, ()):
                info = state.modules.get(state.nodes[number].module or 0)
                name, dot, _ = self._name(node.tensor).rpartition(".")
                if info is None or not dot or not name.endswith(info.path):
                    continue
                if outermost in around(state.modules, info.module):
                    return name[: len(name) - len(info.path)]
        return ""

    def _code(self, node: NodeState) -> str:
        """The expression that made what has no name."""
        known = self._codes.get(node.node)
        if known is None:
            known = self._codes[node.node] = clean(code_of(self.timeline, node))
        return known

    def _what_was_given(self, item: Item) -> Said:
        """What an operation was given, as it was then."""
        said = self._given.get(item.number)
        if said is None:
            said = self._given[item.number] = self._look(item)
        return said

    def _look(self, item: Item) -> Said:
        node = self._state.nodes[item.node]
        step = self.timeline.operation(node)
        if step is None:
            return "", None, ""
        if item.tensor is None and sum(tensor is None for _, tensor, _ in node.others) == 1:
            text = only_literal(self.timeline, node.site)
            if text is not None:  # no need to go back to where it ran
                return "", clean(text), ""
        before = self.timeline.state(step - 1)
        if item.tensor is not None:
            held = before.tensors.get(item.tensor)
            if held is not None:
                return clean(name_of(before, item.tensor) or ""), held.value, held.dtype
            return "", None, ""
        event, texts = self.timeline.event(step), op_texts(self.timeline, step)
        if not isinstance(event, ev.Op) or texts is None or item.place >= len(texts):
            return "", None, ""
        text = clean(texts[item.place])
        tensor, _ = find(before, text)
        frames = [*reversed(before.frames[1:]), *before.frames[:1]]
        bound = next((frame.names[text] for frame in frames if text in frame.names), None)
        if tensor is None and bound is not None and isinstance(bound.value, (int, float)):
            return text, repr(bound.value), ""
        return ("", text, "") if text[:1] in "0123456789.-+([" else (text, None, "")


def value_of(state: State, node: NodeState) -> tuple[Value, str]:
    """What a node made, or what the leaf holds; and of which kind its numbers are."""
    tensor = None if node.tensor is None else state.tensors.get(node.tensor)
    dtype = tensor.dtype if tensor is not None else "float32"
    return (node.value if tensor is None or node.sequence >= 0 else tensor.value), dtype
