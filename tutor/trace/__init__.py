"""The recording: its events, its files, and the state of the program at any step of it."""
