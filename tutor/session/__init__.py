"""Starts a worker for a run and feeds a timeline with what it sends."""
