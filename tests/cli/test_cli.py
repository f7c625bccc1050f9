"""The command line as a person uses it: exit codes, sentences on stderr, JSON alone on stdout."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from program import Done, Program

from deit_core import presets
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, open_store
from deit_core.settings import Settings

TINY = [
    *("--set", "optim.epochs=2", "--set", "optim.warmup_epochs=0.5", "--set", "model.depth=2"),
    *("--set", "model.patch_size=4", "--set", "model.width=8"),
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "deit_core", *words]


def in_a_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=600, check=True)


def test_the_whole_journey_without_a_page(deit: Program, tmp_path: Path) -> None:
    trained = in_a_process("train", "digits-quick", *TINY)
    assert "vit: epoch 2/2" in trained.stderr
    assert "test accuracy" in trained.stderr
    runs = json.loads(in_a_process("runs", "--json").stdout)
    assert [run["name"] for run in runs] == ["deit", "vit", "teacher"]
    assert {run["status"] for run in runs} == {"completed"}
    assert all(0 < run["results"]["test_accuracy"] <= 1 for run in runs)
    run_id = runs[0]["id"]
    shown = json.loads(deit("show", run_id[:5], "--json").stdout)
    assert shown["spec"]["distillation"]["teacher"] == runs[2]["id"]
    assert Path(shown["log"]).exists()
    assert b"completed" in deit("runs").stdout

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    pictures = tmp_path / "pictures"
    drawn = deit("rollout", run_id[:5], str(tmp_path / "a.png"), "--out", str(pictures))
    assert drawn.code == 0, drawn.stderr
    with Image.open(pictures / "a.rollout.png") as picture:
        settings = json.loads(picture.text["deit_lab"])
    assert (settings["rollout"]["method"], settings["models"][0]["epoch"]) == ("rollout", 2)
    teacher = f"{tmp_path}/runs/{runs[2]['id']}"
    explained = deit("rollout", teacher, str(tmp_path / "a.png"), "--out", str(pictures), "--npz", "--json")
    (document,) = json.loads(explained.stdout)
    assert document["picture"] == str(pictures / "a.grad_cam.png")
    assert np.load(pictures / "a.grad_cam.npz")["Output"].shape == (16, 16)
    (tmp_path / "text.png").write_text("no image")
    assert_sentence(deit("rollout", shown["folder"], str(tmp_path / "text.png"), "--out", "x"), "an image that")

    exported = deit("export", run_id, "--format", "pt", "--out", str(tmp_path / "DeiT_model.pt"))
    assert exported.stdout.decode().strip() == str(tmp_path / "DeiT_model.pt")
    together = deit("export", run_id, "--format", "pt", "--experiment", "--out", str(tmp_path / "all"))
    files = [Path(line) for line in together.stdout.decode().splitlines()]
    assert [file.name for file in files] == ["teacher_model.pt", "ViT_model.pt", "DeiT_model.pt"]
    assert files[2].read_bytes() == (tmp_path / "DeiT_model.pt").read_bytes()
    described = deit("export", run_id, "--format", "card", "--out", str(tmp_path / "DeiT.md"))
    assert described.code == 0, described.stderr
    text = (tmp_path / "DeiT.md").read_text()
    assert f"| test_accuracy | {runs[0]['results']['test_accuracy']:.4f} |" in text
    assert "| test_accuracy_mean_softmax |" in text
    reported = deit("report", "digits-quick", "--out", str(tmp_path / "results.md"))
    assert reported.stdout.decode().strip() == str(tmp_path / "results.md")
    page = (tmp_path / "results.md").read_text()
    assert all(f"{run['results']['test_accuracy']:.2%}".rstrip("%") in page for run in runs)
    assert deit("delete", run_id, "--yes").code == 0
    assert len(json.loads(deit("runs", "--json").stdout)) == 2
    assert not Path(shown["folder"]).exists()


def assert_said(done: Done, words: str) -> None:
    said = done.stderr.decode()
    assert done.code == 2, said
    assert words in " ".join(said.split())
    assert "Traceback" not in said


def assert_sentence(done: Done, words: str) -> None:
    assert_said(done, words)
    assert done.stdout == b""


def test_a_broken_spec_file_is_one_sentence(deit: Program, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"name": "x", "colour": "red"}')
    assert_sentence(deit("submit", str(file)), "There is no field colour")
    file.write_text("{")
    refused = subprocess.run(command("submit", str(file)), capture_output=True, check=False)
    assert_sentence(Done(refused.returncode, refused.stdout, refused.stderr), "not JSON")


def test_a_missing_data_set_is_one_sentence(deit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deit_core.data.sources import downloads as published
    from deit_core.torchvision_ops import torchvision

    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "none")
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    done = deit("train", "fashion-classroom", "--data-dir", str(tmp_path / "data"))
    assert_said(done, "Error: Fashion-MNIST is not on this machine")
    assert "apt install dataset-fashion-mnist" in done.stderr.decode()


def test_a_teacher_of_other_classes_and_a_corrupt_checkpoint_are_one_sentence(deit: Program, tmp_path: Path) -> None:
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
    assert_said(deit("train", str(student)), "has 7 classes and the student 10; choose a teacher")
    teacher.write_bytes(teacher.read_bytes()[:5000])
    assert_sentence(deit("rollout", str(teacher), "a.png", "--out", "x"), "is damaged or not a file of weights")


def test_presets_say_what_they_take(deit: Program) -> None:
    listed = deit("presets")
    assert listed.code == 0
    for name in ("digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"):
        assert name in listed.stdout.decode()
    assert json.loads(deit("presets", "--json").stdout).keys() >= {"digits-quick"}


def test_the_estimate_is_measured_for_every_run(deit: Program) -> None:
    found = json.loads(deit("estimate", "digits-quick", *TINY, "--json").stdout)
    assert found["run_s"].keys() == {"teacher", "vit", "deit"}
    assert 0 < sum(found["run_s"].values()) < found["duration_s"] < 3600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_stops_and_resume_goes_on_in_the_background(deit: Program) -> None:
    words = command("train", "smoke", "--set", "optim.epochs=200")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("epoch 1/200" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=600) == 130
    (run,) = json.loads(deit("runs", "--json").stdout)
    assert run["status"] == "stopped"
    assert deit("resume", run["id"]).code == 0
    store, deadline = open_store(Settings.from_env().store_url), time.monotonic() + 600
    while store.run(run["id"]).step <= run["step"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert deit("stop", run["id"]).code == 0
    while store.run(run["id"]).status != Status.STOPPED:
        assert time.monotonic() < deadline + 600
        time.sleep(0.1)
    assert json.loads(deit("show", run["id"], "--json").stdout)["status"] == "stopped"
