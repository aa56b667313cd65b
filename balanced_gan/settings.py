"""Every setting of a training run: its default, its meaning and its range, once.

The command line, the library's keyword defaults, and `settings.json` are all
made from here.
"""

import dataclasses
import json
import typing
from dataclasses import dataclass, field

from balanced_gan.errors import InputError


def _setting(default, group, meaning, low=None, high=None, choices=None, may_change=False):
    """A dataclass field that knows its help text and its range.

    `may_change` marks what a resumed run may be given anew without becoming another run.
    """
    return field(
        default=default,
        metadata={
            "group": group,
            "meaning": meaning,
            "low": low,
            "high": high,
            "choices": choices,
            "may_change": may_change,
        },
    )


@dataclass(frozen=True)
class Settings:
    """What a training run is made of.

    Raises:
        InputError: if a value is of the wrong kind or out of its range; the message names
            the setting and what was received.
    """

    # Pictures
    path: str | None = _setting(
        None, "Pictures", "Folder of pictures, sub-folders included; without it, drawn faces."
    )
    pattern: str | None = _setting(
        None, "Pictures", "Only files whose path ends so, as in '*F.png' or 'front/*'."
    )
    max_images: int | None = _setting(None, "Pictures", "Use at most so many.", 1, 10_000_000)
    crop: str = _setting(
        "center",
        "Pictures",
        "Make a square by cutting, by black borders, or by distorting.",
        choices=("center", "pad", "stretch"),
    )
    image_size: int = _setting(
        64,
        "Pictures",
        "Side in pixels.",
        choices=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256),
    )
    channels: int = _setting(3, "Pictures", "3 for colour, 1 for grey.", choices=(3, 1))
    mirror: bool = _setting(True, "Pictures", "Flip half of the pictures left to right.")

    # Networks
    latent_dim: int = _setting(100, "Networks", "Length of a latent.", 1, 4096)
    width: int = _setting(64, "Networks", "Channels at half the full size.", 4, 512)

    # Training
    batch_size: int = _setting(16, "Training", "Pictures a batch.", 1, 4096)
    epochs: int | None = _setting(
        50, "Training", "Stop after so many passes over the pictures.", 1, 10_000_000, None, True
    )
    minutes: float | None = _setting(
        None,
        "Training",
        "Stop after so long in all, instead of the default --epochs; with both, the first counts.",
        0.01,
        1_000_000,
        None,
        True,
    )
    generator_learning_rate: float = _setting(
        8e-4, "Training", "Adam's at first; it falls with the turns.", 1e-7, 1.0
    )
    # At the generator's own rate one step of the discriminator raised the gap by 0.25, three
    # times what a step of the generator took away.
    discriminator_learning_rate: float = _setting(
        2e-4,
        "Training",
        "The same for the discriminator, whose steps move the gap further.",
        1e-7,
        1.0,
    )
    augmentation: bool = _setting(
        True, "Training", "Show the discriminator randomly changed pictures: less overfitting."
    )
    ema_decay: float = _setting(
        0.995, "Training", "Share of the past in the averaged generator, per turn.", 0.0, 0.99999
    )
    precision: str = _setting(
        "auto",
        "Training",
        "Arithmetic of the layers; auto times both on this machine.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = _setting(
        0,
        "Training",
        "The same seed repeats a run; generating: of the first picture, else new.",
        0,
        2**31 - 1,
    )

    # Balance
    margin: float = _setting(
        0.5, "Balance", "e: keep |loss_G - loss_D| below it, in nats.", 0.0, 100.0
    )
    balance: str = _setting(
        "margin",
        "Balance",
        "Who trains: the lagging network, both on every batch, or each in turn.",
        choices=("margin", "both", "alternate"),
    )
    max_streak: int = _setting(16, "Balance", "Most turns in a row for one network.", 1, 1_000_000)

    # Watching
    grid_every_epochs: int = _setting(
        5, "Watching", "Draw the grid of pictures so often.", 1, 10_000_000, None, True
    )
    checkpoint_every_minutes: float = _setting(
        2.0,
        "Watching",
        "Save the state so often; what a power cut can cost.",
        0.0,
        1440,
        None,
        True,
    )

    def __post_init__(self):
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            wanted = what_is_wrong(setting, value)
            if wanted:
                raise InputError(
                    f"{setting.name} must be {wanted}. Received: {setting.name}={value!r}"
                )

    def to_json(self):
        """The settings as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """Settings from `to_json`'s text.

        Raises:
            InputError: if it is no such text, or names or values are not as they must be.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f"not JSON ({error})") from None
        known = {setting.name for setting in dataclasses.fields(cls)}
        if not isinstance(values, dict) or not values.keys() <= known:
            unknown = sorted(values.keys() - known) if isinstance(values, dict) else values
            raise InputError(f"unknown settings: {unknown}")
        return cls(**values)

    def identity(self):
        """What makes two runs the same run: all that may not change on resuming, as a dict."""
        return {
            setting.name: getattr(self, setting.name)
            for setting in dataclasses.fields(self)
            if not setting.metadata["may_change"]
        }


def kind(setting):
    """The type of a setting's values, `int` for `int | None`.

    Args:
        setting: one of `dataclasses.fields(Settings)`.
    """
    return (typing.get_args(setting.type) or (setting.type,))[0]


def range_text(setting):
    """The range of a setting in words: "a or b", "from ... to ...", or None."""
    low, high, choices = (setting.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return " or ".join(str(choice) for choice in choices)
    return None if low is None else f"from {low} to {high}"


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
        return range_text(setting)
    name = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[wanted]
    return f"{name} {range_text(setting)}" if low is not None else name
