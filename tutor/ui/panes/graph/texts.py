"""Texts of the nodes of the graph pane: the name, the value and the gradient that reached each."""

from __future__ import annotations

from dataclasses import replace

from tutor.explain.expressions import look_up
from tutor.explain.formatting import TensorNames, ValueTexts
from tutor.i18n import N_, _
from tutor.text_width import width
from tutor.trace import events as ev
from tutor.trace.graph import is_leaf
from tutor.trace.history import code_of
from tutor.trace.memory import memory_of
from tutor.trace.module_calls import with_ancestors
from tutor.trace.names import name_of, names_of
from tutor.trace.number_format import number, shape, summary
from tutor.trace.operands import only_literal, op_texts
from tutor.trace.state import NodeState, State
from tutor.trace.timeline import Timeline
from tutor.trace.values import Value, shape_of
from tutor.ui.panes.graph import lanes as drawing
from tutor.ui.panes.graph.lanes import NodeRow
from tutor.ui.panes.graph.names import common_head
from tutor.ui.panes.graph.structure import (
    GraphStructure,
    Item,
)
from tutor.ui.render.segments import clean

_VALUE_WIDTH = 30
"""Maximum width of a value, in cells."""
TERM_WIDTH = 12
"""Maximum width of a term of a sum, in cells."""
_MAX_TERMS = 12
"""Maximum number of shares of a gradient that are listed."""
_OUTER_FRAMES = 4
"""Number of outermost frames in which parameters are looked up by name."""

OperandText = tuple[str, Value, str]
"""A name, a value and its dtype."""

_OPERAND_LABELS = {"constant": N_("constant"), "input": N_("input")}


# ------------------------------------------------------------ texts of nodes


def value_text(value: Value, dtype: str, cells: int) -> str:
    """Return a value in at most `cells` cells: its numbers, or its range."""
    return summary(value, dtype, _sizes(value, dtype), cells)


def gradient_text(value: Value, dtype: str, cells: int) -> str:
    """Return a gradient in at most `cells` cells: its numbers, or its norm."""
    return summary(value, dtype, _sizes(value, dtype), cells, gradient=True)


def _sizes(value: Value, dtype: str) -> tuple[int, ...]:
    sizes = shape_of(value)
    return sizes[:-1] if dtype.startswith("complex") and isinstance(value, list) else sizes


class NodeTexts:
    """Makes the rows of nodes, step after step of a recording."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._text = ValueTexts(value_text, _VALUE_WIDTH)
        self._grad_text = ValueTexts(gradient_text, _VALUE_WIDTH)
        self._operands: dict[int, OperandText] = {}
        """By item: the text of an input or a constant when the operation ran."""
        self._expressions: dict[int, str] = {}
        self._derivative_names: dict[int, str] = {}
        """By node of a second graph: the name of what it computed."""
        self._root_names: dict[int, str] = {}
        """By outermost module: its name."""

    def at_step(self, state: State, structure: GraphStructure, now: int | None, sent: set[int]) -> NodeTexts:
        """Set the step that the following calls are about, and return self."""
        self._state, self._structure, self._now, self._sent = state, structure, now, sent
        self._names = TensorNames(state)
        self._parameter_names: dict[int, str] | None = None
        return self

    def row(self, item: Item) -> NodeRow:
        """Return the row of an item."""
        if item.kind == "heading":
            return NodeRow(item.number, _(item.text, number=item.place), "", "", kind="heading")
        if item.kind in ("constant", "input"):
            name, value, dtype = self._operand(item)
            text = value if isinstance(value, str) else self._text(value, dtype) if value is not None else ""
            return NodeRow(item.number, _(_OPERAND_LABELS[item.kind]), name, text, kind=item.kind)
        if item.is_folded:
            return self._folded(item)
        node = self._state.nodes.get(item.node)
        if node is None:
            node = NodeState(item.number, "AccumulateGrad", [], item.tensor, -1, [])
        row = self._node(node, item, self._now == item.number or self._now in item.views)
        name = self._name(node.tensor) or self._derivative_name(node)
        return replace(row, name=name, code="" if name else self._expression(node))

    def _node(self, node: NodeState, item: Item, now: bool) -> NodeRow:
        """Return the row of a node, without its name."""
        value, dtype = value_of(self._state, node)
        text = "" if value is None else self._text(value, dtype)
        sizes = "" if value is not None or node.shape is None else shape(node.shape)
        grad, parts = self._grad_and_shares(node)
        shares = (
            " + ".join(gradient_text(part, dtype, TERM_WIDTH) for part in parts[:_MAX_TERMS]) if len(parts) > 1 else ""
        )
        if len(parts) > _MAX_TERMS:
            shares += _(" + {count:,} more", count=len(parts) - _MAX_TERMS)
        return NodeRow(
            item.number, drawing.label_of(node.name), "", text,
            grad=self._grad_text(grad, dtype) if grad is not None else shares,
            parts=shares if grad is not None else "",
            kind=item.kind, freed=node.state == "freed", now=now,
            new=not self._sent.isdisjoint(item.nodes) and (item.kind != "leaf" or self._now == item.number),
            arrived=item.kind == "leaf" and not node.order,
            shape=sizes, progress=self._view_progress(item), kept=self._kept(item),
        )  # fmt: skip

    def _kept(self, item: Item) -> int:
        """Return the bytes that the nodes of an item keep before a pass."""
        state = self._state
        if state.showing_pass:
            return 0
        nodes = (state.nodes[number] for number in (*item.nodes, *item.views) if number in state.nodes)
        return memory_of(self.timeline).kept_by(state, *nodes)

    def _view_progress(self, item: Item) -> str:
        """Return the hidden view of an item that is current: `→ view`."""
        view = self._state.nodes[self._now] if self._now in item.views else None
        return "" if view is None else f"→ {drawing.label_of(view.name)}"

    def _folded(self, item: Item) -> NodeRow:
        """Return the row of a folded module or chain: its shapes, the gradient of its output and what it sent on."""
        state = self._state
        nodes = [state.nodes[number] for number in item.nodes if number in state.nodes]
        is_current = self._now in (*item.nodes, *item.views)
        row = self._node(state.nodes[item.node], item, is_current)
        ran_count = sum(node.order > 0 for node in nodes)
        progress = f"{ran_count}/{len(nodes)}" if is_current and ran_count else row.progress
        if item.kind == "repeat":
            label, name = item.text, self._repeat_name(item)
        else:
            label, name = clean(state.modules[item.module or 0].kind), self.module_name(item.module or 0)
        return replace(row, label=label, name=name, kind="module", value="", shape=self._shapes(item), parts="",
                       sent=self._sent_on(item), progress=progress, new=item.node in self._sent,
                       freed=any(node.state == "freed" for node in nodes))  # fmt: skip

    def _repeat_name(self, item: Item) -> str:
        """Return how often a chain is repeated, after what the names of its modules begin with: `blocks ×20`."""
        names = {self.module_name(module) for module in item.calls}
        common = common_head(tuple(names)).rstrip(".[") if len(names) > 1 else "".join(names)
        return f"{common} ×{item.place}".lstrip()

    def _inputs(self, item: Item) -> list[tuple[NodeState, int]]:
        """Return the edges into a folded module or chain: the node inside, and the index of the input."""
        inside = {*item.nodes}
        nodes = (self._state.nodes[number] for number in item.nodes if number in self._state.nodes)
        return [
            (node, index)
            for node in nodes
            for index, source in enumerate(node.inputs)
            if source is not None and source[0] not in inside
        ]

    def _shapes(self, item: Item) -> str:
        """Return the shapes of what a folded module or chain takes and gives: `4×8×16 → 4×8×48`."""
        state = self._state
        output = state.nodes[item.node].shape
        result = "" if output is None else shape(output)
        if item.kind == "repeat" and not item.calls:
            return result
        sources = [state.nodes.get((node.inputs[index] or (0, 0))[0]) for node, index in self._inputs(item)]
        shapes = [
            node.shape
            for node in sources
            if node is not None and node.shape is not None and not is_parameter(node, state)
        ]
        if not shapes:
            others = (
                entry[1] for number in item.nodes if number in state.nodes for entry in state.nodes[number].others
            )
            tensors = (state.tensors[number] for number in others if number in state.tensors)
            shapes = [tensor.shape for tensor in tensors]
        taken = "" if not shapes else shape(shapes[0])
        return f"{taken} → {result}" if taken and result else result

    def _sent_on(self, item: Item) -> str:
        """Return the gradient that a folded module or chain sent to its input, if it has a single one."""
        inputs = self._inputs(item)
        sources = {(node.inputs[index] or (0, 0))[0] for node, index in inputs}
        gradients = [
            node.grad_inputs[index]
            for node, index in inputs
            if node.grad_inputs is not None and index < len(node.grad_inputs) and node.grad_inputs[index] is not None
        ]
        return self._grad_text(gradients[0], "float32") if len(sources) == len(gradients) == 1 else ""

    def fitted(self, row: NodeRow, cells: int, grad_cells: int) -> NodeRow:
        """Return the row with its value and its gradient shortened to these numbers of cells, as far as possible."""
        item = self._structure.items[row.node]
        node = self._state.nodes.get(item.node)
        if item.kind in ("constant", "input"):
            _, value, dtype = self._operand(item)
        elif node is None:  # a leaf that no operation has used yet
            value, dtype = value_of(self._state, NodeState(item.number, "AccumulateGrad", [], item.tensor, -1, []))
        else:
            value, dtype = value_of(self._state, node)
        if value is not None and not isinstance(value, str) and width(row.value) > cells:
            row = replace(row, value=value_text(value, dtype, cells))
        grad = None if node is None or item.kind in ("constant", "input") else self._grad_and_shares(node)[0]
        if grad is not None and width(row.grad) > grad_cells:
            row = replace(row, grad=gradient_text(grad, dtype, grad_cells))
        return row

    def matrix(self, number: int) -> tuple[Value, str, tuple[int, ...]] | None:
        """Return the value, dtype and shape of an item that is a matrix with several rows; None for others."""
        item = self._structure.items[number]
        node = self._state.nodes.get(item.node)
        if node is None or item.kind not in ("op", "leaf"):
            return None
        value, dtype = value_of(self._state, node)
        sizes = _sizes(value, dtype)
        return (value, dtype, sizes) if len(sizes) == 2 and sizes[0] > 1 else None

    def _grad_and_shares(self, node: NodeState) -> tuple[Value, list[Value]]:
        """Return the gradient that reached a node, and the shares that add up to it, in order of arrival."""
        state = self._state
        consumers = (state.nodes.get(number) for number in dict.fromkeys(self._structure.consumers.get(node.node, ())))
        executed = sorted((node for node in consumers if node is not None and node.order), key=lambda node: node.order)
        shares = [
            value
            for consumer in executed
            for source, value in zip(consumer.inputs, consumer.grad_inputs or (), strict=False)
            if source is not None and source[0] == node.node and value is not None
        ]
        if node.grad_outputs:
            return node.grad_outputs[0], shares
        return (shares[0], shares) if len(shares) == 1 else (None, shares)

    # ------------------------------------------------------------ names

    def _name(self, tensor: int | None) -> str:
        """Return the name of a tensor; a parameter keeps its path in the model, also within functions that use it."""
        record = None if tensor is None else self._state.tensors.get(tensor)
        if record is not None and record.class_name == "Parameter":
            if self._parameter_names is None:
                self._parameter_names = {}
                for frame in self._state.frames[:_OUTER_FRAMES]:
                    for name, number in names_of(self._state, frame).items():
                        self._parameter_names.setdefault(number, name)
            path = self._parameter_names.get(record.tensor)
            if path is not None:
                return path
        return self._names(tensor)

    def _derivative_name(self, node: NodeState) -> str:
        """Return the name of the gradient that a node of a second graph computed, with the use it came through."""
        name = self._derivative_names.get(node.node, "")
        forward_node = None if node.of is None or name else self._state.nodes.get(node.of[0])
        if node.of is None or forward_node is None:
            return name
        input_index = node.of[1]
        source = forward_node.inputs[input_index] if 0 <= input_index < len(forward_node.inputs) else None
        differentiated = forward_node
        if input_index >= 0 and source is not None:
            differentiated = self._state.nodes.get(source[0], forward_node)
        of_name, forward_name = self._name(differentiated.tensor), self._name(forward_node.tensor)
        if of_name:
            uses = sum(
                source is not None and source[0] == differentiated.node
                for user in self._state.nodes.values()
                if user.node < node.node and user.of_pass != node.of_pass
                for source in user.inputs
            )
            is_input = differentiated is not forward_node
            via = _(" via {name}", name=forward_name) if is_input and uses > 1 and forward_name else ""
            name = self._derivative_names[node.node] = f"∇{of_name}{via}"
        return name

    def module_name(self, module: int) -> str:
        """Return the name of a module: `fc1`, `net[0]`; of the outermost, the learner's name for it."""
        info = self._state.modules.get(module)
        if info is None:
            return ""
        name = info.path.removeprefix(".")
        if not name or name.startswith("["):
            outermost = with_ancestors(self._state.modules, module)[0]
            root = self._root_names[outermost] = self._root_names.get(outermost) or self._root_name(outermost)
            name = root + name
        return clean(name)

    def _root_name(self, outermost: int) -> str:
        """Return the learner's name for an outermost module, found in the path of one of its parameters."""
        state = self._state
        for node in state.nodes.values():
            if node.tensor is None or node.sequence >= 0:
                continue
            for consumer in self._structure.consumers.get(node.node, ()):
                info = state.modules.get(state.nodes[consumer].module or 0)
                name, dot, _ = self._name(node.tensor).rpartition(".")
                if info is None or not dot or not name.endswith(info.path):
                    continue
                if outermost in with_ancestors(state.modules, info.module):
                    return name[: len(name) - len(info.path)]
        return ""

    def _expression(self, node: NodeState) -> str:
        """Return the expression that made an unnamed value."""
        expression = self._expressions.get(node.node)
        if expression is None:
            expression = self._expressions[node.node] = clean(code_of(self.timeline, node))
        return expression

    def _operand(self, item: Item) -> OperandText:
        """Return the text of an input or constant as it was when the operation ran."""
        operand = self._operands.get(item.number)
        if operand is None:
            operand = self._operands[item.number] = self._find_operand(item)
        return operand

    def _find_operand(self, item: Item) -> OperandText:
        node = self._state.nodes[item.node]
        step = self.timeline.operation(node)
        if step is None:
            return "", None, ""
        if item.tensor is None and sum(tensor is None for _, tensor, _ in node.others) == 1:
            text = only_literal(self.timeline, node.site)
            if text is not None:  # no need to restore the state in which it ran
                return "", clean(text), ""
        before = self.timeline.state(step - 1)
        if item.tensor is not None:
            record = before.tensors.get(item.tensor)
            if record is not None:
                return clean(name_of(before, item.tensor) or ""), record.value, record.dtype
            return "", None, ""
        event, texts = self.timeline.event(step), op_texts(self.timeline, step)
        if not isinstance(event, ev.Op) or texts is None or item.place >= len(texts):
            return "", None, ""
        text = clean(texts[item.place])
        tensor, _ = look_up(before, text)
        frames = [*reversed(before.frames[1:]), *before.frames[:1]]
        binding = next((frame.names[text] for frame in frames if text in frame.names), None)
        if tensor is None and binding is not None and isinstance(binding.value, (int, float)):
            return text, number(binding.value), ""
        return ("", text, "") if text[:1] in "0123456789.-+([" else (text, None, "")


def is_parameter(node: NodeState, state: State) -> bool:
    """Return whether a node is the leaf of a parameter."""
    tensor = state.tensors.get(node.tensor or 0) if is_leaf(node) else None
    return tensor is not None and tensor.class_name == "Parameter"


def value_of(state: State, node: NodeState) -> tuple[Value, str]:
    """Return the value that a node made or a leaf holds, and its dtype."""
    tensor = None if node.tensor is None else state.tensors.get(node.tensor)
    dtype = tensor.dtype if tensor is not None else "float32"
    return (node.value if tensor is None or node.sequence >= 0 else tensor.value), dtype
