"""Rows of text for the panes: no widget, no screen, testable alone."""
