"""`python -m tutor`, the same as `gradtutor`."""

import os
import sys

# `python -m` looks in the current folder first, where a learner's `random.py` would stand in for Python's.
try:
    here = os.getcwd()
except OSError:  # the folder is gone
    here = ""
if sys.path[0] == here != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]

from tutor.cli import main

if __name__ == "__main__":
    sys.exit(main())
