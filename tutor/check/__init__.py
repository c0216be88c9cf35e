"""Check lessons for their authors: list all problems with file and line. Reads each lesson and runs it.

This package imports jupytext, so the rest of the front end imports it late.
"""
