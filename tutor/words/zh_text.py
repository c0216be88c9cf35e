"""The plain front end in Chinese."""

ZH: dict[str, str] = {}
