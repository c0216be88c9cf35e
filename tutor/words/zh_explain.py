"""The explanations in Chinese."""

ZH: dict[str, str] = {}
