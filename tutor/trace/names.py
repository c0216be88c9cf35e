"""What the learner calls things at a point: tensors, the operands of a step, and the graph on show."""

from tutor.trace.graph import graph_of, is_leaf, parts_of, shares_of
from tutor.trace.operands import op_inputs, op_output, op_target, op_texts
from tutor.trace.scope import aliases_of, lasting_name, name_of, names_by_tensor, names_of, numbered, tensor_name

__all__ = [
    "aliases_of",
    "graph_of",
    "is_leaf",
    "lasting_name",
    "name_of",
    "names_by_tensor",
    "names_of",
    "numbered",
    "op_inputs",
    "op_output",
    "op_target",
    "op_texts",
    "parts_of",
    "shares_of",
    "tensor_name",
]
