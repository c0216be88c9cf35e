"""Work out the values inside a composite operation: einsum, attention, a recurrent layer.

Of the nodes inside, the recording has names, attributes and gradients; of values, those of the operands alone. The
result of a node is computed from the results before it, down to the operands. Where a value is unknown, so is what
follows from it, and rules that need it explain nothing. Rules are verified with these values as with recorded ones.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tutor.explain.provenance import UNKNOWN, RecordedOp, describe_result_of
from tutor.explain.rules.arrays import Grid, Shape, broadcast_indices, count, map_slices, reduced_shape
from tutor.explain.rules.layers import attention_weights, causal_mask, run_lstm
from tutor.explain.rules.linalg import find_inverse, find_singular_values, transposed_name
from tutor.explain.rules.registry import Operand
from tutor.explain.rules.scans import softmax
from tutor.explain.rules.shape import MOVES, dimension_of, order_of, parts_of, strided_indices, strides, without
from tutor.i18n import _
from tutor.trace.number_format import number
from tutor.trace.state import NodeState, State

_DEEPEST = 80
"""Most nodes one after the other whose results are worked out."""
_ATTENTION = "scaled_dot_product_attention"
_SAVED_AS = {
    "MulBackward0": ("self", "other"), "DivBackward0": ("self", "other"), "MmBackward0": ("self", "mat2"),
    "BmmBackward0": ("self", "mat2"), "MvBackward0": ("self", "vec"), "DotBackward0": ("self", "tensor"),
    "AddmmBackward0": ("", "mat1", "mat2"), "BaddbmmBackward0": ("", "batch1", "batch2"),
    "MkldnnRnnLayerBackward0": ("input", "weight0", "weight1", "weight2", "weight3", "hx_", "cx_"),
}  # fmt: skip
"""The names under which nodes save their inputs."""
_USES = {
    (_ATTENTION, "AddBackward0", 1): 3, ("gru", "SubBackward0", 0): 1, ("gru_cell", "SubBackward0", 0): 1,
}  # fmt: skip
"""By operation, node inside it and input of that: the operand that is used there, where the node does not save it."""
_ELEMENTWISE = ("AddBackward0", "SubBackward0", "MulBackward0", "DivBackward0")
_KEEP_SIZE = (
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "UnsqueezeBackward0", "TBackward0", "TransposeBackward0", "PermuteBackward0", "CloneBackward0",
    "MulBackward1", "DivBackward1", "TanhBackward0", "SigmoidBackward0", "ReluBackward0", "SoftmaxBackward0",
    "SafeSoftmaxBackward0",
)  # fmt: skip
"""Nodes whose result has as many elements as their input."""


class _Intermediate(Operand, frozen=True):
    """A result inside a composite."""

    origin: Operand | None = None
    """What its elements were taken from, where it is a view, or a copy in another order."""
    places: Sequence[int] = ()
    """For each element, its flat index in the origin."""


class Composite:
    """The values inside an operation."""

    def __init__(self, state: State, made: RecordedOp) -> None:
        self._state, self._made = state, made
        self._results: dict[tuple[int, int, Shape | None], Operand] = {}
        self._depth = 0

    def operands(self, node: NodeState, shapes: Sequence[Shape | None], to: Shape) -> list[Operand]:
        """Return the inputs of a node; their shapes are known where they got a gradient, `to` is that of its result."""
        usual = to if node.name in _ELEMENTWISE else None
        return [self.operand(node, place, usual if shape is None else shape) for place, shape in enumerate(shapes)]

    def operand(self, node: NodeState, place: int, shape: Shape | None) -> Operand:
        """Return an input of a node: an operand of the operation, or the result of another node.

        Args:
            node: The node.
            place: The place of the input.
            shape: Its shape; None where it is not known.
        """
        source = node.inputs[place] if place < len(node.inputs) else None
        if source is None:
            try:
                return self._constant(node, place, shape)
            except (LookupError, ValueError):  # another number of elements
                return Operand(UNKNOWN, shape or (), None)
        source_node = self._state.nodes.get(source[0])
        if source_node is None:
            return Operand(UNKNOWN, shape or (), None)
        return self._own_operand(source_node) or self.result(source_node, source[1], shape)

    def _own_operand(self, node: NodeState) -> Operand | None:
        """Return the operand of the operation that is the result of a node, or its leaf; None for nodes inside."""
        for operand in self._made.operands:
            tensor = self._state.tensors.get(operand.tensor or 0)
            if operand.tensor is not None and (
                node.tensor == operand.tensor or (tensor is not None and tensor.node == node.node)
            ):
                return operand
        return None

    def result(self, node: NodeState, output: int, shape: Shape | None) -> Operand:
        """Return a result of a node."""
        key = node.node, output, shape
        if key not in self._results:
            if self._depth == _DEEPEST:
                raise LookupError("too deep")
            self._depth += 1
            try:
                self._results[key] = self._work_out(node, output, shape)
            except (LookupError, ArithmeticError, ValueError, TypeError):
                self._results[key] = Operand(describe_result_of(node.name), shape or (), None)
            finally:
                self._depth -= 1
        return self._results[key]

    def _work_out(self, node: NodeState, output: int, shape: Shape | None) -> Operand:
        moved = self._move(node, output, shape)
        if moved is not None:
            return moved
        call = _Call(self, node, output, shape)
        grid = _FORWARD[node.name](call)
        if shape is not None and grid.shape != shape:
            grid = grid.reshape(shape)
        return Operand(self._name(node), grid.shape, grid)

    def _name(self, node: NodeState) -> str:
        """Return a name for a result."""
        if self._made.op == _ATTENTION:
            if node.name == "MulBackward1" and not self._made.arguments.get("scale"):
                return f"({self.operand(node, 0, None).name}/⁴√{self._made.operands[0].shape[-1]})"
            if "Softmax" in node.name:
                return "P"
            if node.name in ("BmmBackward0", "MmBackward0", "AddBackward0"):
                return _("the scores")
        return describe_result_of(node.name)

    def _move(self, node: NodeState, output: int, shape: Shape | None) -> Operand | None:
        """Return a result whose elements each are one of the input's; None where it is another."""
        attributes = node.attributes
        sizes: Shape | None = tuple(attributes["self_sym_sizes"]) if "self_sym_sizes" in attributes else None
        places: Sequence[int]
        if node.name in ("UnsafeSplitBackward0", "SplitBackward0", "SplitWithSizesBackward0") and sizes is not None:
            places = parts_of(attributes, sizes)[output]
            a = self.operand(node, 0, sizes)
            shape = shape or (*sizes[:-1], len(places) // count(sizes[:-1]))
        elif node.name in ("CloneBackward0", "ToCopyBackward0"):
            a = self.operand(node, 0, shape)
            shape, places = a.shape, range(count(a.shape))
        elif node.name.startswith(("TBackward", "Transpose", "Permute")):
            if shape is not None:
                order = order_of(node.name, attributes, len(shape))
                sizes = tuple(shape[order.index(i)] for i in range(len(shape)))
            a = self.operand(node, 0, sizes)
            shape = tuple(a.shape[i] for i in order_of(node.name, attributes, len(a.shape)))
            places = MOVES[node.name](a, attributes, shape).places
        elif shape is None:
            return None
        elif node.name == "UnbindBackward0":
            dimension = attributes["dim"] % (len(shape) + 1)
            sizes = (*shape[:dimension], self.size(node, 0) // count(shape), *shape[dimension:])
            a, places = self.operand(node, 0, sizes), parts_of(attributes, sizes)[output]
        elif node.name == "ExpandBackward0":
            a = self.operand(node, 0, sizes)
            places = broadcast_indices(a.shape, shape)
        elif node.name in MOVES:
            if node.name.startswith("Unsqueeze"):
                sizes = without(shape, dimension_of(attributes, shape))
            a = self.operand(node, 0, sizes)
            places = MOVES[node.name](a, attributes, shape).places
        else:
            return None
        return self._moved(node, a, shape, places)

    def size(self, node: NodeState, place: int) -> int:
        """Return how many elements an input of a node has. Raises LookupError where that is not known."""
        source = node.inputs[place]
        source_node = None if source is None else self._state.nodes.get(source[0])
        if source_node is None or self._own_operand(source_node) is not None:
            return count(self.operand(node, place, None).numbers.shape)
        attributes = source_node.attributes
        if source_node.name in ("MmBackward0", "AddmmBackward0"):
            first = "self" if source_node.name == "MmBackward0" else "mat1"
            return int(attributes[f"{first}_sym_sizes"][0] * attributes["mat2_sym_sizes"][1])
        if source_node.name in _ELEMENTWISE:
            return max(self.size(source_node, 0), self.size(source_node, 1))
        if source_node.name not in _KEEP_SIZE:
            raise LookupError(source_node.name)
        return count(attributes["self_sym_sizes"]) if "self_sym_sizes" in attributes else self.size(source_node, 0)

    def _moved(self, node: NodeState, a: Operand, shape: Shape, places: Sequence[int]) -> Operand:
        """Return elements of an operand, named as it where they have the same order, or that of its transpose."""
        grid = None
        if a.grid is not None:
            grid = Grid.of(shape, [a.grid.flat[at] if at >= 0 else 0.0 for at in places])
        origin = a
        if isinstance(a, _Intermediate) and a.origin is not None:
            origin, places = a.origin, [a.places[at] if at >= 0 else -1 for at in places]
        name, size = describe_result_of(node.name), count(origin.shape)
        if len(places) == size and all(i == at for i, at in enumerate(places)):
            name = origin.name
        elif len(places) == size and len(origin.shape) > 1 and tuple(places) == _transposed(origin.shape):
            name = transposed_name(origin.name)
        return _Intermediate(name, shape, grid, origin=origin, places=places)

    def _constant(self, node: NodeState, place: int, shape: Shape | None) -> Operand:
        """Return an input of a node that needs no gradient: an operand, where the node saved it, or where it is known
        which one is used there."""
        unknown, arguments = Operand(UNKNOWN, shape or (), None), self._made.arguments
        use = (self._made.op, node.name, place)
        if use == (_ATTENTION, "AddBackward0", 1) and arguments.get("is_causal") and shape is not None:
            return Operand(UNKNOWN, shape, causal_mask(shape))
        if use == ("multi_head_attention_forward", "MulBackward0", 1):
            n = math.sqrt(arguments["num_heads"] / arguments["embed_dim_to_check"])
            return Operand(number(n), (), Grid((), (n,)))
        if use in _USES:
            operand = self._made.operands[_USES[use]]
        else:
            name = dict(enumerate(_SAVED_AS.get(node.name, ()))).get(place)
            saved = next((tensor for saved_as, tensor, *_rest in node.kept if tensor and saved_as == name), None)
            saved_operands = [operand for operand in self._made.operands if operand.tensor == (saved or -1)]
            if not saved_operands:
                return unknown
            operand = saved_operands[0]
            if f"{name}_sym_sizes" in node.attributes:
                return self._saved_matrix(operand, node.attributes, str(name))
        grid = operand.grid
        if grid is None:
            return unknown
        if operand.is_bool and use in _USES:  # a mask of attention
            grid = grid.map(lambda x: 0.0 if x else -math.inf)
        if shape is not None and grid.shape not in (shape, shape[1:], shape[2:]):
            # `h0` has the states of all layers
            grid = Grid.full(shape, grid.single) if grid.single is not None else grid.reshape(shape)
        return Operand(operand.name, grid.shape, grid)

    def _saved_matrix(self, operand: Operand, attributes: Mapping[str, Any], name: str) -> Operand:
        """Return a matrix that a product saved, which is the operand, its transpose, or it in another shape."""
        sizes, steps = (tuple(attributes[f"{name}_sym_{what}"]) for what in ("sizes", "strides"))
        tensor, grid = self._state.tensors.get(operand.tensor or 0), operand.numbers
        own_steps = tuple(tensor.strides or ()) if tensor is not None else ()
        if sizes == operand.shape and steps in ((), own_steps):
            return Operand(operand.name, sizes, grid)
        if sizes == operand.shape[::-1] and steps == own_steps[::-1]:
            return Operand(transposed_name(operand.name), sizes, grid.transpose())
        if own_steps != tuple(strides(operand.shape)) or steps not in ((), tuple(strides(sizes))):
            return Operand(UNKNOWN, sizes, None)
        if grid.single is not None:  # `h0` is made of zeros, for all layers
            return Operand(operand.name, sizes, Grid.full(sizes, grid.single))
        return Operand(operand.name, sizes, grid.reshape(sizes))


def _transposed(shape: Shape) -> tuple[int, ...]:
    """Return the flat indices of a tensor's elements in the order of its transpose, by the last two dimensions."""
    *batch, rows, columns = shape
    steps = strides(shape)
    return tuple(strided_indices([*batch, columns, rows], [*steps[:-2], steps[-1], steps[-2]]))


# ---------------------------------------------------------------- results of nodes


class _Call(msgspec.Struct, frozen=True):
    """A node whose result is worked out."""

    composite: Composite
    node: NodeState
    output: int
    shape: Shape | None

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.node.attributes

    @property
    def known_shape(self) -> Shape:
        """The shape of the result. Raises LookupError where it is not known."""
        if self.shape is None:
            raise LookupError("a shape that is not known")
        return self.shape

    def size(self, place: int) -> int:
        """Return how many elements an input has. Raises LookupError where that is not known."""
        return self.composite.size(self.node, place)

    def input(self, place: int, shape: Shape | None = None) -> Grid:
        """Return the values of an input. Raises LookupError where they are not known."""
        return self.composite.operand(self.node, place, shape).numbers


def _unary(function: Callable[[float], float]) -> Callable[[_Call], Grid]:
    return lambda call: call.input(0, call.shape).map(function)


def _binary(function: Callable[[float, float], float]) -> Callable[[_Call], Grid]:
    return lambda call: call.input(0, call.shape).combine(call.input(1, call.shape), function)


def _sum(call: _Call, sign: float = 1.0) -> Grid:
    factor = sign * call.attributes["alpha"]
    return call.input(0, call.shape).combine(call.input(1, call.shape), lambda x, y: x + factor * y)


def _sum_over(call: _Call) -> Grid:
    a = call.input(0, tuple(call.attributes["self_sym_sizes"]))
    total = a.sum_to(reduced_shape(a.shape, call.attributes.get("dim")))
    return total if call.shape is None else total.reshape(call.shape)


def _mm(call: _Call) -> Grid:
    sizes = [tuple(call.attributes[f"{name}_sym_sizes"]) for name in ("self", "mat2")]
    return call.input(0, sizes[0]).matmul(call.input(1, sizes[1]))


def _bmm(call: _Call) -> Grid:
    batch, rows, columns = call.known_shape
    try:
        inner = call.size(0) // (batch * rows)
    except LookupError:
        inner = call.size(1) // (batch * columns)
    return call.input(0, (batch, rows, inner)).matmul(call.input(1, (batch, inner, columns)))


def _addmm(call: _Call) -> Grid:
    alpha, beta = call.attributes["alpha"], call.attributes["beta"]
    a, b = (call.input(place, tuple(call.attributes[f"mat{place}_sym_sizes"])) for place in (1, 2))
    return a.matmul(b).combine(call.input(0), lambda x, y: alpha * x + beta * y)


def _mv(call: _Call) -> Grid:
    (rows,), inner = call.known_shape, call.size(1)
    return call.input(0, (rows, inner)).matmul(call.input(1, (inner,)).reshape((inner, 1))).reshape((rows,))


def _dot(call: _Call) -> Grid:
    shape = (call.size(0),)
    return Grid((), (sum(map(operator.mul, call.input(0, shape).flat, call.input(1, shape).flat)),))


def _stack(call: _Call) -> Grid:
    shape = call.known_shape
    dimension = dimension_of(call.attributes, shape)
    flat, steps, part = [0.0] * count(shape), strides(shape), without(shape, dimension)
    for i in range(shape[dimension]):
        at = strided_indices(part, without(steps, dimension), i * steps[dimension])
        for place, x in zip(at, call.input(i, part).flat, strict=True):
            flat[place] = x
    return Grid(shape, tuple(flat))


def _cat(call: _Call) -> Grid:
    shape, flat = call.known_shape, [0.0] * count(call.known_shape)
    dimension, steps, start = dimension_of(call.attributes, shape), strides(shape), 0
    for i in range(len(call.node.inputs)):
        size = call.size(i) // count(without(shape, dimension))
        part = (*shape[:dimension], size, *shape[dimension + 1 :])
        places = strided_indices(part, steps, start * steps[dimension])
        for place, x in zip(places, call.input(i, part).flat, strict=True):
            flat[place] = x
        start += size
    return Grid(shape, tuple(flat))


def _softmax(call: _Call) -> Grid:
    return map_slices(call.attributes["dim"], softmax, call.input(0, call.shape))


def _lstm(call: _Call) -> Grid:
    x, w_ih, w_hh, *biases = (call.input(place) for place in range(5 if call.attributes["has_biases"] else 3))
    return run_lstm(x, w_ih, w_hh, biases, reverse=call.attributes["reverse"]).output


def _attention(call: _Call) -> Grid:
    *batch, _rows, width = call.known_shape
    q, k, v = (call.input(i, (*batch, call.size(i) // (count(batch) * width), width)) for i in range(3))
    mask = call.composite.operand(call.node, 3, None) if len(call.node.inputs) > 3 else None
    return attention_weights(q, k, mask, call.attributes).matmul(v)


def _vector_norm(call: _Call) -> Grid:
    a, order, dim = call.input(0), call.attributes["ord"], call.attributes["dim"]
    powers = a.map(lambda x: abs(x) ** order).sum_to(reduced_shape(a.shape, dim)).map(lambda x: x ** (1 / order))
    return powers if call.shape is None else powers.reshape(call.shape)


def _singular_values(call: _Call) -> Grid:
    if call.output != 1:
        raise LookupError("the sign of U and V")
    return find_singular_values(call.input(0))


_FORWARD: dict[str, Callable[[_Call], Grid]] = {
    "AddBackward0": _sum, "SubBackward0": lambda call: _sum(call, -1.0),
    "MulBackward0": _binary(operator.mul), "DivBackward0": _binary(operator.truediv),
    "MulBackward1": lambda call: call.input(0, call.shape).map(lambda x: x * call.attributes["other"]),
    "DivBackward1": lambda call: call.input(0, call.shape).map(lambda x: x / call.attributes["other"]),
    "PowBackward0": lambda call: call.input(0, call.shape).map(lambda x: math.pow(x, call.attributes["exponent"])),
    "NegBackward0": _unary(operator.neg), "ExpBackward0": _unary(math.exp), "LogBackward0": _unary(math.log),
    "SqrtBackward0": _unary(math.sqrt), "AbsBackward0": _unary(abs), "TanhBackward0": _unary(math.tanh),
    "SigmoidBackward0": _unary(lambda x: 1 / (1 + math.exp(-x))), "ReluBackward0": _unary(lambda x: max(x, 0.0)),
    "SoftmaxBackward0": _softmax, "SafeSoftmaxBackward0": _softmax,
    "SumBackward0": _sum_over, "SumBackward1": _sum_over, "StackBackward0": _stack, "CatBackward0": _cat,
    "MmBackward0": _mm, "BmmBackward0": _bmm, "AddmmBackward0": _addmm, "MvBackward0": _mv, "DotBackward0": _dot,
    "MkldnnRnnLayerBackward0": _lstm, "ScaledDotProductFlashAttentionForCpuBackward0": _attention,
    "LinalgInvExBackward0": lambda call: find_inverse(call.input(0)), "LinalgVectorNormBackward0": _vector_norm,
    "LinalgSvdBackward0": _singular_values,
}  # fmt: skip
