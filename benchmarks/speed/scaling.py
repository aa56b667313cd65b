"""Several workers on this machine: speed, what goes over the network, and workers that die.

    python -m benchmarks.speed.scaling             all parts, about fifteen minutes
    python -m benchmarks.speed.scaling --part kills

The workers share this machine's cores, so that images/s cannot grow with them: what is measured is
what their talking costs. Bytes are those of the loopback interface, counted by Linux.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from balanced_gan.runs.run import Run
from benchmarks.shared import part_option, publish, start, table

FIRST, LAST = 30, 130  # batches between which is measured
KILLS = 10
TINY = ["--image_size", 32, "--width", 4, "--latent_dim", 8, "--batch_size", 8, "--max_images", 20]
TINY += ["--precision", "float32", "--evaluate_every_minutes", 0]


def start_heard(folder, *options):
    """train.py as a process; what it says goes to a file, since nobody reads a pipe meanwhile."""
    with (folder / "output.txt").open("w") as output:
        return start(folder, *options, stdout=output)


def output_of(process, folder):
    """Waits for the end -> what it said."""
    process.wait()
    return (folder / "output.txt").read_text()


def loopback_bytes():
    """Sent over the loopback interface since the machine started."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split()[1])
    raise RuntimeError("no loopback interface")


def steps_of(folder):
    runs = list((folder / "runs").glob("001-*"))
    rows = list(Run(runs[0]).history_rows()) if runs else []
    return int(rows[-1]["step"]) if rows else 0


def speed(workers, balance):
    """`(images a second, bytes a batch)` of the default networks."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        options = ["--steps", LAST + 5, "--grid_every_steps", 10**6, "--batch_size", 16]
        options += ["--workers", workers, "--balance", balance]
        process = start_heard(folder, *options)
        marks = []
        for mark in (FIRST, LAST):
            while steps_of(folder) < mark:
                if process.poll() is not None:
                    sys.exit(output_of(process, folder))
                time.sleep(0.05)
            marks.append((steps_of(folder), time.monotonic(), loopback_bytes()))
        process.wait()
        (first, began, before), (last, ended, after) = marks
        batches = last - first
        return 16 * batches / (ended - began), (after - before) / batches


def measure_speed():
    rows = []
    for balance in ("margin", "both"):
        alone = None
        for workers in (1, 2, 4):
            images, size = speed(workers, balance)
            alone = alone or images
            ratio = f"{images / alone:.2f}"
            rows.append([balance, workers, f"{images:.0f}", ratio, f"{size / 1e6:.2f}"])
            print(rows[-1], flush=True)
    publish(
        "Several workers: speed and bytes",
        "The default networks at 64x64 on drawn faces, 16 pictures a batch in all, workers on the "
        f"same cores; batches {FIRST} to {LAST}, seed 0. *MB a batch*: over the loopback "
        "interface, all workers together.",
        table("balance | workers | images/s | of one worker's | MB a batch", rows),
    )


def newest_step(run):
    files = sorted((run.path / "checkpoints").glob("step-*.npz"))
    return int(files[-1].stem[5:]) if files else 0


def workers_of(process):
    """Process numbers of the workers that a chief has started."""
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def measure_kills():
    chance = random.Random(0)
    options = [*TINY, "--workers", 2, "--checkpoint_every_minutes", 0.02]
    rows, waits = [], []
    with tempfile.TemporaryDirectory() as place:
        folder, whole = Path(place, "killed"), Path(place, "whole")
        folder.mkdir(), whole.mkdir()
        run = Run(folder / "runs" / "001-drawn-faces")
        for number in range(KILLS):
            begun = newest_step(run)
            process = start_heard(folder, *options, "--steps", 10**6)
            while newest_step(run) <= begun:  # it went on and saved
                time.sleep(0.1)
                if process.poll() is not None:
                    sys.exit(output_of(process, folder))
            time.sleep(chance.uniform(0, 4))
            (other,) = workers_of(process)
            victim = chance.choice(["chief", "other"])
            os.kill(process.pid if victim == "chief" else other, signal.SIGKILL)
            began = time.monotonic()
            if victim == "chief":
                while Path(f"/proc/{other}").exists():
                    time.sleep(0.05)
                process.wait()
            else:
                output = output_of(process, folder)
                assert "Another worker stopped answering" in output, output
                assert "Traceback" not in output, output
            waits.append(time.monotonic() - began)
            rows.append([number + 1, victim, newest_step(run), f"{waits[-1]:.1f}"])
            print(rows[-1], flush=True)
        steps = newest_step(run) + 20
        for place in (folder, whole):
            process = start_heard(place, *options, "--steps", steps)
            output = output_of(process, place)
            assert process.returncode == 0, output
        histories = [
            [{k: v for k, v in row.items() if k != "seconds"} for row in Run(r).history_rows()]
            for r in (run.path, whole / "runs" / "001-drawn-faces")
        ]
        same = histories[0] == histories[1]
    publish(
        "Several workers: one that dies",
        f"Two workers on this machine, tiny networks; one of them killed at {KILLS} random "
        "instants, all started again each time. *Others ended*: seconds until the other worker "
        "had stopped with its sentence.",
        table("kill | killed | newest checkpoint, batch | others ended, s", rows),
        f"Afterwards the run went on to batch {steps}; its history was "
        + ("equal to" if same else "NOT equal to")
        + " that of a run that was left alone.",
    )


PARTS = {"speed": measure_speed, "kills": measure_kills}


@click.command()
@part_option(*PARTS)
def main(parts):
    for part in parts or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
