"""What an author is told of a lesson: everything wrong with it, with file and line. It reads the lesson and runs it.

This room brings jupytext, so the rest of the front end imports it late.
"""
