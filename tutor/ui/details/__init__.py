"""Everything about a tensor, a node or a step, on a sheet."""
