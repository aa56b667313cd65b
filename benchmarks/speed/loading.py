"""How fast a folder of JPEGs becomes training data, against what one would write oneself."""

import os
import tempfile
from functools import partial
from pathlib import Path

import click
import cv2
import numpy as np
import tensorflow as tf

from balanced_gan import Settings
from balanced_gan.data.folder import fit_square, load_folder
from benchmarks.shared import data_option, in_turn, median, publish, seconds_of, table

SIZE = Settings.image_size


def ours(folder):
    return load_folder(folder, Settings())[0]


def plain_opencv(folder):
    """imread, centre crop, resize with area averaging, in a loop."""
    cv2.setNumThreads(1)
    pictures = (cv2.imread(str(file)) for file in sorted(folder.glob("*.jpg")))
    squares = [fit_square(picture, SIZE, "center") for picture in pictures]
    cv2.setNumThreads(-1)
    return np.stack([cv2.cvtColor(square, cv2.COLOR_BGR2RGB) for square in squares])


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
@data_option
@click.option("--rounds", default=5, show_default=True)
def main(data, rounds):
    ways = {"ours": ours, "OpenCV, one thread": plain_opencv, "tf.data, decode_jpeg": tf_data}
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
            count = len(ours(folder))
            work = {way: partial(load, folder) for way, load in ways.items()}
            in_turn(work, 1)  # warms the disk's cache
            seconds = list(in_turn(work, rounds).values())
            speeds = [f"{count / median(each):.0f}" for each in seconds]
            ratios = [f"{median(each / seconds[0]):.1f}" for each in seconds[1:]]
            cached = partial(load_folder, folder, Settings(), Path(place, "cache"))
            cached()
            again = median([seconds_of(cached) for _ in range(rounds)])
            rows.append([name, count, *speeds, *ratios, f"{again:.3f}"])
        difference = abs(ours(large).astype(int) - plain_opencv(large)).mean()
    publish(
        "Loading",
        f"Pictures a second to {SIZE}x{SIZE}, files in the disk's cache, medians of {rounds} "
        f"rounds in turn; ratios round by round. Ours uses all {os.cpu_count()} cores. *Again*: "
        "seconds until the same folder is there a second time, from the cache.",
        table(
            f"pictures | count | {' | '.join(ways)} | ours / OpenCV | ours / tf.data | again, s",
            rows,
        ),
        "Large JPEGs are decoded at reduced scale; the result differs from full decoding by "
        f"{difference:.2f} levels of 255 on average.",
    )


if __name__ == "__main__":
    main()
