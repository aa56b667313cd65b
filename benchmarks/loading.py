"""How fast a folder of JPEGs becomes training data, against what one would write oneself."""

import os
import tempfile
import time
from pathlib import Path

import checkout  # noqa: F401
import click
import cv2
import numpy as np
import tensorflow as tf
from report import publish, table

from balanced_gan import Settings
from balanced_gan.pictures import fit_square, load_folder

SIZE = Settings.image_size


def ours(folder):
    return load_folder(folder, SIZE, 3, "center")[0]


def plain_opencv(folder):
    """imread, centre crop, resize with area averaging, in a loop."""
    return np.stack(
        [
            cv2.cvtColor(fit_square(cv2.imread(str(file)), SIZE, "center"), cv2.COLOR_BGR2RGB)
            for file in sorted(folder.glob("*.jpg"))
        ]
    )


def tf_data(folder):
    """decode_jpeg, centre crop, antialiased resize, in parallel as tf.data sees fit."""

    def read(file):
        picture = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        height, width = tf.shape(picture)[0], tf.shape(picture)[1]
        side = tf.minimum(height, width)
        picture = tf.image.crop_to_bounding_box(
            picture, (height - side) // 2, (width - side) // 2, side, side
        )
        picture = tf.image.resize(picture, (SIZE, SIZE), method="area", antialias=True)
        return tf.cast(tf.round(picture), tf.uint8)

    files = sorted(str(file) for file in folder.glob("*.jpg"))
    dataset = tf.data.Dataset.from_tensor_slices(files)
    return np.stack(list(dataset.map(read, tf.data.AUTOTUNE).as_numpy_iterator()))


def enlarged(folder, target, factor, count):
    """Some of the pictures `factor` times as wide and high, as a camera would give them."""
    target.mkdir()
    for file in sorted(folder.glob("*.jpg"))[:count]:
        picture = cv2.imread(str(file))
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(target / file.name), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])


@click.command()
@click.option("--data", default="../shared/data", show_default=True, type=Path)
@click.option("--rounds", default=5, show_default=True)
def main(data, rounds):
    ways = {
        "ours": ours,
        "OpenCV, one thread": plain_opencv,
        "tf.data, decode_jpeg": tf_data,
    }
    rows = []
    with tempfile.TemporaryDirectory() as place:
        large, camera = Path(place, "large"), Path(place, "camera")
        enlarged(data / "congress_400", large, 4, 100)
        enlarged(data / "congress_400", camera, 14, 20)
        folders = {
            "congress_400 (225x275)": data / "congress_400",
            "portraits_5k (112x112)": data / "portraits_5k",
            "100 of congress_400, enlarged (900x1100)": large,
            "20 of congress_400, enlarged (3150x3850, 12 megapixels)": camera,
        }
        for name, folder in folders.items():
            speeds = {way: [] for way in ways}
            again = []
            for number in range(rounds + 1):
                for way, load in ways.items():
                    if way.startswith("OpenCV"):
                        cv2.setNumThreads(1)
                    began = time.perf_counter()
                    pictures = load(folder)
                    if number:  # the first round warms the disk's cache
                        speeds[way].append(len(pictures) / (time.perf_counter() - began))
                    cv2.setNumThreads(-1)
                cache = Path(place, "cache")
                load_folder(folder, SIZE, 3, "center", cache=cache)
                began = time.perf_counter()
                load_folder(folder, SIZE, 3, "center", cache=cache)
                again.append(time.perf_counter() - began)
            ratios = [
                f"{np.median(np.divide(speeds['ours'], speeds[way])):.1f}" for way in list(ways)[1:]
            ]
            rows.append(
                [
                    name,
                    len(pictures),
                    *(f"{np.median(v):.0f}" for v in speeds.values()),
                    *ratios,
                    f"{np.median(again):.3f}",
                ]
            )
        difference = abs(ours(large).astype(int) - plain_opencv(large)).mean()
    publish(
        "Loading",
        f"Pictures a second to {SIZE}x{SIZE}, files in the disk's cache, medians of {rounds} "
        f"rounds in turn; ratios round by round. Ours uses all {os.cpu_count()} cores. *Again*: "
        "seconds until the same folder is there a second time, from the cache.",
        table(
            ["pictures", "count", *ways, "ours / OpenCV", "ours / tf.data", "again, s"],
            rows,
        ),
        "Large JPEGs are decoded at reduced scale; the result differs from full decoding by "
        f"{difference:.2f} levels of 255 on average.",
    )


if __name__ == "__main__":
    main()
