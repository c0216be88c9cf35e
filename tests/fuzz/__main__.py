"""`make fuzz SECONDS=… SEED=…`: tries what may go wrong, and writes what did into a table of `docs/reliability.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz import kills, lessons, programs, screens, scripts, storm, traces  # noqa: F401 (they register their rows)
from tests.fuzz.rows import HEAD, ROWS, Budget, line, merged

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- the table begins: `make fuzz` writes it -->", "<!-- the table ends -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each row")
    parser.add_argument("--seed", type=int, default=0, help="what is tried is drawn by it")
    parser.add_argument("--count", type=int, help="number of tries for each row, instead of a time")
    parser.add_argument("--only", default="", help="the rows with this text in their names")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--add", action="store_true", help="with --write: to what the table has of these rows")
    options = parser.parse_args()
    lines, failed = [], False
    print(*HEAD, sep="\n")
    for name, tries in ROWS.items():
        if options.only in name:
            outcome = tries(Budget(options.seed, options.seconds, options.count))
            lines.append(line(name, outcome, options.seed))
            failed = failed or bool(outcome.failures)
            print(lines[-1], flush=True)
    if options.write:
        write(lines, add=options.add)
    return int(failed)


def write(lines: list[str], *, add: bool = False) -> None:
    """Put these rows into the table of the page; those that were not tried stay."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    whole = merged(lines, table.splitlines(), add=add)
    PAGE.write_text("\n".join([before + BEGIN, "", *whole, "", END + after]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
