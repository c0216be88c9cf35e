"""A small GPT, as a package."""
