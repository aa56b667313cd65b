"""Latents in, picture files (or a table of points) out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from balanced_gan.errors import InputError
from balanced_gan.files import printable, unpacks_to_more, write_whole
from balanced_gan.plots import points_png
from balanced_gan.settings import Settings
from balanced_gan.sheets import captioned, encode_png, sheet, to_uint8

IMAGES = Path("images")  # below the folder the program is started in
_SHEET_LIMIT = 400  # pictures on the sheet: 20 x 20 still fits a screen
_AT_ONCE = 64  # pictures in memory: a thousand need no more than a hundred
# Of a network that is called, the results of all layers are in memory together: with 64, training
# took 200 MiB more.
_CALLED_AT_ONCE = 8


def latents_of(seeds, latent_dim, truncation=1.0, prior=Settings.latent_prior):
    """The latents of seeds, one each, the same on every machine.

    Args:
        seeds: whole numbers from 0.
        latent_dim: length of a latent.
        truncation: factor in (0, 1]: below 1, latents nearer the mean give more ordinary
            and more alike pictures.
        prior: "normal" or "uniform", as the generator was trained with.

    Returns:
        float32 (len(seeds), latent_dim).
    """
    rows = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        uniform = prior == "uniform"
        rows.append(
            random.uniform(-1, 1, latent_dim) if uniform else random.standard_normal(latent_dim)
        )
    return np.float32(truncation) * np.array(rows, np.float32)


def samples_of(generator, latents):
    """What a network makes of latents, for use while it trains.

    It is called, not asked to `predict`, which would have to compile before the first batch.

    Args:
        generator: a `keras.Model`.
        latents: (N, latent_dim).

    Returns:
        float32 (N, S, S, C) in [-1, 1], or points (N, 2).
    """
    parts = [
        generator(latents[first : first + _CALLED_AT_ONCE])
        for first in range(0, len(latents), _CALLED_AT_ONCE)
    ]
    return np.concatenate(parts)


def load_network(run, file):
    """The EMA generator of a run, or its discriminator.

    Args:
        run: a `Run`.
        file: its `generator_file` or `discriminator_file`.

    Returns:
        A `keras.Model`.

    Raises:
        InputError: if there is none yet, or it cannot be read.
    """
    import keras

    if not file.exists():
        when = "evaluation (--evaluate_every_minutes)" if run.name == "best" else "checkpoint"
        raise InputError(f"There is no {str(file)!r}: training writes it with the first {when}.")
    try:
        if unpacks_to_more(file):
            raise ValueError("compressed, as no network of ours is")
        # Safe mode: a file from a stranger must not run code of its own.
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds for a damaged file
        if "safe_mode" in str(error):  # its own sentence says how to run the code all the same
            error = "it holds code, which is never run"
        reason = printable(str(error).splitlines()[0]) if str(error) else type(error).__name__
        raise InputError(f"{str(file)!r} cannot be loaded: {reason}") from None


def load_sampler(run, best, truncation):
    """The `Sampler` of a run.

    Args:
        run: a `Run`.
        best: whether to take the networks of the best evaluation, not the newest.
        truncation: see `latents_of`.

    Raises:
        InputError: as `load_network`.
    """
    source = run.source(best)
    return Sampler(
        load_network(source, source.generator_file),
        load_network(source, source.discriminator_file),
        run.settings().latent_prior,
        truncation,
    )


def sheet_png(samples, columns):
    """Samples as one PNG file: pictures in rows, or a plot of points.

    Args:
        samples: (N, S, S, C) pictures in [-1, 1] or uint8, or (N, 2) points.
        columns: pictures a row.

    Returns:
        Bytes.
    """
    if samples.ndim == 2:
        return points_png(samples)
    return encode_png(sheet(to_uint8(samples), columns))


class Sampler:
    """Samples of seeds, a batch at a time, with the discriminator's confidence in each.

    Args:
        generator: a `keras.Model`, latents -> pictures in [-1, 1], or points.
        discriminator: a `keras.Model`, pictures or points -> logits.
        prior: see `latents_of`.
        truncation: see `latents_of`.
    """

    def __init__(self, generator, discriminator, prior=Settings.latent_prior, truncation=1.0):
        self.generator = generator
        self.discriminator = discriminator
        self.prior = prior
        self.truncation = truncation

    def batches(self, seeds, what="samples"):
        """Makes samples, `(seeds, samples, confidences)` at a time.

        Args:
            seeds: a sequence of whole numbers from 0.
            what: name of the progress bar.

        Yields:
            A list of at most 64 seeds; their samples, float32; their confidences in [0, 1],
            1 for surely real.
        """
        with tqdm(total=len(seeds), desc=what, unit="", leave=False, delay=1) as progress:
            for first in range(0, len(seeds), _AT_ONCE):
                some = list(seeds[first : first + _AT_ONCE])
                # Always a full batch: its shape would otherwise be compiled anew.
                full = some + some[-1:] * (_AT_ONCE - len(some))
                latents = latents_of(
                    full, self.generator.input_shape[-1], self.truncation, self.prior
                )
                samples = self.generator.predict_on_batch(latents)
                # In float64, in which a discriminator that is very sure still ranks them.
                logits = np.float64(self.discriminator.predict_on_batch(samples)[:, 0])
                yield some, samples[: len(some)], 1 / (1 + np.exp(-logits[: len(some)]))
                progress.update(len(some))

    def most_real(self, seeds, count):
        """The seeds whose samples the discriminator holds for most real, the best first.

        Args:
            seeds: a sequence of whole numbers from 0.
            count: how many to keep.

        Returns:
            A list.
        """
        scored = [
            (confidence, seed)
            for some, _, confidences in self.batches(seeds, "choosing")
            for seed, confidence in zip(some, confidences, strict=True)
        ]
        return [seed for _, seed in sorted(scored, key=lambda pair: -pair[0])[:count]]


def generate_files(sampler, out, seeds, columns=None, captions=False):
    """Writes samples as single files and one sheet, with the discriminator's confidence in each.

    Pictures are PNG files with their seed in the name, and scores.csv names each with its
    confidence; points are rows of points.csv. The same seed gives the same sample again,
    alone too.

    Args:
        sampler: a `Sampler`.
        out: the folder to write to, a `pathlib.Path`; made if missing.
        seeds: a sequence of whole numbers from 0.
        columns: pictures in a row of the sheet, or None for about as many as rows.
        captions: whether the sheet has each picture's seed below it.

    Returns:
        `(path, shown)`: path of the sheet, and the samples on it, the first 400 pictures at
        most or all points.
    """
    out.mkdir(parents=True, exist_ok=True)
    shown, rows = [], []
    header, table = ("file", "seed", "confidence"), "scores.csv"
    with ThreadPoolExecutor() as pool:
        for some, samples, confidences in sampler.batches(seeds):
            if samples.ndim == 2:
                header, table = ("seed", "x", "y", "confidence"), "points.csv"
                values = zip(some, *samples.T, confidences, strict=True)
                rows += [[seed, *(f"{value:.5g}" for value in row)] for seed, *row in values]
                shown.extend(samples)
                continue
            pictures = to_uint8(samples)
            names = [f"seed-{seed:06d}.png" for seed in some]
            list(pool.map(lambda n, p: write_whole(out / n, encode_png(p)), names, pictures))
            values = zip(names, some, confidences, strict=True)
            rows += [[name, seed, f"{confidence:.5g}"] for name, seed, confidence in values]
            shown.extend(samples[: _SHEET_LIMIT - len(shown)])
    lines = "".join(",".join(map(str, row)) + "\n" for row in (header, *rows))
    write_whole(out / table, lines.encode())
    shown = np.stack(shown)
    columns = columns or round(len(shown) ** 0.5 + 0.49)
    laid_out = shown
    if captions and shown.ndim == 4:
        laid_out = captioned(to_uint8(shown), [str(seed) for seed in seeds[: len(shown)]])
    write_whole(out / "sheet.png", sheet_png(laid_out, columns))
    return out / "sheet.png", shown


def free_folder(folder):
    """The folder itself if it is empty or missing, else the first free `folder-2`, `-3`, ...

    Args:
        folder: a `pathlib.Path`.

    Raises:
        InputError: if the path is a file.
    """
    candidate, number = folder, 1
    while candidate.exists():
        if not candidate.is_dir():
            raise InputError(f"Pictures cannot go to a file: out={str(candidate)!r}.")
        if not any(candidate.iterdir()):
            break
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
