"""Functions that draw rows of text for the panes, without widgets or screens."""
