"""The program: `moorings`, or `python -m bots`."""

from __future__ import annotations

import gc
import os
import sys

from bots.cli import cli

# Hardly anything that a start imports and makes is garbage, and neither is most of a turn: looking
# for some after every 700 objects, as Python does, takes a tenth of a start.
_OBJECTS = 50_000


def main() -> None:
    """Do what the command line says.

    The working directory's modules can be tools; last, so that none of them hides a package.
    """
    gc.set_threshold(_OBJECTS)
    # Python's ssl would write the keys of every connection there, and fail where it cannot.
    os.environ.pop("SSLKEYLOGFILE", None)  # noqa: TID251  # taken out, not read
    sys.path.append("")
    cli(prog_name="moorings")


if __name__ == "__main__":
    main()
