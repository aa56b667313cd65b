"""From seeds to latents to samples, and the networks that make them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from balanced_gan.errors import InputError, is_out_of_memory
from balanced_gan.files import is_compressed, printable
from balanced_gan.runs.run import Run
from balanced_gan.settings import Settings

if TYPE_CHECKING:
    import keras

IMAGES = Path("images")  # below the folder the program is started in
_AT_ONCE = 64  # samples in memory: a thousand need no more than a hundred


def latents_of(
    seeds: Iterable[int],
    latent_dim: int,
    truncation: float = 1.0,
    prior: str = Settings.latent_prior,
) -> NDArray[np.float32]:
    """Draws one latent per seed, (N, latent_dim), the same on every machine.

    Args:
        seeds: whole numbers from 0.
        truncation: factor in (0, 2]. Below 1, latents are closer to the mean, and pictures are
            more ordinary and more alike. Above 1, pictures are more varied, and more of them are
            broken.
        prior: "normal" or "uniform", the one that the generator was trained with.
    """
    streams = map(np.random.default_rng, seeds)
    if prior == "uniform":
        rows = [random.uniform(-1, 1, latent_dim) for random in streams]
    else:
        rows = [random.standard_normal(latent_dim) for random in streams]
    return np.float32(truncation) * np.array(rows, np.float32)


def load_network(run: Run, file: Path) -> "keras.Model":
    """Loads the averaged generator or the discriminator of a run. The file may be untrusted.

    Args:
        file: its `generator_file` or `discriminator_file`.

    Raises:
        InputError: if the file does not exist yet, or cannot be read.
    """
    import keras

    if not file.exists():
        when = "evaluation (--evaluate_every_minutes)" if run.name == "best" else "checkpoint"
        raise InputError(f"There is no {str(file)!r}: training writes it with the first {when}.")
    try:
        if is_compressed(file):
            raise ValueError("it is compressed, and this program compresses none")
        # Safe mode: an untrusted file must not run its own code.
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds for a damaged file
        if is_out_of_memory(error):
            raise
        reason = printable(str(error).splitlines()[0]) if str(error) else type(error).__name__
        if "safe_mode" in str(error):  # Keras's sentence says how to run the code anyway
            reason = "it holds code, which is never run"
        raise InputError(f"{str(file)!r} cannot be loaded: {reason}") from None


class Sampler(NamedTuple):
    """Makes samples from seeds, with the discriminator's confidence in each."""

    generator: "keras.Model"  # latents -> pictures in [-1, 1], or points
    discriminator: "keras.Model"  # pictures or points -> logits
    prior: str = Settings.latent_prior  # see `latents_of`
    truncation: float = 1.0  # see `latents_of`

    def batches(
        self, seeds: Sequence[int], what: str = "samples"
    ) -> Iterator[tuple[list[int], NDArray[np.float32], NDArray[np.float64]]]:
        """Makes samples batch by batch.

        Args:
            seeds: whole numbers from 0.
            what: name of the progress bar.

        Yields:
            `(seeds, samples, confidences)`: at most 64 seeds, their samples, and the
            discriminator's confidences in [0, 1], where 1 means surely real.
        """
        with tqdm(total=len(seeds), desc=what, unit="", leave=False, delay=1) as progress:
            for first in range(0, len(seeds), _AT_ONCE):
                some = list(seeds[first : first + _AT_ONCE])
                # Always a full batch: another shape would be compiled again.
                full = some + some[-1:] * (_AT_ONCE - len(some))
                latents = latents_of(
                    full, self.generator.input_shape[-1], self.truncation, self.prior
                )
                samples = self.generator.predict_on_batch(latents)
                # In float64, so that a very sure discriminator still ranks the samples.
                logits = np.asarray(self.discriminator.predict_on_batch(samples)[:, 0], np.float64)
                yield some, samples[: len(some)], 1 / (1 + np.exp(-logits[: len(some)]))
                progress.update(len(some))

    def most_real(self, seeds: Sequence[int], count: int) -> list[int]:
        """Picks the seeds whose samples the discriminator finds most real, the best first."""
        scored = [
            (confidence, seed)
            for some, _, confidences in self.batches(seeds, "choosing")
            for seed, confidence in zip(some, confidences, strict=True)
        ]
        return [seed for _, seed in sorted(scored, key=lambda pair: -pair[0])[:count]]


def load_sampler(run: Run, best: bool, truncation: float) -> Sampler:
    """Loads the networks of a run as a `Sampler`.

    Args:
        best: whether to use the networks of the best evaluation instead of the newest.
        truncation: see `latents_of`.

    Raises:
        InputError: see `load_network`.
    """
    source = run.best if best else run
    return Sampler(
        load_network(source, source.generator_file),
        load_network(source, source.discriminator_file),
        run.settings().latent_prior,
        truncation,
    )


def free_folder(folder: Path, may_be_empty: bool) -> Path:
    """Makes the folder if it is missing, else the first free `folder-2`, `-3`, ...

    Args:
        may_be_empty: whether an empty folder is free, too. Another process may be about to write
            into it.

    Raises:
        InputError: if the path is a file, or a root folder that is not empty.
    """
    # The names of "." and ".." cannot be numbered.
    named = folder.resolve() if folder.name in ("", "..") else folder
    candidate, number = named, 1
    while True:
        with suppress(FileExistsError):
            candidate.mkdir(parents=True)
            return candidate
        if not candidate.is_dir():
            raise InputError(f"Pictures need a folder, not a file: out={str(candidate)!r}.")
        if may_be_empty and not any(candidate.iterdir()):
            return candidate
        if not named.name:
            raise InputError(f"Pictures need a folder below the root: out={str(folder)!r}.")
        number += 1
        candidate = named.with_name(f"{named.name}-{number}")
