"""The program: `moorings`, or `python -m bots`."""

from __future__ import annotations

import sys

from bots.cli import cli


def main() -> None:
    """Do what the command line says.

    The working directory's modules can be tools; last, so that none of them hides a package.
    """
    sys.path.append("")
    cli(prog_name="moorings")


if __name__ == "__main__":
    main()
