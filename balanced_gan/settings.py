"""Every setting of a training run: its default, its meaning and its range, once.

The command line, the library's keyword defaults, and `settings.json` are all
made from here.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from balanced_gan.checks import (
    refuse_unfit_together,
    renamed,
    setting,
    what_is_wrong,
    without_alternatives,
)
from balanced_gan.errors import InputError
from balanced_gan.presets.table import PRESETS

__all__ = ["STARTS", "Settings", "check_value", "preset_values", "renamed", "without_alternatives"]

STARTS = ("neutral", "portraits")  # come with this package


@dataclass(frozen=True)
class Settings:
    """The settings of a training run.

    Raises:
        InputError: if a value has the wrong type or is out of its range; the message names
            the setting and the value.
    """

    preset: str = setting(
        "balanced",
        "What to do",
        "A known system's settings as defaults; other options override them, --dry_run shows them.",
        choices=tuple(PRESETS),
    )

    # Pictures
    path: str | None = setting(
        None, "Pictures", "Folder of pictures, subfolders included; without it, drawn faces."
    )
    pattern: str | None = setting(
        None,
        "Pictures",
        "Use only files whose path ends with this pattern: '*F.png' or 'front/*'.",
    )
    max_images: int | None = setting(
        None, "Pictures", "Use at most this many pictures.", 1, 10_000_000
    )
    source_width: int | None = setting(
        None, "Pictures", "Keep this many columns from the middle before the crop.", 1, 100_000
    )
    source_height: int | None = setting(
        None, "Pictures", "Keep this many rows from the middle before the crop.", 1, 100_000
    )
    crop: str = setting(
        "center",
        "Pictures",
        "How pictures become square: center cuts the longer side, pad adds black borders, stretch "
        "distorts, face cuts out faces, which --dry_run then shows.",
        choices=("center", "pad", "stretch", "face"),
    )
    face_margin: float = setting(
        0.3, "Pictures", "With --crop face: border around a face, as a share of its side.", 0.0, 3.0
    )
    face_smallest: float = setting(
        0.08,
        "Pictures",
        "With --crop face: smallest face, as a share of the shorter side.",
        0.01,
        1.0,
    )
    faces_per_picture: int = setting(
        1, "Pictures", "With --crop face: most faces from a picture, largest first.", 1, 1000
    )
    image_size: int = setting(
        64,
        "Pictures",
        "Side of the square pictures, in pixels.",
        choices=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256),
    )
    channels: int = setting(3, "Pictures", "3 for colour, 1 for grey.", choices=(3, 1))
    mirror: bool = setting(True, "Pictures", "Flip pictures left to right at random.")
    cache: bool = setting(
        True, "Pictures", "Keep decoded pictures in runs/cache for the next start.", resumable=True
    )

    # Networks
    networks: str = setting(
        "light",
        "Networks",
        "Architecture of both networks: light is the default, the others belong to presets.",
        choices=("light", "original", "points", "dense", "celeba128", "dcgan"),
    )
    width: int = setting(
        48, "Networks", "Channels of the 32x32 layer at 64x64; the others scale with it.", 4, 512
    )
    latent_dim: int = setting(100, "Networks", "Length of a latent vector.", 1, 4096)
    latent_prior: str = setting(
        "normal",
        "Networks",
        "Distribution of the latents: normal(0, 1) or uniform(-1, 1).",
        choices=("normal", "uniform"),
    )
    start: str = setting(
        "auto",
        "Networks",
        f"Trained networks to start from: {', '.join(STARTS)}, one of your runs, or scratch for "
        "none; auto picks the one closest to your pictures.",
    )
    dropout: float = setting(
        0.0, "Networks", "Share of the discriminator's activations to drop.", 0.0, 0.95
    )

    # Training
    batch_size: int = setting(8, "Training", "Pictures in a batch.", 1, 4096)
    epochs: int | None = setting(
        50, "Training", "Stop after this many passes over the pictures.", 1, 10**7, resumable=True
    )
    steps: int | None = setting(
        None, "Training", "Stop after this many steps, one batch each.", 1, 10**9, resumable=True
    )
    minutes: float | None = setting(
        None,
        "Training",
        "Stop after this many minutes in all. Any limit given replaces the default --epochs; the "
        "first one reached counts.",
        0.01,
        10**6,
        resumable=True,
    )
    generator_learning_rate: float = setting(
        8e-4, "Training", "Initial learning rate; see --learning_rate_decay.", 1e-7, 1.0
    )
    # At a quarter of it the discriminator was at chance for most of a run, and taught nothing.
    discriminator_learning_rate: float = setting(
        8e-4, "Training", "Learning rate of the discriminator.", 1e-7, 1.0
    )
    # Fast at first, because people wait for the early pictures; at a constant rate the pictures
    # become alike. It depends on the turns and not on the run's length, so that extending a
    # finished run gives the same result as one longer run.
    learning_rate_decay: float = setting(
        3e-4, "Training", "d: after n turns, a network's rate is divided by 1 + d n.", 0.0, 1.0
    )
    # Without it the discriminator runs away from a warm start in its first fifty turns: within the
    # margin on 84 instead of 91 % of 500 batches of 32. With 200, or for both networks, the
    # pictures were further from real ones (benchmarks/ablations.md).
    discriminator_warm_up: int = setting(
        100, "Training", "Turns over which the discriminator's learning rate rises.", 0, 100_000
    )
    optimizer: str = setting(
        "adam", "Training", "Optimizer of both networks.", choices=("adam", "rmsprop")
    )
    # With 0.5 and 0.999 the pictures became more alike, and after the same 3,000 batches were twice
    # as far from real ones.
    beta_1: float = setting(
        0.0, "Training", "Adam's decay rate for the average gradient.", 0.0, 0.9999
    )
    beta_2: float = setting(
        0.99, "Training", "Adam's decay rate for the average squared gradient.", 0.0, 0.99999
    )
    clip_value: float = setting(
        0.0, "Training", "Clip each element of a gradient to this size; 0 for never.", 0.0, 1e6
    )
    label_noise: float = setting(
        0.0, "Training", "Randomly soften the discriminator's labels by up to this much.", 0.0, 0.5
    )
    r1: float = setting(
        0.2,
        "Training",
        "Weight of the R1 penalty: steadier training and more varied pictures; 0 for none.",
        0.0,
        1000.0,
    )
    augmentation: bool = setting(
        True, "Training", "Randomly alter what the discriminator sees, against overfitting."
    )
    ema_decay: float = setting(
        0.995, "Training", "Decay rate of the averaged generator, per turn.", 0.0, 0.99999
    )
    precision: str = setting(
        "auto",
        "Training",
        "Arithmetic of the layers; auto picks the faster one on this machine.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(0, "Training", "The same seed repeats a run.", 0, 2**31 - 1)

    # Balance
    margin: float = setting(
        0.7, "Balance", "e: keep |loss_G - loss_D| below this, in nats.", 0.0, 100.0
    )
    balance: str = setting(
        "margin",
        "Balance",
        "Which network trains on a batch. margin: the one that the rule of balance chooses; "
        "alternate: each in turn; both: both, from one forward pass; two_step: D, then G; "
        "two_step_repeat: the same, then the one that lags, until the gap is within the margin.",
        choices=("margin", "alternate", "both", "two_step", "two_step_repeat"),
    )
    max_streak: int = setting(16, "Balance", "Most turns in a row for one network.", 1, 1_000_000)

    # Watching
    grid_every_epochs: int | None = setting(
        10, "Watching", "Epochs between grids of pictures.", 1, 10**7, resumable=True
    )
    grid_every_steps: int | None = setting(
        None, "Watching", "Steps between grids, in place of epochs.", 1, 10**9, resumable=True
    )
    grid_side: int = setting(8, "Watching", "Rows and columns of the grid.", 1, 32)
    preview: bool = setting(
        False, "Watching", "Show each new grid in the terminal; needs rich-pixels.", resumable=True
    )
    tensorboard: bool = setting(
        False, "Watching", "Write logs for TensorBoard; needs tensorboard.", resumable=True
    )
    evaluate_every_minutes: float = setting(
        5.0,
        "Watching",
        "Minutes between evaluations, which keep the best networks and take at most 3 % of the "
        "time; 0 for none.",
        0.0,
        1440,
        resumable=True,
    )
    checkpoint_every_minutes: float = setting(
        2.0,
        "Watching",
        "Minutes between checkpoints, 0 for one after every step; a power cut loses at most this "
        "much training.",
        0.0,
        1440,
        resumable=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_value(field.name, getattr(self, field.name))
        refuse_unfit_together(self)

    @property
    def of_points(self) -> bool:
        """Whether the data are points of a curve, not pictures."""
        return self.networks == "points"

    def to_json(self) -> str:
        """The settings as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Settings from the text that `to_json` returns.

        Values written by older versions are translated to their present names.

        Raises:
            InputError: if the text is not JSON, or its names or values are not valid settings.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not JSON ({error})") from None
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or not values.keys() <= known:
            unknown = sorted(values.keys() - known) if isinstance(values, dict) else values
            raise InputError(f"unknown settings: {unknown}")
        return cls(**{name: renamed(name, value) for name, value in values.items()})

    def identity(self) -> dict[str, Any]:
        """The settings that cannot change when a run is resumed; equal for the same run."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if not field.metadata["resumable"]
        }


def preset_values(preset: str) -> dict[str, Any]:
    """The values of all settings under a preset, one of `PRESETS`, for `Settings(**...)`."""
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    return {**defaults, **PRESETS[preset], "preset": preset}


def check_value(name: str, value: object) -> None:
    """Refuses a value that a setting cannot have.

    Args:
        name: of a field of `Settings`.

    Raises:
        InputError: that says what the value must be.
    """
    wanted = what_is_wrong(Settings.__dataclass_fields__[name], value)
    if wanted:
        raise InputError(f"{name} must be {wanted}. Received: {name}={value!r}")
