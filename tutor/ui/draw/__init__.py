"""What the panes show, as rows of text: no widget, no screen, testable alone."""
