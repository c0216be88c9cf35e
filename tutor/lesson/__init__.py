"""Lesson files: what they are made of, how they are read, and how one is found.

`header`, `catalog`, `find` and `knobs` are for the front end and import in a few milliseconds; `read` brings jupytext
and is for the worker.
"""
