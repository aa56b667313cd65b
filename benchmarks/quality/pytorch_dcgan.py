"""The DCGAN of PyTorch's tutorial, what a user would find first.

Numbers from the tutorial "DCGAN Tutorial" (Radford et al. 2015): latents of 100, widths of 64,
batches of 128, Adam 2e-4 with beta_1 0.5, weights from N(0, 0.02), BatchNorm in both networks,
D step then G step, binary cross-entropy. With bfloat16 autocast where the CPU has it, PyTorch's
fastest mode. Needs PyTorch: `python -m pip install torch`.

    python -m benchmarks.quality.pytorch_dcgan FOLDER 1 5 20 --out SAMPLES    as minutes.py calls it
"""

import itertools
import time
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn

from balanced_gan import Settings
from balanced_gan.data.folder import load_folder

LATENT_DIM, WIDTH, BATCH_SIZE = 100, 64, 128
SAMPLES = 400


def build_networks():
    """`(generator, discriminator)` for 64x64 pictures of three channels."""

    def up(inputs, outputs, stride, padding):
        return [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(True),
        ]

    def down(inputs, outputs):
        return [
            nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2, True),
        ]

    w = WIDTH
    generator = nn.Sequential(
        *up(LATENT_DIM, 8 * w, 1, 0),
        *up(8 * w, 4 * w, 2, 1),
        *up(4 * w, 2 * w, 2, 1),
        *up(2 * w, w, 2, 1),
        nn.ConvTranspose2d(w, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(3, w, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, True),
        *down(w, 2 * w),
        *down(2 * w, 4 * w),
        *down(4 * w, 8 * w),
        nn.Conv2d(8 * w, 1, 4, 1, 0, bias=False),
    )
    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0.0, 0.02)
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
    return generator, discriminator


def train_step(networks, optimizers, real, bfloat16=True):
    """A step of the discriminator, then one of the generator.

    Args:
        networks: generator and discriminator.
        optimizers: of both, in the same order.
        real: (B, 3, 64, 64) in [-1, 1].
        bfloat16: whether products are computed in it.
    """
    generator, discriminator = networks
    loss_of = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(len(real)), torch.zeros(len(real))

    def judge(pictures):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return discriminator(pictures).float().flatten()

    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        generated = generator(torch.randn(len(real), LATENT_DIM, 1, 1))
    optimizers[1].zero_grad()
    loss_of(judge(real), ones).backward()
    loss_of(judge(generated.detach()), zeros).backward()
    optimizers[1].step()
    optimizers[0].zero_grad()
    loss_of(judge(generated), ones).backward()
    optimizers[0].step()


def train(pictures, seed, marks, bfloat16):
    """Trains, and yields samples at some moments.

    Args:
        pictures: uint8 (N, 64, 64, 3).
        seed: of everything random.
        marks: minutes of training at which to make samples, ascending.
        bfloat16: as in `train_step`.

    Yields:
        `(mark, samples, seen)`: uint8 (400, 64, 64, 3), and how many pictures it had seen.
    """
    torch.manual_seed(seed)
    networks = build_networks()
    optimizers = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in networks]
    real = torch.tensor(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    fixed = torch.randn(SAMPLES, LATENT_DIM, 1, 1, generator=torch.Generator().manual_seed(0))
    order = itertools.chain.from_iterable(
        torch.randperm(len(real)).split(BATCH_SIZE) for _ in itertools.count()
    )
    seconds, seen = 0.0, 0
    for mark in marks:
        while seconds < 60 * mark:
            some = next(order)
            began = time.monotonic()
            train_step(networks, optimizers, real[some], bfloat16)
            seconds += time.monotonic() - began
            seen += len(some)
        # As there, with BatchNorm in training mode, in batches of about 64.
        with torch.no_grad():
            made = torch.cat([networks[0](z) for z in fixed.split(50)])
        made = (made.float().permute(0, 2, 3, 1).numpy() + 1) * 127.5
        yield mark, np.uint8(np.rint(made.clip(0, 255))), seen


@click.command()
@click.argument("folder")
@click.argument("marks", nargs=-1, type=float)
@click.option("--seed", default=0, show_default=True)
@click.option("--bfloat16", is_flag=True, help="Compute products in it.")
@click.option("--out", required=True, type=Path, help="Folder for samples after each minute.")
def main(folder, marks, seed, bfloat16, out):
    pictures = np.asarray(load_folder(folder, Settings())[0])
    for mark, samples, seen in train(pictures, seed, sorted(marks), bfloat16):
        np.savez(out / f"{mark:g}.npz", samples=samples, seen=seen)


if __name__ == "__main__":
    main()
