"""The panes of the lesson screen. Each shows a timeline at the cursor; none refers to another."""
