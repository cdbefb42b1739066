"""The command line: one file a command, each parses, calls the API and shows. ``main`` is the entry point."""

from nvcodec.cli.app import main

__all__ = ["main"]
