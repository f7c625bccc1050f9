"""The cards of the Train page: presets by purpose, each with a picture; and one click that repairs a warm-up."""

import re
from base64 import b64decode
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.train.changes import Changes
from dashboard.views.train.preset_picture import preset_picture
from dashboard.views.train.repairs import shorter_warmups
from deit_core import presets
from deit_core.spec import ExperimentSpec

RunPage = Callable[..., AppTest]
SVG = "{http://www.w3.org/2000/svg}"


def cards(page: AppTest) -> list[str]:
    return [button.label for button in page.button if (button.key or "").startswith("card-")]


def words(page: AppTest) -> str:
    return "\n".join(re.sub(r'src="[^"]*"', "", element.proto.body) for element in page.get("html"))


def test_the_cards_are_those_of_the_purpose_of_the_preset(run_page: RunPage) -> None:
    page = run_page("train")
    assert cards(page) == ["scattered-quick", "digits-quick", "smoke"]
    said = words(page)
    assert "A CNN knows a digit wherever it stands" in said
    assert "1 min 23 s on 2 cores of an EPYC · no download · no GPU needed" in said
    page.segmented_control(key="purpose of scattered-quick").set_value("ImageNet").run()
    assert cards(page) == ["imagenet-deit-tiny", "imagenet-deit-small", "imagenet-deit-base"]
    assert "downloads 320 MB once · for a GPU" in words(page)


def test_a_card_chooses_its_preset(run_page: RunPage) -> None:
    page = run_page("train", set="optim.lr=0.5")
    page.button(key="card-digits-quick").click().run()
    assert not page.exception
    assert page.selectbox(key="preset").value == "digits-quick"
    assert "digits-quick" in page.query_params["preset"]
    assert "set" not in page.query_params


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_has_a_picture(name: str) -> None:
    head, content = preset_picture(presets.get(name)).split(",")
    assert head == "data:image/svg+xml;base64"
    picture = ElementTree.fromstring(b64decode(content))
    assert len(picture) > 10


def test_a_bar_is_as_high_as_the_measured_accuracy() -> None:
    spec = presets.get("scattered-quick")
    assert isinstance(spec, ExperimentSpec)
    assert spec.expectation is not None
    picture = ElementTree.fromstring(b64decode(preset_picture(spec).split(",")[1]))
    bars = [float(bar.attrib["height"]) for bar in picture.iter(f"{SVG}rect") if float(bar.attrib["x"]) > 70]
    assert bars[:3] == pytest.approx([64 * spec.expectation.accuracy[run.name] for run in spec.runs], abs=0.01)


def test_one_click_shortens_a_warm_up_that_would_not_end(run_page: RunPage) -> None:
    page = run_page("train", preset="digits-quick")
    page.number_input(key="form1/teacher+vit+deit/optim.epochs").set_value(2).run()
    assert page.button(key="start").disabled
    assert "A warm-up of 2 epochs never ends in a run of 2" in page.error[0].value.replace("\\", "")
    page.button(key="shorten_warmup").click().run()
    assert not page.error
    assert not page.button(key="start").disabled
    form = page.session_state["train_form"]
    assert page.number_input(key=f"form{form}/teacher+vit+deit/optim.warmup_epochs").value == 0.2
    assert page.number_input(key=f"form{form}/teacher+vit+deit/optim.epochs").value == 2


def test_only_a_warm_up_that_is_too_long_is_shortened() -> None:
    changes = Changes(presets.digits_quick())
    changes.set(["teacher", "vit", "deit"], "optim.epochs", 4)
    assert shorter_warmups(changes) == {"vit": 0.4, "deit": 0.4}  # the teacher warms up for 2 epochs, these for 4
