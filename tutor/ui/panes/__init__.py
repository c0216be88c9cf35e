"""The panes. Each is given a timeline and a cursor and shows what it shows; none talks to another."""
