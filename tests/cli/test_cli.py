"""The command line as a person uses it: real processes, exit codes, sentences on stderr, JSON alone on stdout."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deit_core import presets
from deit_core.models import ModelCard, build_model, save_weights

TINY = [
    *("--set", "optim.epochs=2", "--set", "optim.warmup_epochs=0.5", "--set", "model.depth=2"),
    *("--set", "model.patch_size=4", "--set", "model.width=8"),
]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deit_core", *arguments]


def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "DEIT_RUNS_DIR": str(tmp_path / "runs"),
        "DEIT_DATA_DIR": str(tmp_path / "data"),
        "COLUMNS": "200",
    }


def deit(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=600, env=environment(tmp_path))


def test_the_whole_journey_without_a_page(tmp_path: Path) -> None:
    trained = deit(tmp_path, "train", "digits-quick", *TINY)
    assert trained.returncode == 0, trained.stderr
    assert "vit: epoch 2/2" in trained.stderr
    assert "test accuracy" in trained.stderr
    runs = json.loads(deit(tmp_path, "runs", "--json").stdout)
    assert [run["name"] for run in runs] == ["deit", "vit", "teacher"]
    assert {run["status"] for run in runs} == {"completed"}
    assert all(0 < run["results"]["test_accuracy"] <= 1 for run in runs)
    run_id = runs[0]["id"]
    shown = json.loads(deit(tmp_path, "show", run_id[:5], "--json").stdout)
    assert shown["spec"]["distillation"]["teacher"] == runs[2]["id"]
    assert Path(shown["log"]).exists()
    assert "completed" in deit(tmp_path, "runs").stdout

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    pictures = tmp_path / "pictures"
    drawn = deit(tmp_path, "rollout", run_id[:5], str(tmp_path / "a.png"), "--out", str(pictures))
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(pictures / "a.rollout.png") as picture:
        settings = json.loads(picture.text["deit_lab"])
    assert (settings["rollout"]["method"], settings["models"][0]["epoch"]) == ("rollout", 2)
    teacher = f"{tmp_path}/runs/{runs[2]['id']}"
    explained = deit(tmp_path, "rollout", teacher, str(tmp_path / "a.png"), "--out", str(pictures), "--npz", "--json")
    (document,) = json.loads(explained.stdout)
    assert document["picture"] == str(pictures / "a.grad_cam.png")
    assert np.load(pictures / "a.grad_cam.npz")["Output"].shape == (16, 16)
    (tmp_path / "text.png").write_text("no image")
    assert_sentence(
        deit(tmp_path, "rollout", shown["folder"], str(tmp_path / "text.png"), "--out", "x"), "an image that"
    )

    exported = deit(tmp_path, "export", run_id, "--format", "pt", "--out", str(tmp_path / "DeiT_model.pt"))
    assert exported.stdout.strip() == str(tmp_path / "DeiT_model.pt")
    together = deit(tmp_path, "export", run_id, "--format", "pt", "--experiment", "--out", str(tmp_path / "all"))
    files = [Path(line) for line in together.stdout.splitlines()]
    assert [file.name for file in files] == ["teacher_model.pt", "ViT_model.pt", "DeiT_model.pt"]
    assert files[2].read_bytes() == (tmp_path / "DeiT_model.pt").read_bytes()
    described = deit(tmp_path, "export", run_id, "--format", "card", "--out", str(tmp_path / "DeiT.md"))
    assert described.returncode == 0, described.stderr
    text = (tmp_path / "DeiT.md").read_text()
    assert f"| test_accuracy | {runs[0]['results']['test_accuracy']:.4f} |" in text
    assert "| test_accuracy_mean_softmax |" in text
    reported = deit(tmp_path, "report", "digits-quick", "--out", str(tmp_path / "results.md"))
    assert reported.stdout.strip() == str(tmp_path / "results.md")
    page = (tmp_path / "results.md").read_text()
    assert all(f"{run['results']['test_accuracy']:.2%}".rstrip("%") in page for run in runs)
    assert deit(tmp_path, "delete", run_id, "--yes").returncode == 0
    assert len(json.loads(deit(tmp_path, "runs", "--json").stdout)) == 2
    assert not Path(shown["folder"]).exists()


def assert_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_broken_spec_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"name": "x", "colour": "red"}')
    assert_sentence(deit(tmp_path, "submit", str(file)), "There is no field colour")
    file.write_text("{")
    assert_sentence(deit(tmp_path, "submit", str(file)), "not JSON")


def test_a_missing_data_set_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, so that the system's copy and the mirror can be taken away."""
    from deit_core import cli
    from deit_core.data.sources import downloads as published
    from deit_core.torchvision_ops import torchvision

    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "none")
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    places = ["--runs-dir", str(tmp_path / "runs"), "--data-dir", str(tmp_path / "data")]
    monkeypatch.setattr(sys, "argv", ["deit_core", "train", "fashion-classroom", *places])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Error: Fashion-MNIST is not on this machine" in error
    assert "apt install dataset-fashion-mnist" in error
    assert "Traceback" not in error


def test_a_teacher_of_other_classes_and_a_corrupt_checkpoint_are_one_sentence(tmp_path: Path) -> None:
    spec = presets.digits_quick().runs[0]
    card = ModelCard(
        spec=spec, classes=tuple("abcdefg"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1
    )
    teacher = tmp_path / "teacher.safetensors"
    save_weights(teacher, build_model(spec, num_classes=7), card)
    student = tmp_path / "student.json"
    deit_spec = presets.digits_quick().runs[2].model_dump(mode="json")
    deit_spec["distillation"]["teacher"] = str(teacher)
    student.write_text(json.dumps(deit_spec))
    refused = deit(tmp_path, "train", str(student))
    assert refused.returncode == 2
    assert "has 7 classes and the student 10; choose a teacher" in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    teacher.write_bytes(teacher.read_bytes()[:5000])
    assert_sentence(
        deit(tmp_path, "rollout", str(teacher), "a.png", "--out", "x"), "is damaged or not a file of weights"
    )


def test_presets_say_what_they_take(tmp_path: Path) -> None:
    listed = deit(tmp_path, "presets")
    assert listed.returncode == 0
    for name in ("digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"):
        assert name in listed.stdout
    assert json.loads(deit(tmp_path, "presets", "--json").stdout).keys() >= {"digits-quick"}


def test_the_estimate_is_measured_for_every_run(tmp_path: Path) -> None:
    found = json.loads(deit(tmp_path, "estimate", "digits-quick", *TINY, "--json").stdout)
    assert found["run_s"].keys() == {"teacher", "vit", "deit"}
    assert 0 < sum(found["run_s"].values()) < found["duration_s"] < 3600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_stops_and_resume_goes_on_in_the_background(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("train", "smoke", "--set", "optim.epochs=1000"),
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert any("epoch 1/1000" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=600) == 130
    (run,) = json.loads(deit(tmp_path, "runs", "--json").stdout)
    assert run["status"] == "stopped"
    assert deit(tmp_path, "resume", run["id"]).returncode == 0
    deadline = time.monotonic() + 600
    while json.loads(deit(tmp_path, "show", run["id"], "--json").stdout)["step"] <= run["step"]:
        assert time.monotonic() < deadline
    assert deit(tmp_path, "stop", run["id"]).returncode == 0
    while json.loads(deit(tmp_path, "show", run["id"], "--json").stdout)["status"] != "stopped":
        assert time.monotonic() < deadline + 600
