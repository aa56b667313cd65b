import dataclasses
import json

import pytest

from balanced_gan import InputError, Settings


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
    same = Settings(epochs=3, minutes=1.0, grid_every_epochs=2, checkpoint_every_minutes=1.0)
    assert same.identity() == Settings().identity()
    assert Settings(seed=1).identity() != Settings().identity()
