"""Does the rule keep its promise, and what does it cost?

Trains the default networks under several margins, with both networks on every batch, in
strict alternation, and with the usual two steps (discriminator, then the generator facing
the changed discriminator). All take turns epoch by epoch in one process, so that a slow moment
of the machine hits everybody.
"""

import dataclasses
import itertools
import time

import click
import keras
import numpy as np
import tensorflow as tf

from balanced_gan import Settings
from balanced_gan.data.batches import batches
from balanced_gan.model.build import build_gan, faster_precision
from balanced_gan.output.kinds import kind_of
from benchmarks.shared import publish, table

MARGINS = (0.05, 0.1, 0.2, 0.3, 0.5, Settings.margin)
SETTLING_EPOCHS = 2


def contenders(settings):
    """Name -> compiled model, all of the same networks and seed."""
    models = {
        f"margin {margin}": build_gan(dataclasses.replace(settings, margin=margin))
        for margin in MARGINS
    }
    for balance in ("both", "alternate", "two_step"):
        models[balance] = build_gan(dataclasses.replace(settings, balance=balance))
    return models


@click.command()
@click.option("--path", default="../shared/data/congress_400", show_default=True)
@click.option("--epochs", default=30, show_default=True)
@click.option("--seeds", default=2, show_default=True)
def main(path, epochs, seeds):
    precision, _ = faster_precision()
    gaps, turns, seconds = {}, {}, {}
    for seed in range(seeds):
        settings = Settings(path=path, precision=precision, seed=seed)
        pictures, _ = kind_of(settings).load()
        per_epoch = len(pictures) // settings.batch_size
        models = contenders(settings)
        steps = {name: tf.function(model.train_step) for name, model in models.items()}
        data = iter(batches(pictures, settings.batch_size, seed, settings.mirror))
        for step in steps.values():  # compiles; one more batch before anything counts
            step(next(data))
        for _ in range(epochs):
            epoch = list(itertools.islice(data, per_epoch))
            for name, step in steps.items():
                began = time.perf_counter()
                logs = [step(batch) for batch in epoch]
                seconds.setdefault(name, []).append((time.perf_counter() - began) / per_epoch)
                gaps.setdefault(name, []).extend(float(log["gap"]) for log in logs)
                turns.setdefault(name, []).extend(
                    (int(log["turn_G"]), int(log["turn_D"])) for log in logs
                )
        keras.backend.clear_session()

    rows = []
    two_step = np.array(seconds["two_step"])
    for name in gaps:
        # Seeds follow one another; each one's first epochs are left out.
        late = np.array(gaps[name]).reshape(seeds, epochs, per_epoch)[:, SETTLING_EPOCHS:]
        margin = float(name.split()[1]) if name.startswith("margin") else Settings.margin
        share = np.mean(turns[name], axis=0) / np.mean(np.sum(turns[name], axis=1))
        by_seed = (abs(late) < margin).mean(axis=(1, 2))
        within = f"{by_seed.mean():.1%} ({', '.join(f'{s:.0%}' for s in by_seed)})"
        gap, took = f"{late.mean():+.2f} ± {late.std():.2f}", np.array(seconds[name])
        rows.append([name, within, gap, f"{share[0]:.0%} : {share[1]:.0%}"])
        rows[-1] += [f"{np.median(took):.3f}", f"{np.median(took / two_step):.0%}"]
    publish(
        "The rule of balance",
        f"Default networks at {settings.image_size}x{settings.image_size}, {precision}, "
        f"{len(pictures)} pictures, batch {settings.batch_size}, {epochs} epochs, "
        f"seeds 0 to {seeds - 1}. *Within e*: batches after the first {SETTLING_EPOCHS} epochs "
        f"with |loss_G - loss_D| < e (each seed), for the rows without a margin e = "
        f"{Settings.margin}. Seconds and their ratio to `two_step`: medians over epochs, "
        "the ratio formed epoch by epoch.",
        table("who trains | within e | gap | turns G : D | s per batch | of two_step", rows),
    )


if __name__ == "__main__":
    main()
