"""The graph pane: what it shows, and its three views."""
