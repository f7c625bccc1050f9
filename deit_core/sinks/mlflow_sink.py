"""Numbers of a run for MLflow: a server's if MLFLOW_TRACKING_URI names one, else a file beside the runs."""

from collections.abc import Mapping

from deit_core.file_locks import locked
from deit_core.sinks.sink import Told

_TAG = "deit_lab_run"
_LONGEST = 500  # of a tag, in characters, that every store takes


class MlflowSink:
    """A run of MLflow. A resumed run goes on in the run of MLflow that it began."""

    def __init__(self, told: Told) -> None:
        import mlflow

        told.folder.mkdir(parents=True, exist_ok=True)
        is_set = mlflow.environment_variables.MLFLOW_TRACKING_URI.is_set()
        address = None if is_set else f"sqlite:///{told.folder / 'mlflow.db'}"
        with locked(told.folder / "lock"):  # MLflow makes its file and its experiments for one process at a time
            self._client = mlflow.MlflowClient(address)
            experiment = self._experiment(told.experiment or "DeiT Lab")
        begun = self._client.search_runs([experiment], f"tags.{_TAG} = '{told.id}'")
        if begun:
            self._run_id = begun[0].info.run_id
            self._client.update_run(self._run_id, status="RUNNING")
        else:
            tags = {_TAG: told.id, "spec": told.spec[:_LONGEST]}
            self._run_id = self._client.create_run(experiment, run_name=told.name, tags=tags).info.run_id

    def _experiment(self, name: str) -> str:
        """The number of an experiment, which is made where there is none."""
        from mlflow.exceptions import MlflowException

        if (known := self._client.get_experiment_by_name(name)) is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another machine was first
                if (known := self._client.get_experiment_by_name(name)) is None:
                    raise
        return str(known.experiment_id)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._run_id, name, value, step=step)

    def close(self, *, is_completed: bool) -> None:
        self._client.set_terminated(self._run_id, "FINISHED" if is_completed else "KILLED")
