import dataclasses
import json

import pytest

from balanced_gan import InputError, Settings
from balanced_gan.checks import without_alternatives
from balanced_gan.presets.table import PRESETS
from balanced_gan.settings import preset_values


def test_json_round_trip():
    settings = Settings(path="/tmp/ä", margin=0.25, epochs=None, minutes=5)
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "name, value",
    [
        ("margin", -1),
        ("margin", float("nan")),
        ("margin", "0.1"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("batch_size", True),
        ("epochs", -3),
        ("crop", "circle"),
        ("image_size", 65),
        ("channels", 2),
        ("mirror", 1),
        ("generator_learning_rate", None),
        ("path", 3),
    ],
)
def test_wrong_values_are_named(name, value):
    with pytest.raises(InputError, match=f"^{name} must be .*Received: {name}="):
        Settings(**{name: value})


@pytest.mark.parametrize("text", ["", "[]", "3", '{"colour": 1}', '{"margin": -1}', '{"margin"'])
def test_json_that_is_no_settings_is_refused(text):
    with pytest.raises(InputError):
        Settings.from_json(text)


def test_every_default_is_valid_and_explained():
    assert json.loads(Settings().to_json())["image_size"] == 64
    assert all(field.metadata["meaning"] for field in dataclasses.fields(Settings))


def test_identity_is_all_but_budget_and_watching():
    same = Settings(epochs=3, minutes=1.0, steps=2, grid_every_epochs=2, grid_every_steps=3)
    assert same.identity() == Settings().identity()
    assert Settings(seed=1).identity() != Settings().identity()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_overrides(preset):
    settings = Settings(**preset_values(preset))
    assert settings.preset == preset


@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_from_before_a_setting_existed_has_that_of_its_preset(preset):
    settings = Settings(**preset_values(preset))
    for name in preset_values(preset).keys() - {"preset"}:
        stored = dataclasses.asdict(settings)
        del stored[name]
        assert Settings.from_json(json.dumps(stored)) == settings
    for name, value in PRESETS[preset].items():
        assert getattr(settings, name) == value, name


def test_what_is_given_takes_the_place_of_its_alternatives():
    assert without_alternatives({"minutes": 5.0, "seed": 1}) == {
        "minutes": 5.0,
        "epochs": None,
        "steps": None,
        "seed": 1,
    }
    assert without_alternatives({"epochs": 3, "steps": 7})["steps"] == 7
    assert without_alternatives({"seed": 1}) == {"seed": 1}


@pytest.mark.parametrize(
    "values, named",
    [
        ({"networks": "points", "augmentation": False, "path": "a"}, "path='a'"),
        ({"networks": "points", "augmentation": False, "image_size": 32}, "image_size=32"),
        ({"networks": "points"}, "augmentation=True"),
        ({"networks": "celeba128", "image_size": 40}, "image_size=40"),
        ({"epochs": None}, "epochs=None"),
    ],
)
def test_unknown_combinations_are_one_sentence(values, named):
    with pytest.raises(InputError, match=f"Received: {named}") as error:
        Settings(**values)
    assert "\n" not in str(error.value)
