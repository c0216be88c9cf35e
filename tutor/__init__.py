"""gradtutor: step through PyTorch autograd in a terminal and see it happen."""
