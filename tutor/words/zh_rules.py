"""What the rules of nodes say, in Chinese."""

RULES: dict[str, str] = {}
