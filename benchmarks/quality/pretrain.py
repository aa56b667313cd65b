"""Trains the networks of a start in PyTorch, on a GPU if there is one, and writes their weights.

    python -m benchmarks.quality.pretrain portraits weights.npz

`make_start` then makes a start of them. The networks, losses and augmentation are those of
`balanced_gan.model`. What differs is what a GPU is good at: batches of 64, both networks on each
batch, 3.9 million pictures. Where the program holds the gap by choosing whose turn it is, this
holds it by the weight of the R1 penalty, which ended at 0.06 for portraits and at 0.39 for scenes.
The machine needs no Keras.
"""

import copy
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from balanced_gan.data.folder import load_folder
from balanced_gan.settings import Settings
from benchmarks.quality.scenes import SIZE, draw_scenes
from benchmarks.shared import data_option

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = 64
SCENES = 12_000

RATE = 8e-4  # learning rate of both networks; after n steps divided by 1 + RATE_DECAY n...
RATE_DECAY = 1e-4
FALL = 0.25  # ...and over this last share of the run falling to a tenth
AVERAGE = 0.999  # decay of the averaged generator: the last 64,000 pictures
PENALTY_EVERY = 8  # steps
FIRST_R1, LEAST_R1, MOST_R1 = 0.05, 0.01, 2.0  # bounds that no run stayed at
ADJUST_EVERY = 200  # steps between changes of R1 by a twentieth


def framed_portraits(data):
    """5,000 paintings, each as it is and in two smaller framings, since people's pictures show
    more than a face."""
    whole = np.asarray(load_folder(data / "portraits_5k", Settings(image_size=SIZE))[0])
    random = np.random.default_rng(1)
    smaller = [reframed(picture, random) for picture in np.concatenate([whole, whole])]
    return np.concatenate([whole, smaller])


def reframed(picture, random):
    """A picture at 0.6 to 1 of its size, on what its own edges look like when they are drawn out
    and blurred; nearer to the top than to the bottom."""
    size = len(picture)
    side = round(size * random.uniform(0.6, 1))
    top = round((size - side) * random.uniform(0, 0.5))
    left = round((size - side) * random.uniform(0.3, 0.7))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    margins = (top, size - side - top, left, size - side - left)
    framed = cv2.GaussianBlur(
        cv2.copyMakeBorder(small, *margins, cv2.BORDER_REPLICATE), ksize=(0, 0), sigmaX=3
    )
    framed[top : top + side, left : left + side] = small
    return framed


def scenes(_):
    """Drawn scenes."""
    return draw_scenes(SCENES)


class Source(NamedTuple):
    """What a start learns from."""

    pictures: Callable  # of the folder of real pictures: uint8 (N, 64, 64, 3)
    gap: float  # loss of G minus loss of D to hold, in nats


SOURCES = {"neutral": Source(scenes, 0.2), "portraits": Source(framed_portraits, 0.15)}


class Generator(nn.Module):
    """As `balanced_gan.model.networks.build_generator`: (B, 100) -> (B, 3, 64, 64)."""

    def __init__(self):
        super().__init__()
        width = Settings.width
        wide = [4 * width, 4 * width, 2 * width, width, width // 2]
        pairs = pairwise(wide)
        self.dense = nn.Linear(Settings.latent_dim, 16 * wide[0], bias=False)
        self.convs = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1, bias=False) for pair in pairs)
        # Always with the statistics of the batch; `make_start` recalibrates.
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(count, eps=1e-3, track_running_stats=False) for count in wide
        )
        self.pictures = nn.Conv2d(wide[-1], 3, 3, padding=1)
        self.apply(initialise)

    def forward(self, latents):
        x = self.dense(latents).view(len(latents), 4, 4, -1).permute(0, 3, 1, 2)
        x = functional.relu(self.norms[0](x))
        for conv, norm in zip(self.convs, self.norms[1:], strict=True):
            x = functional.relu(norm(conv(functional.interpolate(x, scale_factor=2))))
        return torch.tanh(self.pictures(x).float())


class Discriminator(nn.Module):
    """As `balanced_gan.model.networks.build_discriminator`: (B, 3, 64, 64) -> (B, 1)."""

    def __init__(self):
        super().__init__()
        width = Settings.width
        wide = [3, width, 2 * width, 4 * width, 4 * width]
        pairs = pairwise(wide)
        self.convs = nn.ModuleList(nn.Conv2d(*pair, 4, stride=2, padding=1) for pair in pairs)
        self.logits = nn.Linear(16 * wide[-1], 1)
        self.apply(initialise)

    def forward(self, x):
        for conv in self.convs:
            x = functional.leaky_relu(conv(x), 0.2)
        with torch.autocast(DEVICE, enabled=False):
            return self.logits(x.permute(0, 2, 3, 1).flatten(1).float())


def initialise(module):
    """Keras's defaults."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def named_weights(generator, discriminator):
    """The weights of both networks by the names that a start has for them, in Keras's order."""
    named = {"generator/x1/kernel": generator.dense.weight.T}
    for level, norm in enumerate(generator.norms):
        place = f"generator/x{2**level}"
        named |= {f"{place}/gamma": norm.weight, f"{place}/beta": norm.bias}
    places = ["generator/x2", "generator/x4", "generator/x8", "generator/x16"]
    convs = dict(zip(places, generator.convs, strict=True))
    convs["generator/x16/pictures"] = generator.pictures
    places = ["x8/pictures", "x4", "x2", "x1"]
    convs |= {f"discriminator/{p}": c for p, c in zip(places, discriminator.convs, strict=True)}
    for place, conv in convs.items():
        named[f"{place}/kernel"] = conv.weight.permute(2, 3, 1, 0)
        if conv.bias is not None:
            named[f"{place}/bias"] = conv.bias
    logits = discriminator.logits
    return named | {
        "discriminator/logits/kernel": logits.weight.T,
        "discriminator/logits/bias": logits.bias,
    }


def augment(pictures):
    """As `balanced_gan.model.augment.augment`, on (B, 3, 64, 64)."""
    count, _, size, _ = pictures.shape
    index = torch.arange(size, device=DEVICE)

    def shift_matrices():
        shift = torch.randint(-size // 8, size // 8 + 1, (count, 1, 1, 1), device=DEVICE)
        return (index == index[:, None] + shift).to(pictures.dtype)

    def within_the_square():
        centres = torch.rand(count, 1, 1, device=DEVICE) * size
        return (index - centres).abs() < size / 4

    moved = shift_matrices() @ pictures @ shift_matrices().transpose(-1, -2)
    erased = within_the_square().transpose(1, 2) & within_the_square()
    return (moved * ~erased[:, None]).contiguous(memory_format=torch.channels_last)


class Training:
    """Both networks, their optimizers and one step of both."""

    def __init__(self, pictures):
        self.data = torch.from_numpy(pictures).to(DEVICE)
        layout = {"device": DEVICE, "memory_format": torch.channels_last}
        self.generator, self.discriminator = Generator().to(**layout), Discriminator().to(**layout)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        # Tensors, so that a captured step sees them change.
        self.rate = torch.tensor(RATE, device=DEVICE)
        self.r1 = torch.tensor(FIRST_R1, device=DEVICE)
        self.losses = torch.full((2,), np.log(2), device=DEVICE)  # of G and D, averaged
        self.optimizers = [self.optimizer(self.generator), self.optimizer(self.discriminator)]

    def optimizer(self, network):
        fast = {"fused": True, "capturable": True} if DEVICE == "cuda" else {"foreach": False}
        return torch.optim.Adam(
            network.parameters(), self.rate, betas=(0.0, 0.99), eps=1e-7, **fast
        )

    def step(self, penalised):
        """Trains the discriminator, then the generator."""
        with torch.autocast(DEVICE, torch.bfloat16, cache_enabled=False):
            real, latents = self.batch(), torch.randn(BATCH, Settings.latent_dim, device=DEVICE)
            with torch.no_grad():
                made = self.generator(latents)
            on_real, on_made = (self.discriminator(augment(x)) for x in (real, made))
            loss_d = (functional.softplus(-on_real) + functional.softplus(on_made)).mean() / 2
        penalty = PENALTY_EVERY * self.r1 * self.penalty(augment(real)) if penalised else 0.0
        self.update(self.optimizers[1], self.discriminator, loss_d + penalty)
        with torch.autocast(DEVICE, torch.bfloat16, cache_enabled=False):
            latents = torch.randn(BATCH, Settings.latent_dim, device=DEVICE)
            on_made = self.discriminator(augment(self.generator(latents)))
            loss_g = functional.softplus(-on_made).mean()
        self.update(self.optimizers[0], self.generator, loss_g)
        with torch.no_grad():
            pairs = list(self.average.parameters()), list(self.generator.parameters())
            torch._foreach_lerp_(*pairs, 1 - AVERAGE)
            self.losses.lerp_(torch.stack([loss_g, loss_d]), 0.002)

    def update(self, optimizer, network, loss):
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    def batch(self):
        """A batch of pictures, half of them mirrored, (B, 3, 64, 64) in [-1, 1]."""
        index = torch.randint(len(self.data), (BATCH,), device=DEVICE)
        pictures = self.data[index].permute(0, 3, 1, 2).float() / 127.5 - 1
        mirrored = torch.rand(BATCH, 1, 1, 1, device=DEVICE) < 0.5
        pictures = torch.where(mirrored, pictures.flip(3), pictures)
        return pictures.contiguous(memory_format=torch.channels_last)

    def penalty(self, real):
        """As `balanced_gan.model.losses.r1_penalty`."""
        real = real.detach().requires_grad_()
        with torch.autocast(DEVICE, torch.bfloat16, cache_enabled=False):
            logits = self.discriminator(real)
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        return 0.5 * gradient.square().sum((1, 2, 3)).mean()

    def captured(self):
        """The two kinds of step, as CUDA graphs: a step is some 500 operations, and starting each
        from Python would take longer than the work."""
        if DEVICE == "cpu":
            return {penalised: partial(self.step, penalised) for penalised in (False, True)}
        torch.backends.cudnn.benchmark = True
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):  # the first steps make what a graph must find ready
            for penalised in (False, True, False, True):
                self.step(penalised)
        torch.cuda.synchronize()
        graphs = {}
        for penalised in (False, True):
            graphs[penalised] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[penalised]):
                self.step(penalised)
        return {penalised: graph.replay for penalised, graph in graphs.items()}


def train(pictures, seen, gap):
    """Trains from random weights.

    Args:
        pictures: uint8 (N, 64, 64, 3).
        seen: pictures to see, counting repeats.
        gap: loss of G minus loss of D to hold, in nats.
    """
    torch.manual_seed(0)
    training = Training(pictures)
    steps = training.captured()
    count = seen // BATCH
    progress = tqdm(range(count), unit_scale=BATCH, unit="pictures")
    for number in progress:
        falling = min(1.0, (1 - number / count) / FALL)
        training.rate.fill_(RATE / (1 + RATE_DECAY * number) * (0.1 + 0.9 * falling))
        steps[number % PENALTY_EVERY == 0]()
        if number % ADJUST_EVERY == ADJUST_EVERY - 1:
            loss_g, loss_d = training.losses.tolist()
            factor = 1.05 if loss_g - loss_d > gap else 1 / 1.05
            training.r1.mul_(factor).clamp_(LEAST_R1, MOST_R1)
            progress.set_postfix(gap=f"{loss_g - loss_d:.2f}", r1=f"{float(training.r1):.3f}")
    return training


@click.command()
@click.argument("name", type=click.Choice(list(SOURCES)))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@click.option("--seen", default=3_897_152, show_default=True, help="Pictures.")
def main(name, file, data, seen):
    source = SOURCES[name]
    training = train(source.pictures(data), seen, source.gap)
    named = named_weights(training.average, training.discriminator)
    np.savez(file, **{key: value.detach().cpu().numpy() for key, value in named.items()})


if __name__ == "__main__":
    main()
