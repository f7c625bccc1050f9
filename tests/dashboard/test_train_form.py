"""The form of the Train page: a variant of a preset and its command, or a spec of one's own from a file."""

import json

from train_pages import RunPage, command, document, sound, words

from deit_core import presets
from deit_core.cli.options import read_spec
from deit_core.runs import Store


def test_a_change_makes_a_variant_and_its_command(train_page: RunPage, store: Store) -> None:
    page = train_page()
    form = page.session_state["train_form"]
    page.number_input(key=f"form{form}/teacher+vit+deit/optim.batch_size").set_value(32).run()
    page.segmented_control(key=f"form{form}/runs").set_value("deit").run()
    page.selectbox(key=f"form{form}/deit/distillation.kind").set_value("hard").run()
    sound(page)
    start, *rest = command(page)
    assert (start, rest[:4]) == ("python", ["-m", "deit_core", "submit", "digits-quick"])
    assert rest[4:] == ["--set", "optim.batch_size=32", "--set", "deit.distillation.kind=hard"]
    assert read_spec(rest[3], rest[5::2]) == document(page)
    page.button(key="start").click().run()
    assert [run.spec.optim.batch_size for run in store.runs()] == [32, 32, 32]


def test_words_that_look_like_numbers_stay_words_on_the_command_line(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    page.text_input(key="form1/smoke/name").set_value("it's 7").run()
    assert read_spec("smoke", command(page)[6::2]) == document(page)
    page.text_input(key="form1/smoke/name").set_value("7").run()
    assert read_spec("smoke", command(page)[6::2]) == document(page)


def test_undoing_returns_to_the_preset(train_page: RunPage) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/seed").set_value(7).run()
    sound(page.button(key="undo").click().run())
    assert document(page) == presets.get("digits-quick")
    assert page.number_input(key="form2/teacher+vit+deit/seed").value == 42


def test_another_preset_starts_a_new_form(train_page: RunPage) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/seed").set_value(7).run()
    page.selectbox(key="preset").set_value("fashion-full").run()
    page.selectbox(key="preset").set_value("digits-quick").run()
    assert document(sound(page)) == presets.get("digits-quick")


def test_what_cannot_be_trained_is_a_sentence_and_starts_nothing(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/data.img_size").set_value(17).run()
    assert "do not divide images of 17 px" in page.error[0].value.replace("\\", "")
    assert page.button(key="start").disabled
    assert not store.runs()


def test_what_is_said_of_a_preset_is_not_said_of_its_variant(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    assert "your changes" not in words(page)
    epochs = page.number_input(key="form1/smoke/optim.epochs")
    epochs.set_value(200).run()
    assert "Before your changes:" in words(sound(page))
    assert "200 epochs" in words(page)
    epochs.set_value(0).run()
    assert "Your changes cannot be trained. Without them:" in words(sound(page))
    assert "200 epochs" not in words(page)


def test_a_spec_of_one_s_own(train_page: RunPage, store: Store, trio: dict[str, str]) -> None:
    page = train_page()
    student = store.run(trio["deit"]).spec
    page.file_uploader[0].upload("my deit.json", student.model_dump_json().encode()).run()
    assert document(sound(page)) == student
    assert command(page)[4:] == ["my deit.json"]
    page.selectbox(key="form2/teacher").set_value(trio["vit"]).run()
    assert command(page)[5:] == ["--set", f"distillation.teacher={trio['vit']}"]
    page.button(key="start").click().run()
    assert store.runs()[0].needs == (trio["vit"],)


def test_a_damaged_file_is_a_sentence(train_page: RunPage) -> None:
    page = train_page()
    page.file_uploader[0].upload("spec.json", b"{nope").run()
    assert "This is not JSON" in page.error[0].value
    assert not [button for button in page.button if button.key == "start"]  # it would start something else
    page.selectbox(key="preset").set_value("smoke").run()  # leaves the file
    assert not page.error
    assert document(sound(page)) == presets.get("smoke")


def test_names_from_a_file_show_literally(train_page: RunPage) -> None:
    page = train_page()
    spec = presets.get("smoke").model_dump(mode="json") | {"name": "*a* $b$ :red[c]", "notes": "# not a heading"}
    page.file_uploader[0].upload("spec.json", json.dumps(spec).encode()).run()
    shown = words(sound(page))
    assert r"\*a\* \$b\$" in shown
    assert r"\# not a heading" in shown
