"""Latents in, picture files out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from balanced_gan.errors import InputError
from balanced_gan.pictures import encode_png, sheet, to_uint8
from balanced_gan.run import write_whole

IMAGES = Path("images")  # below the folder the program is started in
SHEET_LIMIT = 400  # pictures on the sheet: 20 x 20 still fits a screen
_AT_ONCE = 64  # pictures in memory: a thousand need no more than a hundred


def latents_of(seeds, latent_dim, truncation=1.0):
    """The latents of seeds, one each, the same on every machine.

    Args:
        seeds: whole numbers from 0.
        latent_dim: length of a latent.
        truncation: factor in (0, 1]: below 1, latents nearer the mean give more ordinary
            and more alike pictures.

    Returns:
        float32 (len(seeds), latent_dim).
    """
    rows = [np.random.default_rng(seed).standard_normal(latent_dim) for seed in seeds]
    return np.float32(truncation) * np.array(rows, np.float32)


def load_generator(run):
    """The EMA generator of a run.

    Args:
        run: a `Run`.

    Returns:
        A `keras.Model`, latents -> pictures.

    Raises:
        InputError: if there is none yet, or it cannot be read.
    """
    import keras

    file = run.generator_file
    if not file.exists():
        raise InputError(f"Run {run.name} has no generator.keras: nothing was trained in it yet.")
    try:
        # Safe mode: a file from a stranger must not run code of its own.
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{str(file)!r} cannot be loaded: {reason}") from None


def generate_files(generator, out, img_num, seed, truncation=1.0):
    """Writes pictures as single PNG files, and one sheet of them.

    Picture i is made from the latent of seed + i, and that number is in its name: any
    picture can be made again alone.

    Args:
        generator: a `keras.Model`, latents -> pictures in [-1, 1].
        out: the folder to write to, a `pathlib.Path`; made if missing.
        img_num: how many pictures.
        seed: of the first picture.
        truncation: see `latents_of`.

    Returns:
        Path of the sheet, which shows the first 400 pictures at most.
    """
    out.mkdir(parents=True, exist_ok=True)
    shown = []
    with (
        ThreadPoolExecutor() as pool,
        tqdm(total=img_num, desc="pictures", unit="", leave=False, delay=1) as progress,
    ):
        for first in range(seed, seed + img_num, _AT_ONCE):
            seeds = range(first, min(first + _AT_ONCE, seed + img_num))
            # Always a full batch: its shape would otherwise be compiled anew.
            latents = latents_of(
                range(first, first + _AT_ONCE), generator.input_shape[-1], truncation
            )
            pictures = to_uint8(generator.predict_on_batch(latents))[: len(seeds)]
            files = [out / f"seed-{number:06d}.png" for number in seeds]
            list(pool.map(lambda f, p: write_whole(f, encode_png(p)), files, pictures))
            shown.extend(pictures[: SHEET_LIMIT - len(shown)])
            progress.update(len(pictures))
    columns = round(len(shown) ** 0.5 + 0.49)
    write_whole(out / "sheet.png", encode_png(sheet(np.stack(shown), columns)))
    return out / "sheet.png"


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
