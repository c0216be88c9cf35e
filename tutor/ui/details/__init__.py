"""What the details sheet says of a tensor, an autograd node or a step."""
