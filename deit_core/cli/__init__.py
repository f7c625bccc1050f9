"""The command line, `python -m deit_core`: everything the pages do, without a browser.

A mistake ends with one sentence on stderr and exit code 2; with `--json`, stdout holds one JSON document and nothing
else. A file holds the commands of one kind; none loads torch before a command needs it.
"""

from deit_core.cli.app import main

__all__ = ["main"]
