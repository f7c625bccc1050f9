"""The names of files in the runs folder and in the folder of one run. Opens no file.

runs.sqlite                   the store, unless DEIT_STORE names another
estimates/                    how long a spec takes on this machine
plans/                        how a model computes fastest on this machine
teacher-logits/               tables of teachers' logits
slurm/                        what jobs of Slurm are given, and what they say where they do not work
tensorboard/, mlflow/, wandb/ what runs measured, for these tools, where DEIT_LOG_TO names them
<id>/                         the folder of one run
    spec.json                 the whole spec
    last.safetensors          weights after the newest finished epoch
    best.safetensors          weights of the epoch with the best validation accuracy
    best_ema.safetensors      the EMA weights after that epoch, where both are evaluated
    epochs/0001.safetensors   weights after each epoch, where they are small
    predictions.safetensors   what the best epoch answers for each test and validation image
    views.safetensors         what a student's teacher says of its first training views
    curve.jsonl               the start of each session, each epoch's metrics, and the results; one line each
    state.pt                  all that an exact resume needs
    state.previous.pt         the state before it, until the run has finished
    log.txt                   the output of its worker
    predict.txt               the output of the process that made the predictions, where it was not the worker
    published.json            what of it is published at DEIT_ARTIFACTS, as this machine saw or wrote it last
    publishing/               links to what is being published
folder-id.txt                 tells this runs folder from those of other machines, where DEIT_ARTIFACTS is set

The runs that ship with the program have such folders too, in `DEMO_FOLDER`, beside a list of them, `demo.json`,
and one image with what the models make of it, `example.json`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

SPEC, BEST = "spec.json", "best.safetensors"
DEMO_LIST, DEMO_EXAMPLE = "demo.json", "example.json"
DEMO_FOLDER = Path(__file__).parents[1] / "checkpoints" / "demo"
_EPOCHS = "epochs"
_PUBLISHED = {
    SPEC,
    "last.safetensors",
    BEST,
    "best_ema.safetensors",
    "predictions.safetensors",
    "views.safetensors",
    "curve.jsonl",
    "state.pt",
    "log.txt",
}


def store_file(runs_dir: Path) -> Path:
    return runs_dir / "runs.sqlite"


def estimates_folder(runs_dir: Path) -> Path:
    return runs_dir / "estimates"


def slurm_folder(runs_dir: Path) -> Path:
    return runs_dir / "slurm"


def plans_folder(runs_dir: Path) -> Path:
    return runs_dir / "plans"


def teacher_logits_folder(runs_dir: Path) -> Path:
    return runs_dir / "teacher-logits"


def run_folder(runs_dir: Path, run_id: str) -> Path:
    return (DEMO_FOLDER if is_demo_id(run_id) else runs_dir) / run_id


def folder_id_file(runs_dir: Path) -> Path:
    return runs_dir / "folder-id.txt"


def may_be_published(name: str) -> bool:
    """Whether a file of a run's folder, by its path in there with slashes, is one that other machines need."""
    return name in _PUBLISHED or re.fullmatch(rf"{_EPOCHS}/[0-9]{{4,9}}\.safetensors", name) is not None


def is_demo_id(run_id: str) -> bool:
    """Whether it is the id of a run that ships with the program. No run of a store has such an id."""
    return re.fullmatch("demo-[a-z0-9-]+", run_id) is not None


@dataclass(frozen=True)
class RunFiles:
    """The paths of the files of one run; the files may not exist."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / SPEC

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / BEST

    @property
    def best_ema(self) -> Path:
        return self.folder / "best_ema.safetensors"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.safetensors"

    @property
    def views(self) -> Path:
        return self.folder / "views.safetensors"

    @property
    def state(self) -> Path:
        return self.folder / "state.pt"

    @property
    def previous_state(self) -> Path:
        return self.folder / "state.previous.pt"

    @property
    def curve(self) -> Path:
        return self.folder / "curve.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def predict_log(self) -> Path:
        return self.folder / "predict.txt"

    @property
    def published(self) -> Path:
        return self.folder / "published.json"

    @property
    def publishing(self) -> Path:
        return self.folder / "publishing"

    def to_publish(self) -> dict[str, Path]:
        """The existing files that other machines need, by their paths in the folder."""
        files = {name: self.folder / name for name in sorted(_PUBLISHED)}
        files |= {f"{_EPOCHS}/{file.name}": file for file in self.epochs().values()}
        return {name: file for name, file in files.items() if file.is_file()}

    def epoch(self, epoch: int) -> Path:
        """The weights after an epoch, counted from 1."""
        return self.folder / _EPOCHS / f"{epoch:04d}.safetensors"

    def epochs(self) -> dict[int, Path]:
        """The existing files of weights after single epochs, in the order of the epochs. Other names are ignored."""
        numbers = {int(path.stem) for path in (self.folder / _EPOCHS).glob("*.safetensors") if path.stem.isdecimal()}
        files = {epoch: self.epoch(epoch) for epoch in sorted(numbers)}
        return {epoch: file for epoch, file in files.items() if file.is_file()}
