"""Every setting of a training run: its default, its meaning and its range, once.

The command line, the library's keyword defaults, and `settings.json` are all
made from here.
"""

import dataclasses
import json
from dataclasses import dataclass, field

from balanced_gan.checks import refuse_unfit_together, what_is_wrong
from balanced_gan.errors import InputError
from balanced_gan.presets import PRESETS

STARTS = ("neutral", "portraits")  # that come with this package

# Of each line, what is given takes the place of all the others.
ALTERNATIVES = (("epochs", "steps", "minutes"), ("grid_every_epochs", "grid_every_steps"))


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

    preset: str = _setting(
        "balanced",
        "What to do",
        "A known system's settings as defaults; --dry_run shows them, other options override them.",
        choices=tuple(PRESETS),
    )

    # Pictures
    path: str | None = _setting(
        None,
        "Pictures",
        "Folder of pictures, sub-folders included; without it, drawn faces. Evaluating: pictures "
        "that were not trained on.",
    )
    pattern: str | None = _setting(
        None, "Pictures", "Only files whose path ends so, as in '*F.png' or 'front/*'."
    )
    max_images: int | None = _setting(None, "Pictures", "Use at most so many.", 1, 10_000_000)
    source_width: int | None = _setting(
        None, "Pictures", "Before the square, keep so many columns of the middle.", 1, 100_000
    )
    source_height: int | None = _setting(None, "Pictures", "The same for rows.", 1, 100_000)
    crop: str = _setting(
        "center",
        "Pictures",
        "Make a square by cutting, by black borders, by distorting, or of each face found; "
        "--dry_run then draws them all.",
        choices=("center", "pad", "stretch", "face"),
    )
    face_margin: float = _setting(
        0.3, "Pictures", "With --crop face: keep so much around it, of its side.", 0.0, 3.0
    )
    face_smallest: float = _setting(
        0.08, "Pictures", "Smallest face, as a share of the picture's shorter side.", 0.01, 1.0
    )
    faces_per_picture: int = _setting(
        1, "Pictures", "At most so many of one picture, the largest first.", 1, 1000
    )
    image_size: int = _setting(
        64,
        "Pictures",
        "Side in pixels.",
        choices=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256),
    )
    channels: int = _setting(3, "Pictures", "3 for colour, 1 for grey.", choices=(3, 1))
    mirror: bool = _setting(True, "Pictures", "Flip half of the pictures left to right.")
    cache: bool = _setting(
        True,
        "Pictures",
        "Keep decoded pictures in runs/cache for the next start.",
        may_change=True,
    )

    # Networks
    networks: str = _setting(
        "light",
        "Networks",
        "Architecture of both networks: ours, light, or that of a preset.",
        choices=("light", "original", "points", "dense", "celeba128", "dcgan"),
    )
    width: int = _setting(
        48,
        "Networks",
        "Channels at eight times the base, 32x32 of 64x64; other layers follow.",
        4,
        512,
    )
    latent_dim: int = _setting(100, "Networks", "Length of a latent.", 1, 4096)
    latent_prior: str = _setting(
        "normal",
        "Networks",
        "How latents are drawn: normal(0, 1) or uniform(-1, 1).",
        choices=("normal", "uniform"),
    )
    start: str = _setting(
        "auto",
        "Networks",
        "Networks to begin from, which already know other pictures: "
        f"{', '.join(STARTS)}, a run of yours, scratch for none; auto measures which is nearest.",
    )
    dropout: float = _setting(
        0.0, "Networks", "Share of the discriminator's activations to drop.", 0.0, 0.95
    )

    # Training
    batch_size: int = _setting(8, "Training", "Pictures a batch.", 1, 4096)
    epochs: int | None = _setting(
        50, "Training", "Stop after so many passes over the pictures.", 1, 10_000_000, None, True
    )
    steps: int | None = _setting(
        None,
        "Training",
        "Stop after so many batches, instead of the default --epochs.",
        1,
        1_000_000_000,
        None,
        True,
    )
    minutes: float | None = _setting(
        None,
        "Training",
        "Stop after so long in all, likewise; with several limits, the first counts.",
        0.01,
        1_000_000,
        None,
        True,
    )
    generator_learning_rate: float = _setting(
        8e-4, "Training", "At first; see --learning_rate_decay.", 1e-7, 1.0
    )
    # At a quarter of it the discriminator was at chance for most of a run, and taught nothing.
    discriminator_learning_rate: float = _setting(
        8e-4, "Training", "The same for the discriminator.", 1e-7, 1.0
    )
    # Fast at first, since early pictures are what one waits for; at a constant rate the
    # pictures grow alike. A function of the turns and not of the run's length, so that
    # training a finished run further is the same as having asked for more at once.
    learning_rate_decay: float = _setting(
        3e-4,
        "Training",
        "d: after n turns of a network its learning rate is divided by 1 + d n.",
        0.0,
        1.0,
    )
    # Without it the discriminator runs away from a warm start in its first fifty turns: within the
    # margin on 84 instead of 91 % of 500 batches of 32. With 200, or for both networks, the
    # pictures were further from real ones (benchmarks/ablations.md).
    discriminator_warm_up: int = _setting(
        100, "Training", "Turns in which the discriminator's learning rate rises.", 0, 100_000
    )
    optimizer: str = _setting("adam", "Training", "Of both networks.", choices=("adam", "rmsprop"))
    # With 0.5 and 0.999 the pictures grew more alike, and after the same 3,000 batches were twice
    # as far from real ones.
    beta_1: float = _setting(0.0, "Training", "Adam's share of past gradients.", 0.0, 0.9999)
    beta_2: float = _setting(
        0.99, "Training", "Adam's share of past squared gradients.", 0.0, 0.99999
    )
    clip_value: float = _setting(
        0.0, "Training", "Cut each gradient to at most so much; 0 for never.", 0.0, 1e6
    )
    label_noise: float = _setting(
        0.0,
        "Training",
        "Tell the discriminator real and generated less than surely, by up to so much.",
        0.0,
        0.5,
    )
    r1: float = _setting(
        0.2,
        "Training",
        "Penalty on the discriminator's slope at real pictures: steadier, more varied; 0 for none.",
        0.0,
        1000.0,
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
        "Arithmetic of the layers; auto is the faster of the two on this machine.",
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
        0.7, "Balance", "e: keep |loss_G - loss_D| below it, in nats.", 0.0, 100.0
    )
    balance: str = _setting(
        "margin",
        "Balance",
        "Who trains on a batch. margin: the lagging network alone; both: both from one forward "
        "pass; alternate: each in turn; usual: D, then G; repeat: the same, then the lagging "
        "one again until the gap is within the margin.",
        choices=("margin", "both", "alternate", "usual", "repeat"),
    )
    max_streak: int = _setting(16, "Balance", "Most turns in a row for one network.", 1, 1_000_000)

    # Watching
    grid_every_epochs: int | None = _setting(
        10, "Watching", "Draw the grid of pictures so often.", 1, 10_000_000, None, True
    )
    grid_every_steps: int | None = _setting(
        None, "Watching", "The same in batches, instead.", 1, 1_000_000_000, None, True
    )
    grid_side: int = _setting(
        8, "Watching", "Pictures in a row and in a column of the grid.", 1, 32
    )
    preview: bool = _setting(
        False,
        "Watching",
        "Draw each new grid in the terminal too; needs rich-pixels.",
        may_change=True,
    )
    tensorboard: bool = _setting(
        False,
        "Watching",
        "Write logs for TensorBoard into the run folder; needs tensorboard.",
        may_change=True,
    )
    evaluate_every_minutes: float = _setting(
        5.0,
        "Watching",
        "Measure quality so often, 0 for never, and keep the best networks; never more than 3 % "
        "of the time.",
        0.0,
        1440,
        None,
        True,
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
            check_value(setting.name, getattr(self, setting.name))
        refuse_unfit_together(self)

    @property
    def of_points(self):
        """Whether the data are points of a curve, not pictures."""
        return self.networks == "points"

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
        except (ValueError, RecursionError) as error:
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


def preset_values(preset):
    """All values that a preset stands for, as a dict for `Settings(**...)`.

    Args:
        preset: a key of `PRESETS`.
    """
    defaults = {setting.name: setting.default for setting in dataclasses.fields(Settings)}
    return {**defaults, **PRESETS[preset], "preset": preset}


def without_alternatives(given):
    """The values given, and None for every setting whose place one of them takes.

    Args:
        given: a dict of settings' values.

    Returns:
        A new dict.
    """
    displaced = {
        name: None for names in ALTERNATIVES if given.keys() & set(names) for name in names
    }
    return {**displaced, **given}


def check_value(name, value):
    """Raises an `InputError` that says what a setting must be, unless the value is good.

    Args:
        name: of a field of `Settings`.
        value: of any type.
    """
    wanted = what_is_wrong(Settings.__dataclass_fields__[name], value)
    if wanted:
        raise InputError(f"{name} must be {wanted}. Received: {name}={value!r}")
