"""What the graph pane says of each thing in the graph: its name, what it holds, the gradient that reached it.

What the graph pane shows at a point: the graph, and for each thing in it what there is to know and to do."""

from __future__ import annotations

from dataclasses import replace

from tutor.explain.expressions import look_up
from tutor.i18n import N_, _
from tutor.text_width import width
from tutor.trace import events as ev
from tutor.trace.graph import is_leaf, sent_over
from tutor.trace.history import code_of
from tutor.trace.module_calls import around
from tutor.trace.names import name_of, names_of
from tutor.trace.operands import only_literal, op_texts
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.wire_types import Value
from tutor.ui.panes.graph import lanes as drawing
from tutor.ui.panes.graph.lanes import Edge, Graph, NodeRow
from tutor.ui.panes.graph.skeleton import Builder, GraphOptions, Grower, Item, Skeleton
from tutor.ui.panes.readings import Namer, Texts, brief, figure
from tutor.ui.render.segments import clean

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
        tensor, _ = look_up(before, text)
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


EMPTY = Skeleton({}, [], {}, {}, {}, 0)


class Grapher:
    """Makes the graph at a point; what did not change since the last one is kept."""

    def __init__(self) -> None:
        self.wishes = GraphOptions()
        self.skeleton = EMPTY
        self.linked: frozenset[int] = frozenset()
        """Nodes that are linked with what is marked in another pane."""
        self._timeline: Timeline | None = None
        self._grower: Grower | None = None
        self._rows: Rows | None = None
        self._state = State()
        self._key: object = None
        self._leaves: set[int | None] = set()
        self._edges: list[Edge] = []
        self._ran: list[int] = []
        self._pass: int | None = None

    def at(self, timeline: Timeline, cursor: int) -> Graph:
        """The graph at a point."""
        if timeline is not self._timeline:
            self._timeline = timeline
            self.wishes.opened = {}
            self._grower, self._key = Grower(Builder(timeline, self.wishes)), None
            self._rows = Rows(timeline)
        assert self._rows is not None
        state = self._state = timeline.state(cursor)
        event = timeline.event(cursor) if cursor else None
        self._follow(state)
        self._share(state)
        now = now_of(event, state)
        known: dict[int, NodeRow] = {}
        say = self._rows.at(state, self.skeleton, now, touched(event, state))

        def row(number: int) -> NodeRow:
            made = known.get(number)
            if made is None:
                made = known[number] = say.row(self.skeleton.items[number])
            return replace(made, linked=True) if self.is_linked(number) and not made.now else made

        here = None if now is None else self.skeleton.item_of.get(now, now if now in self.skeleton.items else None)
        return Graph(self.skeleton.numbers, self._edges, row, say.fitted, here, self.skeleton.apart)

    def _follow(self, state: State) -> None:
        """Make the skeleton anew where nodes came or went, or the learner wants to see other things."""
        assert self._grower is not None
        shown = self._key[0] if isinstance(self._key, tuple) else None
        if shown != state.shown:
            grew = shown is not None and shown <= state.shown
            fresh = state.shown - shown if shown is not None and grew else state.shown
            nodes = (state.nodes[number] for number in fresh if number in state.nodes)
            leaves = {node.tensor for node in nodes if is_leaf(node)}
            self._leaves = self._leaves | leaves if grew else leaves
        unused = _unused(state, self._leaves)
        key = (state.shown, unused, self.wishes.others, dict(self.wishes.opened))
        if key != self._key:
            self._key = (state.shown.copy(), *key[1:])
            self.skeleton = self._grower.build(state, unused)
            self._edges, self._ran, self._pass = self.skeleton.edges, [], None

    def _share(self, state: State) -> None:
        """Write the shares on the edges over which gradients went since the last time."""
        last = state.last_pass if state.showing_pass else None
        ran = [] if last is None else last.ran
        number = None if last is None else last.number
        before, self._ran = self._ran, ran
        shorter, longer = sorted((before, ran), key=len)
        if number != self._pass or longer[: len(shorter)] != shorter:
            self._edges, shorter = self.skeleton.edges, []
            longer = ran
        self._pass = number
        users, shared = self.skeleton.users, self.skeleton.shared
        changed = {place for node in longer[len(shorter) :] for place in users.get(node, ())}
        if changed:
            self._edges = self._edges.copy()
            for place in changed:
                parts = [brief(part, "float32") for pair in shared[place] for part in sent_over(state, *pair)]
                self._edges[place] = replace(self._edges[place], share=" + ".join(parts))

    # ------------------------------------------------------------ what stands where

    def is_linked(self, number: int) -> bool:
        """Whether an item is linked with what is marked elsewhere."""
        item = self.skeleton.items.get(number)
        if item is None:
            return False
        data = -item.tensor if item.kind == "input" and item.tensor is not None else number
        return not self.linked.isdisjoint((*item.nodes, number, data))

    def subject(self, number: int) -> tuple[str, int] | None:
        """What there is to know about an item."""
        item = self.skeleton.items.get(number)
        if item is None or item.kind == "heading":
            return None
        if item.kind in ("leaf", "op", "module") and item.node:
            return "node", item.node
        if item.tensor in self._state.tensors:
            return "tensor", item.tensor
        return ("node", item.node) if item.node else None

    def item_of(self, subject: str, ref: int) -> int | None:
        """The item that stands for a node or a tensor; what has no node may be told as its tensor, negative."""
        if subject == "node" and ref > 0:
            return self.skeleton.item_of.get(ref)
        if subject == "node":
            ref = -ref
        held = self._state.tensors.get(ref)
        if held is not None and held.node in self.skeleton.item_of:
            return self.skeleton.item_of[held.node]
        found = (item.number for item in self.skeleton.items.values() if item.tensor == ref)
        return next(found, None)

    # ------------------------------------------------------------ what the learner may do

    def toggle_others(self) -> bool:
        """Show inputs without gradient and constants, or hide them; whether they are shown now."""
        self.wishes.others = not self.wishes.shows_others(self.skeleton.operations)
        return self.wishes.others

    def can_open(self, number: int) -> bool:
        """Whether an item is a closed module."""
        item = self.skeleton.items.get(number)
        return item is not None and item.kind == "module"

    def can_close(self, number: int) -> bool:
        """Whether an item stands in a module that is open."""
        return self._closable(number) is not None

    def open(self, number: int) -> int | None:
        """Show what is in a module; the item to mark then."""
        item = self.skeleton.items.get(number)
        if item is None or item.kind != "module" or item.module is None:
            return None
        self.wishes.opened[item.module] = True
        return item.nodes[0]

    def close(self, number: int) -> int | None:
        """Draw the innermost module around an item as one node; a node in it."""
        module = self._closable(number)
        if module is None:
            return None
        self.wishes.opened[module] = False
        return self.skeleton.items[number].node

    def _closable(self, number: int) -> int | None:
        item = self.skeleton.items.get(number)
        if item is None or item.kind not in ("op", "leaf", "module") or not item.node:
            return None
        module = item.module
        if item.kind == "module" and module is not None:
            module = self._state.modules[module].parent
        elif item.kind == "leaf":
            users = self.skeleton.feeds.get(item.node, [])
            module = self._state.nodes[users[0]].module if users else None
        chain = around(self._state.modules, module)
        return chain[-1] if chain else None


def _unused(state: State, used: set[int | None]) -> tuple[int, ...]:
    """Leaves with a name that no operation has used yet: autograd has no node for them. Not beside a backward pass."""
    if state.showing_pass:
        return ()
    named = {number for frame in state.frames for number in names_of(state, frame).values()} - used
    tensors = (state.tensors[number] for number in named if number is not None)
    return tuple(sorted(one.tensor for one in tensors if one.is_leaf and one.requires_grad))


def now_of(event: ev.Event | None, state: State) -> int | None:
    """The node that just ran, or that the operation just made; of a leaf that nothing has used its tensor, negative."""
    if isinstance(event, (ev.Node, ev.Accumulate)) or (isinstance(event, ev.HookRan) and event.node is not None):
        return event.node
    if isinstance(event, ev.Op) and event.outputs:
        tensor = state.tensors.get(event.outputs[0])
        if tensor is None:
            return None
        return -tensor.tensor if tensor.is_leaf else tensor.node
    if isinstance(event, (ev.Retained, ev.HookRan, ev.Captured)):
        tensor = state.tensors.get(event.tensor)
        if tensor is None or tensor.node is not None:
            return None if tensor is None else tensor.node
        return next((node.node for node in state.nodes.values() if node.tensor == event.tensor and is_leaf(node)), None)
    return None


def touched(event: ev.Event | None, state: State) -> set[int]:
    """The nodes whose gradient this step changed: those that it was sent to, and a leaf that took it."""
    if isinstance(event, ev.Accumulate):
        return {event.node}
    if isinstance(event, ev.Node):
        node = state.nodes.get(event.node)
        sources = () if node is None else zip(node.inputs, event.grad_inputs, strict=False)
        sent = {source[0] for source, value in sources if source is not None and value is not None}
        return sent | ({event.node} if state.last_pass is not None and len(state.last_pass.ran) == 1 else set())
    return set()
