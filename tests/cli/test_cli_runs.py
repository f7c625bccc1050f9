"""Commands on runs say how each is, in the words of the pages. In this process, and no worker starts."""

import json
import sys
from collections.abc import Callable

import pytest

from deit_core import cli, presets
from deit_core.runs import Status, Store, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import replace

Command = Callable[..., str]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call it with the words of a command to get what it prints."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("deit_core.runs.engines.local.start_worker", lambda *_: pytest.fail("nothing is ready"))

    def run(*words: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["deit_core", *words, "--runs-dir", str(settings.runs_dir)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert ended.value.code in (0, None), said.err
        return " ".join(said.out.split())

    return run


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


@pytest.mark.parametrize(
    ("status", "word", "explanation"),
    [
        (Status.FAILED, "blocked", "It waits for its teacher, run 1 teacher, which failed. Resume that run;"),
        (Status.STOPPED, "blocked", "It waits for its teacher, run 1 teacher, which was stopped. Resume that run;"),
        (Status.INTERRUPTED, "blocked", "It waits for its teacher, run 1 teacher, which was interrupted. Resume"),
        (Status.RUNNING, "waiting", "It starts when its teacher, run 1 teacher, is completed; that run is running."),
    ],
)
def test_a_queued_student_says_what_it_waits_for(
    store: Store, command: Command, status: Status, word: str, explanation: str
) -> None:
    teacher, vit, deit = enqueue(store, presets.digits_quick())
    store.set_status(vit, Status.COMPLETED)
    store.set_status(teacher, status, "Why it ended.")
    output = command("runs")
    assert f"{deit} deit digits-quick {word}" in output
    assert f"{deit} deit: {explanation}" in output
    expected = {
        "status": "queued",
        "condition": word,
        "waits_for": [{"id": teacher, "number": 1, "name": "teacher", "status": status}],
    }
    for document in (json.loads(command("runs", "--json"))[0], json.loads(command("show", deit, "--json"))):
        assert {key: document[key] for key in expected} == expected
        assert document["explanation"].startswith(explanation)
    assert explanation in command("show", deit)
    for other in json.loads(command("runs", "--json"))[1:]:
        assert other["waits_for"] == []


def test_a_run_that_starts_from_another_says_so(store: Store, command: Command) -> None:
    (first,) = enqueue(store, presets.smoke())
    store.set_status(first, Status.FAILED, "no luck")
    second = replace(presets.smoke(), {"initial_checkpoint": first})
    enqueue(store, second)
    assert "It waits for the run that it starts from, run 1 smoke, which failed." in command("runs")


def test_a_run_that_waits_for_nothing_says_nothing(store: Store, command: Command) -> None:
    (run_id,) = enqueue(store, presets.smoke(), reserved_for="someone")
    output = command("runs")
    assert "queued" in output
    assert f"{run_id} smoke:" not in output
    (document,) = json.loads(command("runs", "--json"))
    assert (document["condition"], document["waits_for"]) == ("queued", [])


def test_stop_says_whether_the_run_is_stopped_or_will_be(store: Store, command: Command) -> None:
    (queued,), (running,) = enqueue(store, presets.smoke()), enqueue(store, presets.smoke())
    store.set_status(running, Status.RUNNING)
    assert command("stop", queued) == f"{queued} smoke is stopped; `resume {queued}` queues it again."
    assert store.run(queued).status == Status.STOPPED
    assert command("stop", running) == f"{running} smoke is stopping; `resume {running}` continues from there."
    assert "stopping" in command("runs")
