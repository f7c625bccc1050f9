"""The doctor on installations that are broken in one way each: it names that and its remedy, and nothing else."""

import json
import socket
import subprocess
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module, metadata
from pathlib import Path

import pytest
from program import Done, Program

from deit_core.doctor import Finding, libraries
from deit_core.doctor.libraries import LOWEST_PYTHON, pins
from deit_core.layout import store_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def port() -> str:
    """A port that nothing listens at."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        number = holder.getsockname()[1]
    return str(number)


def wrong(done: Done) -> dict[str, str]:
    """The sentences on what is to be fixed, by subject."""
    assert (done.code, done.stderr) in ((0, b""), (1, b""))
    findings = [Finding(**one) for one in json.loads(done.stdout)]
    assert all(finding.sentence.endswith(".") for finding in findings)
    sentences = {finding.subject: finding.sentence for finding in findings if not finding.is_well}
    assert bool(sentences) == (done.code == 1)
    return sentences


def test_nothing_is_wrong_here_and_nothing_is_left_behind(
    deit: Program, run_id: str, port: str, tmp_path: Path
) -> None:
    def files() -> list[Path]:
        return sorted(path for path in tmp_path.rglob("*") if not path.name.endswith(("-shm", "-wal")))  # SQLite's

    before = files()
    assert wrong(deit("doctor", "--json", "--port", port)) == {}
    assert files() == before
    lines = deit("doctor", "--port", port).stdout.decode().splitlines()
    assert len(lines) > 10
    assert all(line.startswith("ok ") for line in lines)


def test_no_torchvision(deit: Program, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert wrong(deit("doctor", "--json", "--port", port)) == {
        "torchvision": "torchvision is not installed; run `python -m pip install "
        f"torch=={pins()['torch']} torchvision=={pins()['torchvision']}`."
    }


def test_without_torch_the_command_starts_all_the_same(tmp_path: Path, port: str) -> None:
    code = "import sys; sys.modules['torch'] = sys.modules['torchvision'] = None; import deit_core.cli as c; c.main()"
    words = ["doctor", "--json", "--port", port, "--runs-dir", str(tmp_path / "runs"), "--data-dir", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, timeout=600, check=False)
    sentences = wrong(Done(done.returncode, done.stdout, done.stderr))
    assert sentences.keys() == {"torch", "torchvision"}
    assert f"run `python -m pip install torch=={pins()['torch']} torchvision==" in sentences["torch"]


@pytest.mark.parametrize("name", ["torch", "deit_core.torchvision_ops"])
def test_a_library_that_cannot_be_loaded_is_installed_again(
    name: str, deit: Program, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("raise OSError('libtorch.so: undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(libraries, "import_module", lambda asked: import_module("broken" if asked == name else asked))
    sentences = wrong(deit("doctor", "--json", "--port", port))
    (subject,) = sentences
    assert subject == name.removeprefix("deit_core.").removesuffix("_ops")
    assert "cannot be loaded (libtorch.so: undefined symbol); run `python -m pip inst" in sentences[subject]


@pytest.mark.parametrize(
    ("name", "metadata", "subject", "sentence"),
    [
        (
            "einops",
            "Version: 0.1",
            "libraries",
            "einops is 0.1 instead of {einops}; run `python -m pip install einops==",
        ),
        ("torch", "Version: 2.0", "torch", "torch is 2.0 instead of {torch}; run `python -m pip install torch=="),
        (
            "torchvision",
            "Version: 0.1\nRequires-Dist: torch==2.0",
            "torchvision",
            "torchvision 0.1 is built for torch 2.0, and torch is {torch}; run `python -m pip install torch==",
        ),
    ],
)
def test_another_version(
    name: str,
    metadata: str,
    subject: str,
    sentence: str,
    deit: Program,
    port: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "other" / f"{name}-0.dist-info").mkdir(parents=True)
    (tmp_path / "other" / f"{name}-0.dist-info" / "METADATA").write_text(f"Name: {name}\n{metadata}\n")
    monkeypatch.syspath_prepend(tmp_path / "other")
    assert sentence.format(**pins()) in wrong(deit("doctor", "--json", "--port", port))[subject]


def version_or_none(version: str, name: str) -> str:
    if not version:
        raise metadata.PackageNotFoundError(name)
    return version


@pytest.mark.parametrize(
    ("version", "is_well", "words"),
    [
        ("", True, "timm is not installed, and only"),
        ("0.1", False, "timm is 0.1 instead of"),
        (None, True, "installed"),
    ],
)
def test_timm_is_optional(version: str | None, is_well: bool, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if version is not None:
        monkeypatch.setattr(metadata, "version", partial(version_or_none, version))
    finding = libraries.timm()
    assert (finding.subject, finding.is_well) == ("timm", is_well)
    assert words in finding.sentence


def test_where_only_the_package_is_there_an_extra_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(libraries, "ROOT", tmp_path)
    lines = ["einops==1.2", 'timm==3.4; extra == "timm"', 'streamlit==5.6; extra == "dashboard"']
    monkeypatch.setattr(libraries.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    assert (pins(), pins("timm")) == ({"einops": "1.2"}, {"timm": "3.4"})
    monkeypatch.setattr(libraries, "find_spec", lambda name: "a dashboard is installed")
    assert pins() == {"einops": "1.2", "streamlit": "5.6"}


def test_a_full_disk(deit: Program, port: str, small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    assert wrong(deit("doctor", "--json", "--port", port, "--runs-dir", str(small_disk))) == {
        "disk of the runs folder": f"The disk is nearly full: 0.0 GB are free for the runs folder {small_disk}; "
        "delete runs that nobody needs (`python -m deit_core delete ID`), or free space there."
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps nobody out by such means")
@pytest.mark.parametrize("inside", ["", "runs"])
def test_a_read_only_runs_folder(inside: str, deit: Program, port: str, sealed: Path) -> None:
    sentences = wrong(deit("doctor", "--json", "--port", port, "--runs-dir", str(sealed / inside)))
    assert str(sealed / inside) in sentences["runs folder"]
    assert "choose another" in sentences["runs folder"]


def test_a_damaged_store(deit: Program, run_id: str, port: str, tmp_path: Path) -> None:
    path = store_file(tmp_path / "runs")
    content = path.read_bytes()
    for damaged in (b"words" * 1000, content[:100] + b"\7" * (len(content) - 100), content[:4096]):
        path.write_bytes(damaged)
        (sentence,) = wrong(deit("doctor", "--json", "--port", port)).values()
        assert str(path) in sentence
        assert "python -m deit_core store rebuild" in sentence
        assert path.read_bytes() == damaged


def test_a_taken_port(deit: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        number = holder.getsockname()[1]
        assert wrong(deit("doctor", "--json", "--port", str(number))) == {
            "port": f"Port {number} cannot be used (Address already in use); end the program that uses it, or start "
            f"the dashboard with --server.port {number + 1}."
        }


def test_settings_that_are_none(deit: Program, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_WORKERS", "many")
    assert "set it to 1 or more" in wrong(deit("doctor", "--json", "--port", port))["settings"]


def test_the_lowest_python_is_that_of_the_package() -> None:
    lowest = ".".join(map(str, LOWEST_PYTHON))
    assert f'requires-python = ">={lowest}"' in (ROOT / "pyproject.toml").read_text()


def test_every_requirement_is_pinned() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line]
    assert len(pins()) == len(lines)
