"""Playing with a trained generator: what the page with the sliders shows, and the page itself.

The page is Gradio's and is served to this machine only. Every picture on it is a pure function of
what stands on the page: two seeds, how they are mixed, truncation, and six directions.
"""

import itertools
from typing import NamedTuple

import cv2
import keras
import numpy as np
import tensorflow as tf

from balanced_gan import sampling
from balanced_gan.evaluation import see
from balanced_gan.files import write_whole
from balanced_gan.interpolation import interpolate_files, walk
from balanced_gan.metrics import distances
from balanced_gan.sampling import free_folder
from balanced_gan.sheets import encode_png, to_uint8

DIRECTIONS = 6
_LATENTS = 1000  # whose features give the directions: more changed none by a tenth
_TRAINING = 2000  # pictures among which the nearest is looked for: 10 ms
_GALLERY = 24
_SHOWN_SIDE = 384  # pixels on the page
_BUTTONS = ["fullscreen", "download"]  # but not "share", with the rest of the world
_VIDEO = 50, 25, 256  # frames from start to end, frames a second, side in pixels


class Sight(NamedTuple):
    """What is to be seen of one latent."""

    picture: np.ndarray  # uint8 (S, S, C)
    confidence: float  # of the discriminator that it is real, in [0, 1]
    nearest: np.ndarray | None  # uint8 (S, S, C), the training picture most like it


def principal_directions(generator, latents, count=DIRECTIONS):
    """Directions of latents along which the generator's first features vary most.

    Principal components of the features, carried back to latents by regression (Härkönen et
    al. 2020, GANSpace, arXiv 2004.02546, section 2.2), each as long as one standard deviation.

    Args:
        generator: a functional `keras.Model`.
        latents: (N, L), several times as many as `count`.
        count: how many directions.

    Returns:
        float32 (count, L), the strongest first.
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
    along = (left * strength)[:, :count]  # where each latent lies on the components
    directions, *_ = np.linalg.lstsq(along, latents - latents.mean(axis=0), rcond=None)
    return np.float32(directions * along.std(axis=0)[:, None])


class Explorer:
    """A run's networks and training pictures, ready to answer within a tenth of a second.

    Args:
        generator: a `keras.Model`, latents -> pictures in [-1, 1].
        discriminator: a `keras.Model`, pictures -> logits.
        training: uint8 (N, S, S, C), what they were trained on; None if that is not here.
        prior: of the latents, see `sampling.latents_of`.
    """

    def __init__(self, generator, discriminator, training, prior):
        self.generator = generator
        self.prior = prior
        self.length = generator.input_shape[-1]
        self.training = None
        if training is not None:
            order = np.random.default_rng(0).permutation(len(training))[:_TRAINING]
            self.training = see(training[order])

        @tf.function(input_signature=[tf.TensorSpec((None, self.length))])
        def make(latents):
            pictures = generator(latents)
            return pictures, tf.sigmoid(discriminator(pictures))

        self._make = make
        latents = sampling.latents_of(range(_LATENTS), self.length, prior=prior)
        self.directions = principal_directions(generator, latents)

    def latent(self, seed, other_seed=0, mix=0.0, truncation=1.0, amounts=()):
        """The latent that the page describes.

        Args:
            seed, other_seed: of the two pictures that are mixed.
            mix: 0 for the first alone, 1 for the other.
            truncation: factor of both.
            amounts: how far to go along each direction, in standard deviations.

        Returns:
            float32 (L,).
        """
        pair = sampling.latents_of(
            [int(seed), int(other_seed)], self.length, truncation, self.prior
        )
        steps = walk(pair, 100, self.prior)  # the second half leads back
        mixed = steps[round(100 * mix)]
        for amount, direction in zip(amounts, self.directions, strict=False):
            mixed = mixed + np.float32(amount) * direction
        return mixed

    def see(self, latent):
        """The `Sight` of a latent."""
        pictures, confidences = self._make(latent[None])
        picture = to_uint8(pictures.numpy())
        nearest = None
        if self.training:
            apart = distances(see(picture).features, self.training.features)[0]
            nearest = self.training.pictures[apart.argmin()]
        return Sight(picture[0], float(confidences[0, 0]), nearest)

    def gallery(self, first_seed):
        """The next pictures, uint8 (24, S, S, C), of seeds from the first on."""
        seeds = range(first_seed, first_seed + _GALLERY)
        return to_uint8(
            self._make(sampling.latents_of(seeds, self.length, prior=self.prior))[0].numpy()
        )

    def save(self, latent, folder):
        """Writes the picture and its latent -> path of the picture."""
        folder.mkdir(parents=True, exist_ok=True)
        files = (folder / f"picture-{number:03d}.png" for number in itertools.count(1))
        file = next(file for file in files if not file.exists())
        write_whole(file, encode_png(self.see(latent).picture))
        text = ",".join(f"{value:.7g}" for value in latent)
        write_whole(file.with_suffix(".csv"), f"{text}\n".encode())
        return file


def enlarged(picture):
    """A picture as large as the page shows it, RGB."""
    side = (_SHOWN_SIDE, _SHOWN_SIDE)
    large = cv2.resize(picture, side, interpolation=cv2.INTER_CUBIC).reshape(*side, -1)
    return np.broadcast_to(large, (*side, 3))


def build_page(explorer, title, folder):
    """The page, a `gradio.Blocks` that is not yet served.

    Args:
        explorer: an `Explorer`.
        title: what it says above.
        folder: where saved pictures go, a `pathlib.Path`.
    """
    import gradio as gr

    def show(*values):
        latent = latent_of(*values)
        sight = explorer.see(latent)
        return (
            enlarged(sight.picture),
            None if sight.nearest is None else enlarged(sight.nearest),
            f"The discriminator holds it for real at {sight.confidence:.0%}.",
        )

    def latent_of(seed, other_seed, mix, truncation, *amounts):
        return explorer.latent(seed, other_seed, mix, truncation, amounts)

    def pictures_from(first_seed):
        pictures = explorer.gallery(int(first_seed))
        return [
            (enlarged(picture), f"seed {int(first_seed) + number}")
            for number, picture in enumerate(pictures)
        ]

    def save(*values):
        return f"Saved {explorer.save(latent_of(*values), folder)}, its latent beside it."

    def animate(start, end):
        if start is None or end is None:
            raise gr.Error("Remember a start and an end first.")
        ends = np.array([start, end], np.float32)
        out = free_folder(folder / "animation")
        files = interpolate_files(explorer.generator, out, ends, explorer.prior, *_VIDEO)
        return str(files[0])

    with gr.Blocks(title=title, analytics_enabled=False) as page:
        gr.Markdown(f"# {title}")
        with gr.Row():
            with gr.Column():
                picture = gr.Image(
                    label="Generated", elem_id="picture", interactive=False, buttons=_BUTTONS
                )
                confidence = gr.Markdown(elem_id="confidence")
                nearest = gr.Image(
                    label="Nearest training picture",
                    interactive=False,
                    height=200,
                    buttons=_BUTTONS,
                )
            with gr.Column():
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed")
                other = gr.Number(1, label="Mix with seed", precision=0, minimum=0)
                mix = gr.Slider(0, 1, 0, step=0.01, label="How much of the other", elem_id="mix")
                truncation = gr.Slider(
                    0.1, 1, 1, step=0.05, label="Truncation: to the left more ordinary"
                )
                amounts = [
                    gr.Slider(-4, 4, 0, step=0.1, label=f"Direction {n}", elem_id=f"direction-{n}")
                    for n in range(1, DIRECTIONS + 1)
                ]
            with gr.Column():
                first_seed = gr.Number(0, label="Gallery from seed", precision=0, minimum=0)
                gallery = gr.Gallery(
                    columns=3,
                    height=620,
                    allow_preview=False,
                    label="Choose one",
                    elem_id="gallery",
                    buttons=[],
                )
        with gr.Row():
            keep = gr.Button("Save picture and latent", elem_id="save")
            begin = gr.Button("Remember as start")
            finish = gr.Button("Remember as end")
            play = gr.Button("Animate from start to end")
        said = gr.Markdown(elem_id="said")
        video = gr.Video(
            label="From start to end and back", autoplay=True, loop=True, buttons=["download"]
        )
        start, end = gr.State(None), gr.State(None)

        values = [seed, other, mix, truncation, *amounts]
        seen = [picture, nearest, confidence]
        for slider in (mix, truncation, *amounts):
            slider.input(show, values, seen, show_progress="hidden", trigger_mode="always_last")
        for number in (seed, other):
            number.change(show, values, seen, show_progress="hidden")
        page.load(show, values, seen)
        page.load(pictures_from, first_seed, gallery)
        first_seed.change(pictures_from, first_seed, gallery)

        def chosen(first, event: gr.SelectData):
            return int(first) + event.index

        gallery.select(chosen, first_seed, seed)
        keep.click(save, values, said)
        begin.click(lambda *v: (latent_of(*v).tolist(), "Start remembered."), values, [start, said])
        finish.click(lambda *v: (latent_of(*v).tolist(), "End remembered."), values, [end, said])
        play.click(animate, [start, end], video)
    return page


def serve(page, open_browser, say):
    """Serves a page to this machine until Ctrl-C.

    Args:
        page: from `build_page`.
        open_browser: whether to open it at once.
        say: called with its address.
    """
    _, address, _ = page.launch(
        server_name="127.0.0.1",
        share=False,
        inbrowser=open_browser,
        quiet=True,
        prevent_thread_lock=True,
    )
    say(address)
    try:
        page.block_thread()
    finally:
        page.close()
