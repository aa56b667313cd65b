"""The DCGAN of PyTorch's tutorial, written anew for comparison: what a user would find first.

Numbers from the tutorial "DCGAN Tutorial" (Radford et al. 2015): latents of 100, widths of 64,
batches of 128, Adam 2e-4 with beta_1 0.5, weights from N(0, 0.02), BatchNorm in both networks,
D step then G step, binary cross-entropy. Here in PyTorch's fastest mode for this CPU: bfloat16
autocast. Needs PyTorch, as nothing else here does: `python -m pip install torch`.
"""

import time

import numpy as np
import torch
from torch import nn

LATENT_DIM, WIDTH, BATCH_SIZE = 100, 64, 128


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


def train(pictures, seed, marks, file_of, samples):
    """Trains, and writes samples at some moments.

    Goes on from the last mark that is there.

    Args:
        pictures: uint8 (N, 64, 64, 3).
        seed: of everything random.
        marks: minutes of training at which to write samples, ascending.
        file_of: function from a mark to the .npz file of its samples.
        samples: how many to write.
    """
    torch.manual_seed(seed)
    generator, discriminator = build_networks()
    networks = generator, discriminator
    optimizers = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in networks]
    state = file_of(marks[0]).parent / "pytorch.pt"
    real = torch.tensor(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    fixed = torch.randn(samples, LATENT_DIM, 1, 1, generator=torch.Generator().manual_seed(0))
    loss_of = nn.BCEWithLogitsLoss()
    seconds, images = 0.0, 0
    if state.exists():
        seconds, images, *states = torch.load(state)
        for holder, values in zip((*networks, *optimizers), states, strict=True):
            holder.load_state_dict(values)
    ahead = [mark for mark in marks if 60 * mark > seconds]

    def judge(images):
        with torch.autocast("cpu", torch.bfloat16):
            return discriminator(images).float().flatten()

    while ahead:
        for some in torch.randperm(len(real)).split(BATCH_SIZE):
            began = time.monotonic()
            latents = torch.randn(len(some), LATENT_DIM, 1, 1)
            with torch.autocast("cpu", torch.bfloat16):
                generated = generator(latents)
            ones, zeros = torch.ones(len(some)), torch.zeros(len(some))
            optimizers[1].zero_grad()
            loss_of(judge(real[some]), ones).backward()
            loss_of(judge(generated.detach()), zeros).backward()
            optimizers[1].step()
            optimizers[0].zero_grad()
            loss_of(judge(generated), ones).backward()
            optimizers[0].step()
            seconds += time.monotonic() - began
            images += len(some)
            if not ahead or seconds < 60 * ahead[0]:
                continue
            # As there, with BatchNorm in training mode, in batches of about 64.
            with torch.no_grad():
                made = torch.cat([generator(z) for z in fixed.split(50)])
            made = (made.float().permute(0, 2, 3, 1).numpy() + 1) * 127.5
            torch.save(
                [seconds, images, *(holder.state_dict() for holder in (*networks, *optimizers))],
                state,
            )
            np.savez_compressed(
                file_of(ahead.pop(0)),
                pictures=np.uint8(np.rint(made.clip(0, 255))),
                images=images,
            )
