"""The graph pane: what it shows, how it is laid out, and its three views."""
