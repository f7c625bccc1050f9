"""Where files are on this machine, from the environment: read once at the start and passed on from there."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deit_core.errors import SpecError
from deit_core.layout import store_file
from deit_core.machine.limits import num_cores
from deit_core.text.quoting import quoted

TOOLS = ("tensorboard", "mlflow", "wandb")  # that a run's numbers can go to

_RUNS_PER_CORE = 2  # more at once only wait for each other


@dataclass(frozen=True)
class Settings:
    """Where the store, runs and data are, and how much of this machine runs may use.

    `store_url` is a database URL; `num_workers` is how many runs train at once; `logits_gb` is the disk space for the
    tables of teachers' logits, in units of 10^9 bytes; `shows_demo` is whether pages show the runs that ship with the
    program; `log_to` are the tools that a run's numbers go to as well; `artifacts_url` is where the files of runs are
    published for other machines, empty where they are not.
    """

    store_url: str
    runs_dir: Path
    data_dir: Path
    num_workers: int
    logits_gb: float = 4.0
    shows_demo: bool = True
    log_to: tuple[str, ...] = ()
    artifacts_url: str = ""

    @classmethod
    def from_env(cls, *, runs_dir: Path | None = None, data_dir: Path | None = None) -> "Settings":
        """Settings from DEIT_STORE, DEIT_RUNS_DIR, DEIT_DATA_DIR, DEIT_WORKERS, DEIT_LOGITS_GB, DEIT_DEMO_RUNS,
        DEIT_LOG_TO and DEIT_ARTIFACTS.

        Arguments go first. The store is a SQLite file in the folder of the runs unless DEIT_STORE says otherwise.
        """
        runs = _absolute(runs_dir or os.environ.get("DEIT_RUNS_DIR") or "checkpoints")
        store_url = os.environ.get("DEIT_STORE") or sqlite_url(store_file(runs))
        return cls(
            store_url=store_url,
            runs_dir=runs,
            data_dir=_absolute(data_dir or os.environ.get("DEIT_DATA_DIR") or "data"),
            num_workers=_num_workers(os.environ.get("DEIT_WORKERS") or ("0" if _is_shared(store_url) else "1")),
            logits_gb=_logits_gb(os.environ.get("DEIT_LOGITS_GB")),
            shows_demo=_shows_demo(os.environ.get("DEIT_DEMO_RUNS") or "1"),
            log_to=_log_to(os.environ.get("DEIT_LOG_TO") or ""),
            artifacts_url=_artifacts_url(os.environ.get("DEIT_ARTIFACTS") or ""),
        )

    def environment(self) -> dict[str, str]:
        """The variables by which `from_env` finds these settings in another process."""
        return {
            "DEIT_STORE": self.store_url,
            "DEIT_RUNS_DIR": str(self.runs_dir),
            "DEIT_DATA_DIR": str(self.data_dir),
            "DEIT_WORKERS": str(self.num_workers),
            "DEIT_LOGITS_GB": str(self.logits_gb),
            "DEIT_DEMO_RUNS": str(int(self.shows_demo)),
            "DEIT_LOG_TO": ",".join(self.log_to),
            "DEIT_ARTIFACTS": self.artifacts_url,
        }


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file. What an address reads as something else is written there in numbers."""
    return f"sqlite:///{path}".replace("%", "%25").replace("?", "%3F")


def url_without_user(url: str) -> str:
    """A URL as messages may show it: without a user and a password."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(user + at, "", 1)


def _absolute(path: Path | str) -> Path:
    """Without links; `Path.resolve` raises where one leads to itself, before anything could say what is wrong."""
    return Path(os.path.realpath(path))


def _is_shared(store_url: str) -> bool:
    """Whether other machines use the store too. Then this one trains their runs only if it is meant to."""
    return not store_url.startswith("sqlite")


def _num_workers(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    most = _RUNS_PER_CORE * num_cores()
    if not 0 <= number <= most:
        raise SpecError(
            f"DEIT_WORKERS is the number of runs that train at once, not {quoted(text)}; set it to 1 or more, on this "
            f"machine at most {most} ({_RUNS_PER_CORE} for each core), or to 0 so that this machine trains no run."
        )
    return number


def _logits_gb(text: str | None) -> float:
    if not text:
        return Settings.logits_gb
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise SpecError(
            f"DEIT_LOGITS_GB is the disk space in GB for the logits of teachers, not {quoted(text)}; set it to 0 or "
            "more."
        )
    return value


def _shows_demo(text: str) -> bool:
    if text not in ("0", "1"):
        raise SpecError(
            f"DEIT_DEMO_RUNS is 1 to show the runs that ship with DeiT Lab, or 0 to hide them, not {quoted(text)}."
        )
    return text == "1"


def _log_to(text: str) -> tuple[str, ...]:
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    if unknown := set(names) - set(TOOLS):
        raise SpecError(
            f"DEIT_LOG_TO names the tools that a run's numbers go to as well, {', '.join(TOOLS)} with a comma "
            f"between them, not {quoted(min(unknown))}."
        )
    return tuple(dict.fromkeys(names))


def _artifacts_url(text: str) -> str:
    if text and "://" not in text:  # the text is not repeated: it may be a password in the wrong place
        raise SpecError(
            "DEIT_ARTIFACTS is a URL such as file:///mnt/share/runs or s3://BUCKET/FOLDER; write one, or leave it "
            "empty."
        )
    return text.rstrip("/")
