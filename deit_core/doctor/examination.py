"""All checks of the doctor, in the order in which a person should follow their advice."""

from collections.abc import Iterator
from pathlib import Path

from deit_core.doctor import libraries, places, store_health
from deit_core.doctor.finding import Finding
from deit_core.errors import DeitError
from deit_core.settings import Settings


def examine(*, runs_dir: Path | None = None, data_dir: Path | None = None, port: int | None = None) -> list[Finding]:
    """Look at this installation. Never raises on what it finds.

    Args:
        runs_dir, data_dir: the folders, where they are not those of the environment.
        port: where a dashboard should start; None checks no port.
    """
    checks = (libraries.python, libraries.others, libraries.torch, libraries.torchvision, libraries.timm)
    findings = [*(check() for check in checks), places.memory()]
    findings += _folders(runs_dir, data_dir)
    return findings if port is None else [*findings, places.port(port)]


def _folders(runs_dir: Path | None, data_dir: Path | None) -> Iterator[Finding]:
    try:
        settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    except DeitError as error:
        yield Finding("settings", False, str(error))
        return
    for name, folder in (("runs", settings.runs_dir), ("data", settings.data_dir)):
        yield places.permission(name, folder)
        yield places.disk(name, folder)
    if settings.artifacts_url:
        yield places.artifacts(settings)
    yield from store_health.store(settings)
