"""Events from running torch code: statements, tensors, operations, the backward pass, optimizers."""
