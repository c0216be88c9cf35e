"""The process around the recorder: starts a run, carries its events, ends it."""
