"""Every setting of a training run: its default, its meaning and its range, once.

The command line, the library's keyword defaults, and `settings.json` are all
made from here.
"""

import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from balanced_gan.checks import refuse_unfit_together, refuse_wrong, renamed, setting
from balanced_gan.errors import InputError
from balanced_gan.presets.table import PRESETS

_pictures = partial(setting, "Pictures")
_networks = partial(setting, "Networks")
_training = partial(setting, "Training")
_balance = partial(setting, "Balance")
_watching = partial(setting, "Watching")
STARTS = ("neutral", "portraits")  # come with this package


@dataclass(frozen=True)
class Settings:
    """The settings of a training run.

    Raises:
        InputError: if a value has the wrong type or is out of its range; the message names
            the setting and the value.
    """

    preset: str = setting(
        "What to do",
        "balanced",
        "A known system's settings as defaults; other options override them, --dry_run shows them.",
        choices=tuple(PRESETS),
    )

    path: str | None = _pictures(
        None, "Folder of pictures, subfolders included; without it, drawn faces."
    )
    pattern: str | None = _pictures(
        None, "Use only files whose path ends with this pattern: '*F.png' or 'front/*'."
    )
    max_images: int | None = _pictures(None, "Use at most this many pictures.", 1, 10_000_000)
    source_width: int | None = _pictures(
        None, "Keep this many columns from the middle before the crop.", 1, 100_000
    )
    source_height: int | None = _pictures(
        None, "Keep this many rows from the middle before the crop.", 1, 100_000
    )
    crop: str = _pictures(
        "center",
        "How pictures become square: center cuts the longer side, pad adds black borders, stretch "
        "distorts, face cuts out faces, which --dry_run then shows.",
        choices=("center", "pad", "stretch", "face"),
    )
    face_margin: float = _pictures(
        0.3, "With --crop face: border around a face, as a share of its side.", 0.0, 3.0
    )
    face_smallest: float = _pictures(
        0.08, "With --crop face: smallest face, as a share of the shorter side.", 0.01, 1.0
    )
    faces_per_picture: int = _pictures(
        1, "With --crop face: most faces from a picture, largest first.", 1, 1000
    )
    image_size: int = _pictures(
        64,
        "Side of the square pictures, in pixels.",
        choices=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256),
    )
    channels: int = _pictures(3, "3 for colour, 1 for grey.", choices=(3, 1))
    mirror: bool = _pictures(True, "Flip pictures left to right at random.")
    # Without it, rare kinds of pictures become rarer in a long run: see training/oversampling.py.
    oversampling: float = _pictures(
        3.0,
        "Show unusual pictures more often, so that long runs do not forget them: 0 for never, "
        "higher for more. It takes full effect after 100,000 pictures.",
        0.0,
        10.0,
    )
    cache: bool = _pictures(
        True, "Keep decoded pictures in runs/cache for the next start.", resumable=True
    )

    networks: str = _networks(
        "light",
        "Architecture of both networks: light is the default, the others belong to presets.",
        choices=("light", "original", "points", "dense", "celeba128", "dcgan"),
    )
    width: int = _networks(
        48, "Channels of the 32x32 layer at 64x64; the others scale with it.", 4, 512
    )
    latent_dim: int = _networks(100, "Length of a latent vector.", 1, 4096)
    latent_prior: str = _networks(
        "normal",
        "Distribution of the latents: normal(0, 1) or uniform(-1, 1).",
        choices=("normal", "uniform"),
    )
    start: str = _networks(
        "auto",
        f"Trained networks to start from: {', '.join(STARTS)}, one of your runs, or scratch for "
        "none; auto picks the shipped ones closest to your pictures.",
    )
    dropout: float = _networks(0.0, "Share of the discriminator's activations to drop.", 0.0, 0.95)

    batch_size: int = _training(8, "Pictures in a batch.", 1, 4096)
    epochs: int | None = _training(
        50,
        "Stop after this many epochs, each of as many pictures as there are.",
        1,
        10**7,
        resumable=True,
    )
    steps: int | None = _training(
        None, "Stop after this many steps, one batch each.", 1, 10**9, resumable=True
    )
    minutes: float | None = _training(
        None,
        "Stop after this many minutes in all. Any limit given replaces the default --epochs; the "
        "first one reached counts.",
        0.01,
        10**6,
        resumable=True,
    )
    generator_learning_rate: float = _training(
        8e-4, "Initial learning rate of the generator; see --learning_rate_decay.", 1e-7, 1.0
    )
    # At a quarter of it the discriminator was at chance for most of a run, and taught nothing.
    discriminator_learning_rate: float = _training(
        8e-4, "The same for the discriminator; see also --discriminator_warm_up.", 1e-7, 1.0
    )
    # Fast at first, because people wait for the early pictures; at a constant rate the pictures
    # become alike. It depends on the turns and not on the run's length, so that extending a
    # finished run gives the same result as one longer run.
    learning_rate_decay: float = _training(
        3e-4, "d: after n turns, a network's rate is divided by 1 + d n.", 0.0, 1.0
    )
    # Without it the discriminator runs away from a warm start in its first fifty turns: within the
    # margin on 84 instead of 91 % of 500 batches of 32. With 200, or for both networks, the
    # pictures were further from real ones (benchmarks/ablations.md).
    discriminator_warm_up: int = _training(
        100, "Turns over which the discriminator's learning rate rises.", 0, 100_000
    )
    optimizer: str = _training("adam", "Optimizer of both networks.", choices=("adam", "rmsprop"))
    # With 0.5 and 0.999 the pictures became more alike, and after the same 3,000 batches were twice
    # as far from real ones.
    beta_1: float = _training(0.0, "Adam's decay rate for the average gradient.", 0.0, 0.9999)
    beta_2: float = _training(
        0.99, "Adam's decay rate for the average squared gradient.", 0.0, 0.99999
    )
    clip_value: float = _training(
        0.0, "Clip each element of a gradient to this size; 0 for never.", 0.0, 1e6
    )
    label_noise: float = _training(
        0.0, "Randomly soften the discriminator's labels by up to this much.", 0.0, 0.5
    )
    r1: float = _training(
        0.2,
        "Weight of the R1 penalty: steadier training and more varied pictures; 0 for none. "
        "--balance margin raises it where the discriminator is too far ahead.",
        0.0,
        1000.0,
    )
    augmentation: bool = _training(
        True, "Randomly alter what the discriminator sees, against overfitting."
    )
    ema_decay: float = _training(
        0.995, "Decay rate of the averaged generator, per turn.", 0.0, 0.99999
    )
    precision: str = _training(
        "auto",
        "Arithmetic of the layers; auto picks the faster one on this machine.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = _training(0, "The same seed repeats a run.", 0, 2**31 - 1)

    margin: float = _balance(0.7, "e: keep |loss_G - loss_D| below this, in nats.", 0.0, 100.0)
    balance: str = _balance(
        "margin",
        "Which network trains on a batch. margin: the one that the rule of balance chooses; "
        "alternate: each in turn; both: both, from one forward pass; two_step: D, then G; "
        "two_step_repeat: the same, then the one that lags, until the gap is within the margin.",
        choices=("margin", "alternate", "both", "two_step", "two_step_repeat"),
    )
    max_streak: int = _balance(16, "Most turns in a row for one network.", 1, 1_000_000)

    grid_every_epochs: int | None = _watching(
        10,
        "Epochs between grids of pictures; the interval grows after 256 grids.",
        1,
        10**7,
        resumable=True,
    )
    grid_every_steps: int | None = _watching(
        None, "Steps between grids, in place of epochs.", 1, 10**9, resumable=True
    )
    grid_side: int = _watching(8, "Rows and columns of the grid.", 1, 32)
    preview: bool = _watching(
        False, "Show each new grid in the terminal; needs rich-pixels.", resumable=True
    )
    tensorboard: bool = _watching(
        False, "Write logs for TensorBoard; needs tensorboard.", resumable=True
    )
    evaluate_every_minutes: float = _watching(
        5.0,
        "Minutes between evaluations, which keep the best networks and take at most 3 % of the "
        "time; 0 for none.",
        0.0,
        1440,
        resumable=True,
    )
    checkpoint_every_minutes: float = _watching(
        2.0,
        "Minutes between checkpoints, 0 for one after every step; a power cut loses at most this "
        "much training.",
        0.0,
        1440,
        resumable=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            refuse_wrong(field, getattr(self, field.name))
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

        Values written by older versions are translated to their present names, and settings that
        they did not have yet are those of the run's preset.

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
        values = {name: renamed(name, value) for name, value in values.items()}
        preset = values.get("preset")
        if not isinstance(preset, str) or preset not in PRESETS:
            preset = "balanced"
        return cls(**preset_values(preset) | values)

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
