"""The program: `moorings`, or `python -m bots`."""

from __future__ import annotations

from bots.cli import cli


def main() -> None:
    """Do what the command line says."""
    cli(prog_name="moorings")


if __name__ == "__main__":
    main()
