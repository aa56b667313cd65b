"""What the explorer shows: pictures of latents, and directions to change them in."""

import itertools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from balanced_gan.data.cache import StoredPictures
from balanced_gan.evaluation.evaluate import see
from balanced_gan.evaluation.metrics import distances
from balanced_gan.files import atomic_write
from balanced_gan.output.images import encode_png, to_uint8
from balanced_gan.output.sampling import Sampler, latents_of
from balanced_gan.output.video import walk

DIRECTIONS = 6
_LATENTS = 1000  # used to find the directions; with more, none changed by a tenth
_GALLERY = 24
_TRAINING = 2000  # pictures to search for the nearest one, which takes 10 ms


class Sight(NamedTuple):
    """What the page shows for one latent."""

    picture: NDArray[np.uint8]  # (S, S, C)
    confidence: float  # of the discriminator that the picture is real, in [0, 1]
    nearest: NDArray[np.uint8] | None  # (S, S, C), the most similar training picture


def principal_directions(
    generator: keras.Model, latents: NDArray[np.float32], count: int = DIRECTIONS
) -> NDArray[np.float32]:
    """Finds the directions of latents along which the generator's first features vary most.

    The principal components of the features are mapped back to latents by regression (Härkönen
    et al. 2020, GANSpace, arXiv 2004.02546, section 2.2). Each is one standard deviation long.

    Args:
        generator: a functional model.
        latents: (N, L), with N several times `count`.

    Returns:
        (count, L), the strongest first.
    """
    activations = [
        layer
        for layer in generator.layers
        if isinstance(layer, (keras.layers.ReLU, keras.layers.LeakyReLU))
    ]
    first = activations[0] if activations else generator.layers[1]
    features = keras.Model(generator.input, first.output).predict_on_batch(latents)
    features = features.reshape(len(latents), -1)
    features -= features.mean(axis=0)
    left, strength, _ = np.linalg.svd(features, full_matrices=False)
    along = (left * strength)[:, :count]  # the latents' coordinates on the components
    directions, *_ = np.linalg.lstsq(along, latents - latents.mean(axis=0), rcond=None)
    return np.asarray(directions * along.std(axis=0)[:, None], np.float32)


class Explorer:
    """A run's networks and training pictures, which answer within a tenth of a second.

    Args:
        sampler: the networks, and the prior of their latents.
        training: (N, S, S, C), the pictures they were trained on; None if these are not available.
    """

    def __init__(
        self, sampler: Sampler, training: NDArray[np.uint8] | StoredPictures | None
    ) -> None:
        self.generator, discriminator, self.prior, _ = sampler
        self.length = self.generator.input_shape[-1]
        self.training = None
        if training is not None:
            order = np.random.default_rng(0).permutation(len(training))[:_TRAINING]
            self.training = see(training[order])

        @tf.function(input_signature=[tf.TensorSpec((None, self.length))])
        def make(latents):
            pictures = self.generator(latents)
            return pictures, tf.sigmoid(discriminator(pictures))

        self._make = make
        latents = latents_of(range(_LATENTS), self.length, prior=self.prior)
        self.directions = principal_directions(self.generator, latents)

    def latent(
        self,
        seed: int | None,
        other_seed: int | None = 0,
        mix: float = 0.0,
        truncation: float = 1.0,
        *amounts: float,
    ) -> NDArray[np.float32]:
        """Computes the latent (L,) that the page describes.

        Args:
            seed, other_seed: None, as of a cleared field, counts as 0.
            mix: 0 for the first only, 1 for the other only.
            truncation: factor of both latents.
            *amounts: how far to move along each direction, in standard deviations.
        """
        pair = latents_of([seed or 0, other_seed or 0], self.length, truncation, self.prior)
        steps = walk(pair, 100, self.prior)  # the second half leads back
        mixed = steps[round(100 * mix)]
        for amount, direction in zip(amounts, self.directions, strict=False):
            mixed = mixed + np.float32(amount) * direction
        return mixed

    def see(self, latent: NDArray[np.float32]) -> Sight:
        """Makes the picture of a latent (L,) and judges it."""
        pictures, confidences = self._make(latent[None])
        picture = to_uint8(pictures.numpy())
        nearest = None
        if self.training:
            apart = distances(see(picture).features, self.training.features)[0]
            nearest = self.training.pictures[apart.argmin()]
        return Sight(picture[0], float(confidences[0, 0]), nearest)

    def gallery(self, first_seed: int) -> NDArray[np.uint8]:
        """Makes the pictures of 24 seeds from the given one on, (24, S, S, C)."""
        seeds = range(first_seed, first_seed + _GALLERY)
        pictures, _ = self._make(latents_of(seeds, self.length, prior=self.prior))
        return to_uint8(pictures.numpy())

    def save(self, latent: NDArray[np.float32], folder: Path) -> Path:
        """Writes a picture and its latent, and returns the path of the picture."""
        folder.mkdir(parents=True, exist_ok=True)
        files = (folder / f"picture-{number:03d}.png" for number in itertools.count(1))
        file = next(file for file in files if not file.exists())
        atomic_write(file, encode_png(self.see(latent).picture))
        text = ",".join(f"{value:.7g}" for value in latent)
        atomic_write(file.with_suffix(".csv"), f"{text}\n".encode())
        return file
