"""The screen in Chinese."""

ZH: dict[str, str] = {
    "this lesson is done": "本课已完成",
}
