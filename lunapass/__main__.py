"""Runs the command line as ``python -m lunapass``."""

from lunapass.cli import main

main()
