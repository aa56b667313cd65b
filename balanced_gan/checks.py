"""Whether the values of settings are good: each by itself, and all together."""

import dataclasses
import typing

from balanced_gan.errors import InputError


def kind(setting):
    """The type of a setting's values, `int` for `int | None`.

    Args:
        setting: one of `dataclasses.fields(Settings)`.
    """
    return (typing.get_args(setting.type) or (setting.type,))[0]


def what_is_wrong(setting, value):
    """What a value should have been, in words, or None if it is good.

    Args:
        setting: one of `dataclasses.fields(Settings)`.
        value: of any type.
    """
    if value is None and type(None) in typing.get_args(setting.type):
        return None
    wanted = kind(setting)
    low, high, choices = (setting.metadata[key] for key in ("low", "high", "choices"))
    good = isinstance(value, (int, float) if wanted is float else wanted)
    if isinstance(value, bool) and wanted is not bool:  # Python counts bools as ints
        good = False
    if good and choices:
        good = value in choices
    if good and low is not None:
        good = low <= value <= high  # false for NaN too
    if good:
        return None
    if choices:
        return " or ".join(str(choice) for choice in choices)
    name = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[wanted]
    return f"{name} from {low} to {high}" if low is not None else name


def refuse_unfit_together(settings):
    """Refuses values that are good alone and not together.

    Args:
        settings: a `Settings`.

    Raises:
        InputError: that names the settings and what was received.
    """
    if settings.epochs is settings.steps is settings.minutes is None:
        raise InputError(
            "one of epochs, steps and minutes must be given, or nothing ends the run. "
            "Received: epochs=None, steps=None, minutes=None"
        )
    if settings.of_points:
        for setting in dataclasses.fields(settings):
            value = getattr(settings, setting.name)
            unfit = setting.metadata["group"] == "Pictures" and value != setting.default
            if setting.name != "max_images" and unfit:
                raise InputError(
                    f"{setting.name} has no meaning for points, which networks='points' learns. "
                    f"Received: {setting.name}={value!r}"
                )
        if settings.augmentation:
            raise InputError(
                "augmentation is for pictures, and networks='points' learns points. "
                "Received: augmentation=True"
            )
    if settings.networks == "celeba128" and settings.image_size < 48:
        raise InputError(
            "image_size must be 48 or more with networks='celeba128', whose discriminator halves "
            f"four times without borders. Received: image_size={settings.image_size}"
        )
