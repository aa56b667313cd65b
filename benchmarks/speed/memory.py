"""Is the memory that training will need estimated well?

Trains 20 steps of very different jobs, measures the peak of each process from outside, and compares
it with what the program says before it trains.

    python -m benchmarks.speed.memory
"""

import tempfile
from pathlib import Path

import click

from balanced_gan.settings import Settings, preset_values
from balanced_gan.training.memory_needed import mebibytes_needed
from benchmarks.shared import publish, table, watch

JOBS = (
    {},
    {"batch_size": 128},
    {"width": 256},
    {"width": 256, "batch_size": 64},
    {"image_size": 128, "batch_size": 32},
    {"image_size": 256, "batch_size": 16},
    {"image_size": 32, "width": 16},
    {"preset": "original"},
    {"preset": "dcgan"},
    {"preset": "mugshots"},
)


@click.command()
def main():
    rows, errors = [], []
    for job in JOBS:
        words = [f"--{name}={value}" for name, value in job.items()]
        with tempfile.TemporaryDirectory() as folder:
            measured = watch(Path(folder), "--steps", 20, "--precision", "float32", *words).peak
        values = preset_values(job.get("preset", "balanced")) | job
        settings = Settings(**values | {"precision": "float32"})
        estimated = mebibytes_needed(settings, settings.batch_size)
        errors.append(abs(estimated / measured - 1))
        row = [f"{measured:.0f}", f"{estimated:.0f}", f"{estimated / measured:.2f}"]
        rows.append([" ".join(words) or "the default", *row])
    publish(
        "Memory: estimated and measured",
        "Peak of a process that trains 20 steps on 400 drawn faces in float32, in MiB.",
        table("job | measured | estimated | ratio", rows),
        f"The largest error is {max(errors):.0%}.",
    )


if __name__ == "__main__":
    main()
