"""A short campaign of kills and power cuts: `make faults` is the long one."""

from pathlib import Path

from benchmarks.faults.campaign import STRIKES, run_campaign


def test_struck_runs_end_as_their_twins(tmp_path: Path) -> None:
    report = run_campaign(tmp_path, num_kills=len(STRIKES), seed=1, has_server=False)
    assert report.strikes.total() == len(STRIKES)
    assert report.num_runs >= 3
    assert (report.unfinished, report.different, report.damaged) == ([], [], [])
