"""What a person mistypes is answered in a sentence on stderr, with exit code 2, and nothing on stdout."""

import pytest
from program import Program


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "digits-quik"), "is neither a preset (scattered-quick, digits-quick"),
        (("train", "digits-quick", "--set", "optim.lr=99"), "optim.lr should be less than or equal to 10"),
        (("train", "digits-quick", "--set", "optim.speed=9"), "There is no field optim.speed"),
        (("train", "digits-quick", "--set", "optim.lr"), "written FIELD=VALUE"),
        (("train", "digits-quick", "--set", "model.patch_size=3"), "Patches of 3 px do not divide"),
        (("submit", "digits-quick", "--set", "deit.distillation.teacher=nobody"), "'nobody' of 'deit' is neither"),
        (("show", "ffff"), "There is no run whose id begins with 'ffff'"),
        (("stop", "ffff"), "There is no run"),
        (("data", "imagenet"), "There is no data set, folder or zip with the name 'imagenet'"),
        (("rollout", "nowhere", "a.png", "--out", "x"), "There is no checkpoint at nowhere"),
        (("export", "ffff", "--format", "pt"), "There is no run"),
        (("predict", "ffff"), "There is no run"),
        (("compare", "ffff", "1"), "There is no run"),
        (("compare", "1"), "Missing argument"),
        (("report", "nothing"), "There is no experiment 'nothing'"),
        (("train",), "Missing argument"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(deit: Program, arguments: tuple[str, ...], words: str) -> None:
    done = deit(*arguments)
    assert done.code == 2
    assert words in " ".join(done.stderr.decode().split())
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
