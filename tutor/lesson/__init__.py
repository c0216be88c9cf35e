"""Lesson files: their structure, how they are parsed, and how one is found.

`header`, `catalog` and `knobs` are for the front end and import in a few milliseconds; `parser` imports jupytext and is
for the worker.
"""
