"""What the values of settings may be: each by itself, and all together."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from balanced_gan.errors import InputError

# What versions before 2026-11-25 called some values.
_FORMER = {("balance", "usual"): "two_step", ("balance", "repeat"): "two_step_repeat"}
# In each line, the settings that are given replace all the others.
_ALTERNATIVES = (("epochs", "steps", "minutes"), ("grid_every_epochs", "grid_every_steps"))


def setting(
    group: str,
    default: Any,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    resumable: bool = False,
) -> Any:
    """A field of `Settings`, with its help text and its range in the metadata.

    Args:
        group: the heading of `--help` that it belongs to.
        low, high: the smallest and the largest number allowed; None for no range.
        choices: the values allowed; None for any.
        resumable: whether it may change when a run is resumed.
    """
    return dataclasses.field(
        default=default,
        metadata=dict(
            group=group, meaning=meaning, low=low, high=high, choices=choices, resumable=resumable
        ),
    )


def kind(field: dataclasses.Field[Any]) -> type:
    """The type of a setting's values, `int` for `int | None`."""
    first: type = (typing.get_args(field.type) or (field.type,))[0]
    return first


def refuse_wrong(field: dataclasses.Field[Any], value: object) -> None:
    """Refuses a value that a setting cannot have.

    Raises:
        InputError: that says what the value must be.
    """
    if value is None and type(None) in typing.get_args(field.type):
        return
    wanted = kind(field)
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    good = isinstance(value, (int, float) if wanted is float else wanted)
    if isinstance(value, bool) and wanted is not bool:  # Python counts bools as ints
        good = False
    if good and choices:
        good = value in choices
    if good and low is not None:
        good = low <= value <= high  # false for NaN too
    if good:
        return
    named = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[wanted]
    if choices:
        named = " or ".join(map(str, choices))
    elif low is not None:
        named = f"{named} from {low} to {high}"
    raise InputError(f"{field.name} must be {named}. Received: {field.name}={value!r}")


def refuse_unfit_together(settings: Any) -> None:
    """Refuses values that are good alone and do not fit together.

    Args:
        settings: a `Settings`, whose module imports this one.

    Raises:
        InputError: that names the settings and their values.
    """
    if settings.epochs is settings.steps is settings.minutes is None:
        raise InputError(
            "one of epochs, steps and minutes must be given, or the run would never end. "
            "Received: epochs=None, steps=None, minutes=None"
        )
    if settings.of_points:
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            of_pictures = field.metadata["group"] == "Pictures" and field.name != "max_images"
            if (of_pictures and value != field.default) or (field.name == "augmentation" and value):
                raise InputError(
                    f"{field.name} is for pictures, and networks='points' learns points. "
                    f"Received: {field.name}={value!r}"
                )
    if settings.networks == "celeba128" and settings.image_size < 48:
        raise InputError(
            "image_size must be 48 or more with networks='celeba128', whose discriminator halves "
            f"its input four times without padding. Received: image_size={settings.image_size}"
        )


def renamed(name: str, value: Any) -> Any:
    """Translates a setting's former value to its present name; other values stay as they are."""
    return _FORMER.get((name, value), value) if isinstance(value, str) else value


def without_alternatives(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, and None for every setting that one of them replaces."""
    replaced = {
        name: None for names in _ALTERNATIVES if given.keys() & set(names) for name in names
    }
    return {**replaced, **given}
