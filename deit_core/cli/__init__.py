"""The command line, `python -m deit_core`: everything the pages do, without a browser.

A user error ends with one sentence on stderr and exit code 2; with `--json`, stdout is one JSON document and nothing
else. Each file has the commands of one kind; none loads torch before a command needs it.
"""

from deit_core.cli.app import main

__all__ = ["main"]
