"""The command that checks an installation."""

from typing import Annotated

import typer

from deit_core.cli import terminal
from deit_core.cli.options import DataDirOption, JsonOption, RunsDirOption, print_json
from deit_core.doctor import examine


def doctor(
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="STREAMLIT_SERVER_PORT", help="Port of the dashboard.")
    ] = 8501,
) -> None:
    """Check this installation and say what to fix; exit code 1 where something is wrong."""
    findings = examine(runs_dir=runs_dir, data_dir=data_dir, port=port)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        terminal.print_findings(findings)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)
