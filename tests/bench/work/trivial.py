"""About the least that a Textual app can be: a text, and a key that changes it."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Trivial(App[None]):
    BINDINGS = [("right", "more")]
    count = 0

    def compose(self) -> ComposeResult:
        yield Static("hello there 0")

    def action_more(self) -> None:
        self.count += 1
        self.query_one(Static).update(f"hello there {self.count}")


Trivial().run()
