"""Commands on what models answered: make the predictions of a run."""

from deit_core.cli.options import DataDirOption, RunArgument, RunsDirOption, open_launcher
from deit_core.cli.terminal import print_reading, say
from deit_core.layout import RunFiles, run_folder


def predict(run_id: RunArgument, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None) -> None:
    """Make the predictions of a completed run that has none, for comparisons; a run made now has them already."""
    from deit_core.prediction_file import LEFT_OUT
    from deit_core.runs.predictor import predict_run

    launcher = open_launcher(runs_dir, data_dir)
    run = launcher.store.run(run_id)
    if not predict_run(run, launcher.settings, print_reading):
        say(LEFT_OUT)
    say(RunFiles(run_folder(launcher.settings.runs_dir, run.id)).predictions)
