"""What a run survives: kill -9, damaged files, a full disk, an hour, 100,000 files.

    python -m benchmarks.reliability.torture             all parts, about two hours
    python -m benchmarks.reliability.torture --part kills --part pictures

Needs Linux or macOS, for the limits on memory and on the size of files;
`workers` and `time` need Linux, for /proc.
"""

import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image

from balanced_gan import InputError, Settings
from balanced_gan.data.drawn_faces import draw_faces
from balanced_gan.data.folder import load_folder, read_picture
from balanced_gan.runs.run import Run
from benchmarks.shared import MIB, data_option, part_option, publish, run_below, start, table, watch

NAME = Path("runs", "001-drawn-faces")
TINY = {"image_size": 32, "width": 4, "latent_dim": 8, "batch_size": 8, "max_images": 20}
TINY |= {"precision": "float32", "evaluate_every_minutes": 0, "grid_every_steps": 40}
TINY_OPTIONS = [str(part) for name, value in TINY.items() for part in (f"--{name}", value)]
WORKERS = ["--workers", 2, "--checkpoint_every_minutes", 0.02]
EVERY_SECONDS = 1.2  # between two checkpoints of a run that is killed
FORMATS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF", "gif": "GIF"}
FORMATS |= {"avif": "AVIF"}
MEMORY_LIMIT = 4 * 2**30  # bytes of address space of a process that reads damaged pictures
TIME_LIMIT = 10  # seconds a picture


def start_tiny(folder, *options, **kwargs):
    """train.py as a process, with one thread: two of them run side by side."""
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    kwargs = {"stdout": subprocess.PIPE, "text": True, "env": os.environ | one} | kwargs
    return start(folder, *TINY_OPTIONS, *options, **kwargs)


def train_tiny(folder, *options, **kwargs):
    """The same up to its end -> `(exit status, what it said)`."""
    process = start_tiny(folder, *options, **kwargs)
    output, _ = process.communicate()
    return process.returncode, output


def corrupt_files(run):
    """Names of files in a run folder that are not whole."""
    found = []
    for file in run.path.rglob("*.*"):
        try:
            if ".tmp" in file.name:  # never read, and written anew
                continue
            if file.suffix in (".npz", ".keras"):
                with zipfile.ZipFile(file) as archive:
                    assert archive.testzip() is None
            elif file.suffix == ".json":
                json.loads(file.read_text())
            elif file.suffix in (".png", ".gif"):
                Image.open(file).load()
        except Exception as error:
            found.append(f"{file.name}: {error}")
    return found


def newest_step(run):
    """The batch of the newest checkpoint; 0 where there is none yet."""
    files = run.path.glob("checkpoints/step-*.npz")
    return max((int(file.stem[5:]) for file in files), default=0)


def end_equally(*runs):
    """Whether the newest checkpoints of two runs hold the same arrays."""
    files = (max(run.path.glob("checkpoints/step-*.npz")) for run in runs)
    with np.load(next(files)) as one, np.load(next(files)) as other:
        names = set(one.files) - {"seconds"}
        same_names = names == set(other.files) - {"seconds"}
        return same_names and all(np.array_equal(one[name], other[name]) for name in names)


def kill_often(folder, count, seed):
    """Kills a training at random instants, goes on each time, and compares the end with a
    training that was let alone -> a dict of what was found."""
    chance = random.Random(seed)
    command = ["--checkpoint_every_minutes", EVERY_SECONDS / 60, "--seed", seed]
    found = {"kills": 0, "lost": 0, "corrupt": [], "repeated": 0.0, "while_training": 0}
    run = Run(folder / NAME)
    while found["kills"] < count:
        process = start_tiny(folder, *command, "--steps", 10**9)
        time.sleep(chance.uniform(0, 14))
        process.kill()
        output, _ = process.communicate()
        found["kills"] += 1
        if process.returncode != -9:
            found["lost"] += 1
            print(output)
        if not run.path.is_dir():
            continue
        found["corrupt"] += corrupt_files(run)
        step = newest_step(run)
        rows = [row for row in run.history_rows() if int(row["step"]) > step]
        if rows:
            found["while_training"] += 1
            # Not from the checkpoint: the first batch of a session compiles, as every start does.
            trained = float(rows[-1]["seconds"]) - float(rows[0]["seconds"])
            found["repeated"] = max(found["repeated"], trained)
    steps = newest_step(run) + 20
    whole = folder / "whole"
    whole.mkdir()
    for place in (folder, whole):
        status, output = train_tiny(place, *command, "--steps", steps)
        assert status == 0, output
    found["steps"] = steps
    found["equal"] = end_equally(run, Run(whole / NAME))
    return found


def torture_by_kills(count):
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as two:
        folders = [Path(place, name) for name in "ab"]
        for folder in folders:
            folder.mkdir()
        results = list(two.map(lambda i: kill_often(folders[i], count // 2, i), range(2)))
    rows = []
    for number, found in enumerate(results):
        row = [number, found["kills"], found["while_training"], found["lost"]]
        row += [len(found["corrupt"]), f"{found['repeated']:.1f}", found["steps"]]
        rows.append([*row, "yes" if found["equal"] else "NO"])
    publish(
        "Killed at random instants",
        f"Tiny networks, kill -9 up to 14 s after each start, the same command again each time, a "
        f"checkpoint every {EVERY_SECONDS} s; then let finish, and compared with a run of as many "
        "batches that nobody touched. Two such runs side by side. *Repeated*: seconds from the "
        "first batch that was lost to the last, at the worst kill; each start also compiles anew.",
        table(
            "seed | kills | of them after a batch since the checkpoint | runs lost | "
            "corrupt files | repeated, s | batches in all | final state equal",
            rows,
        ),
    )


def kill_a_worker(folder, chance):
    """Starts two workers, which go on with their run, and kills one of them at a random instant ->
    the one that was killed, and the seconds until the other had stopped with its sentence."""
    run = Run(folder / NAME)
    begun, heard = newest_step(run), folder / "output.txt"
    with heard.open("w") as output:  # not a pipe, which nobody reads meanwhile
        chief = start_tiny(folder, *WORKERS, "--steps", 10**6, stdout=output)
    while newest_step(run) <= begun:  # they went on and saved
        time.sleep(0.1)
        assert chief.poll() is None, heard.read_text()
    time.sleep(chance.uniform(0, 4))
    children = subprocess.run(["pgrep", "-P", str(chief.pid)], capture_output=True, text=True)
    other = int(children.stdout)
    victim = chance.choice(["chief", "other"])
    os.kill(chief.pid if victim == "chief" else other, signal.SIGKILL)
    began = time.monotonic()
    if victim == "chief":
        while Path(f"/proc/{other}").exists():
            time.sleep(0.05)
    chief.wait()
    seconds, output = time.monotonic() - began, heard.read_text()
    if victim == "other":
        assert "Another worker stopped answering" in output, output
        assert "Traceback" not in output, output
    return victim, seconds


def torture_by_dead_workers(count):
    chance, rows = random.Random(0), []
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("killed", "whole")]
        for folder in folders:
            folder.mkdir()
        run, whole = (Run(folder / NAME) for folder in folders)
        for number in range(1, count + 1):
            victim, seconds = kill_a_worker(folders[0], chance)
            rows.append([number, victim, newest_step(run), f"{seconds:.1f}"])
            print(rows[-1], flush=True)
        steps = newest_step(run) + 20
        for folder in folders:
            status, output = train_tiny(folder, *WORKERS, "--steps", steps)
            assert status == 0, output
        histories = [
            [{key: row[key] for key in row if key != "seconds"} for row in each.history_rows()]
            for each in (run, whole)
        ]
    publish(
        "Several workers: one that dies",
        f"Two workers on this machine, tiny networks; one of them killed at {count} random "
        "instants, all started again each time. *Others ended*: seconds until the other worker "
        "had stopped with its sentence.",
        table("kill | killed | newest checkpoint, batch | others ended, s", rows),
        f"Afterwards the run went on to batch {steps}; its history was "
        + ("equal to" if histories[0] == histories[1] else "NOT equal to")
        + " that of a run that was left alone.",
    )


def mutations(data, chance):
    """One damaged form of some bytes."""
    data = bytearray(data)
    kind = chance.choice(["cut", "flip", "splice", "header", "repeat", "zero"])
    at = chance.randrange(len(data))
    if kind == "cut":
        del data[at:]
    elif kind == "flip":
        for _ in range(chance.choice([1, 1, 4, 40])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "splice":
        length = chance.randrange(1, 64)
        data[at : at + length] = chance.randbytes(chance.randrange(64))
    elif kind == "header":  # where sizes and depths are
        at = chance.randrange(min(64, len(data)))
        data[at : at + 4] = chance.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4)])
    elif kind == "repeat":
        data[at:at] = data[chance.randrange(len(data)) :][:4096]
    else:
        length = chance.randrange(1, 512)
        data[at : at + length] = bytes(length)
    return bytes(data)


def read_damaged(seeds, files, folder, results):
    """Reads damaged pictures in a process of limited memory; tells of each before and after."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    path = Path(folder, f"{seeds[0]}.bin")
    for seed in seeds:
        chance = random.Random(seed)
        suffix, data = files[seed % len(files)]
        if chance.random() < 0.1:  # named as another format
            suffix = chance.choice(list(FORMATS))
        path = path.with_suffix(f".{suffix}")
        path.write_bytes(mutations(data, chance))
        results.send(("begin", seed))
        began = time.monotonic()
        found = read_picture(path, Settings())
        good = isinstance(found, str) or found[0].shape == (64, 64, 3)
        results.send(("end", time.monotonic() - began, isinstance(found, str), good))
    results.send(("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB))


def fuzz_chunk(seeds, files, folder):
    """`(crashes, hangs, wrong, refused, slowest, memory)` of some seeds."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=read_damaged, args=(seeds, files, folder, there)
    )
    process.start()
    there.close()
    crashes, hangs, wrong, refused, slowest, memory, current = [], [], [], 0, 0.0, 0.0, None
    while True:
        try:
            if not here.poll(TIME_LIMIT + 20 * (current is None)):
                hangs.append(current)
                process.kill()
                break
            kind, *facts = here.recv()
        except EOFError:
            break
        if kind == "begin":
            (current,) = facts
        elif kind == "memory":
            (memory,) = facts
        else:
            seconds, was_refused, good = facts
            refused += was_refused
            slowest = max(slowest, seconds)
            if not good:
                wrong.append(current)
    process.join()
    if process.exitcode and not hangs:
        crashes.append(current)
    return crashes, hangs, wrong, refused, slowest, memory


def torture_by_pictures(count):
    files = []
    for number, picture in enumerate(draw_faces(96, 3, 12)):
        for suffix, kind in FORMATS.items():
            buffer = io.BytesIO()
            other = Image.fromarray(picture).convert(["RGB", "L", "RGB", "P"][number % 4])
            options = {"progressive": number % 2 == 1} if kind == "JPEG" else {}
            if kind in ("WEBP", "AVIF"):
                other = other.convert("RGB")
                options = {"lossless": number % 2 == 1} if kind == "WEBP" else {}
            if kind == "JPEG":
                other = other.convert("RGB" if number % 3 else "L")
            if kind == "TIFF":
                options = {"compression": [None, "tiff_lzw", "tiff_deflate"][number % 3]}
            other.save(buffer, kind, **options)
            files.append((suffix, buffer.getvalue()))
    chunks = [range(at, min(at + 500, count)) for at in range(0, count, 500)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as two:
        results = list(two.map(lambda chunk: fuzz_chunk(list(chunk), files, folder), chunks))
    crashes, hangs, wrong = ([x for result in results for x in result[i]] for i in range(3))
    refused = sum(result[3] for result in results)
    slowest, memory = (max(result[i] for result in results) for i in (4, 5))
    counts = [count, len(crashes), len(hangs), len(wrong), refused]
    publish(
        "Damaged pictures",
        f"{count} files made from 84 small pictures in seven formats: cut, bits flipped, spliced, "
        f"sizes in headers overwritten, parts repeated or zeroed, a tenth under another format's "
        f"name; read in processes that may use {MEMORY_LIMIT / 2**30:.0f} GiB of address space.",
        table(
            f"files | crashes | longer than {TIME_LIMIT} s | of wrong shape | "
            "refused with a reason | slowest, s | peak MiB",
            [[*counts, f"{slowest:.2f}", f"{memory:.0f}"]],
        ),
    )
    print("crashes", crashes, "hangs", hangs, "wrong", wrong)


def torture_by_run_files(count):
    """Damaged settings.json, history.csv and checkpoints."""
    from balanced_gan.model.build import build_gan
    from balanced_gan.runs.checkpoints import load_checkpoint, named_variables, save_checkpoint

    settings = Settings(**TINY)
    gan = build_gan(settings)
    variables = list(named_variables(gan).values())
    outcomes = {}
    with tempfile.TemporaryDirectory() as place:
        run = Run(Path(place))
        (run.path / "checkpoints").mkdir()
        run.save_settings(settings)
        file, writer = run.open_history(0)
        writer.writerows([[n, 1, f"{n}.00", 0.7, 0.7, 0.0, 0, 1] for n in range(1, 50)])
        file.close()
        rows = list(run.history_rows())
        save_checkpoint(run, gan, 5.0)
        (checkpoint,) = (run.path / "checkpoints").iterdir()
        kept = [variable.numpy() for variable in variables]
        whole = {
            file: file.read_bytes()
            for file in (run.path / "settings.json", run.history_file, checkpoint)
        }
        for seed in range(count):
            chance = random.Random(seed)
            file = chance.choice(list(whole))
            outcome = outcomes.setdefault(
                "checkpoint" if file == checkpoint else file.name,
                dict.fromkeys(("files", "refused", "harmless", "other", "traceback", "wrong"), 0),
            )
            outcome["files"] += 1
            damaged = mutations(whole[file], chance)
            file.write_bytes(damaged)
            try:
                if file == checkpoint:
                    for variable in variables:
                        variable.assign(np.zeros(variable.shape))
                    seconds, _ = load_checkpoint(run, gan)
                    same = seconds == 5.0 and all(
                        np.array_equal(a, b) for a, b in zip(kept, variables, strict=True)
                    )
                elif file == run.history_file:
                    same = all(row in rows for row in run.history_rows())
                else:
                    same = run.settings() == settings
                differs = "wrong" if file == checkpoint else "other"
                outcome["harmless" if same else differs] += 1
            except InputError:
                outcome["refused"] += 1
            except Exception as error:
                outcome["traceback"] += 1
                print(seed, file.name, repr(error))
            file.write_bytes(whole[file])
    publish(
        "Damaged run files",
        f"{count} damaged files, made as above, each read as the program does. *Harmless*: read, "
        "with nothing but what had been written. *Other values*: valid, but never written; only "
        "checkpoints have a checksum.",
        table(
            "file | files | refused in a sentence | harmless | other values | tracebacks | wrong",
            [[name, *outcome.values()] for name, outcome in outcomes.items()],
        ),
    )


def torture_by_full_disk():
    """A limit on the size of files, from less than every file of a run to more than all."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        good, whole = Path(place, "good"), Path(place, "whole")
        good.mkdir()
        command = ["--checkpoint_every_minutes", "0.01", "--steps"]
        train_tiny(good, *command, 50)
        shutil.copytree(good, whole)
        train_tiny(whole, *command, 100)
        for limit in (512, 2048, 8192, 20_000, 60_000, 150_000, 10**6):
            folder = Path(place, str(limit))
            shutil.copytree(good, folder)

            def limited(limit=limit):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

            status, output = train_tiny(folder, *command, 100, preexec_fn=limited)
            corrupt = len(corrupt_files(Run(folder / NAME)))
            last = [f"`{line[:70]}...`" for line in output.splitlines() if line.startswith("Error")]
            traceback = "yes" if "Traceback" in output else "no"
            train_tiny(folder, *command, 100)
            same = end_equally(Run(folder / NAME), Run(whole / NAME))
            row = [limit, status, *(last or [""])[:1], traceback, corrupt]
            rows.append([*row, "yes" if same else "NO"])
    publish(
        "A full disk",
        "A run of 50 batches goes on to 100 while no file may be longer than so many bytes "
        "(checkpoints, networks, history and pictures pass it one after the other), then again "
        "without the limit.",
        table(
            "bytes | exit status | the sentence | traceback | corrupt files | "
            "then equal to a run on an empty disk",
            rows,
        ),
    )


def torture_by_time(data, minutes):
    """Default networks for an hour: memory and speed."""
    with tempfile.TemporaryDirectory() as place:
        process = start(Path(place), "--path", data / "congress_400", "--minutes", minutes)
        memory = []
        while process.poll() is None:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            memory.append(pages * resource.getpagesize() / 2**20)
            time.sleep(5)
        rows = run_below(Path(place)).history_rows()
        seconds = np.array([float(row["seconds"]) for row in rows])
    part = len(memory) // 6
    early, late = np.median(memory[part : 2 * part]), np.median(memory[-part - 1 : -1])
    batch = np.diff(seconds[::100]) / 100  # history.csv has hundredths of a second
    sixth = len(batch) // 6
    before, after = np.median(batch[sixth : 2 * sixth]), np.median(batch[-sixth:])
    publish(
        "An hour",
        f"`--path congress_400/ --minutes {minutes}`, all by default: medians of the second and "
        "the last sixth; a batch's time from a hundred at once.",
        table(
            " | second sixth | last sixth | change",
            [
                ["resident MiB", f"{early:.0f}", f"{late:.0f}", f"{late / early - 1:+.1%}"],
                ["s a batch", f"{before:.4f}", f"{after:.4f}", f"{after / before - 1:+.1%}"],
            ],
        ),
    )


def torture_by_many_files(count):
    """A large folder of which one file in a hundred is bad."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "many")
        folder.mkdir()
        jpegs = [cv2.imencode(".jpg", face)[1].tobytes() for face in draw_faces(96, 3, 20)]
        bad = [b"", b"text", jpegs[0][:700], b"\xff\xd8" + bytes(500), bytes(3000)]
        expected = set()
        for number in range(count):
            file = folder / f"{number % 100:02d}" / f"{number:06d}.jpg"
            file.parent.mkdir(exist_ok=True)
            if number % 100 == 37:
                expected.add(file.relative_to(folder).as_posix())
                kind = number // 100 % 7
                if kind == 5:
                    file.mkdir()
                elif kind == 6:
                    file.symlink_to(folder / "nowhere.jpg")
                else:
                    file.write_bytes(bad[kind])
            else:
                file.write_bytes(jpegs[number % 20])
        began = time.monotonic()
        pictures, skipped = load_folder(folder, Settings(), Path(place, "cache"))
        first = time.monotonic() - began
        began = time.monotonic()
        again, skipped_again = load_folder(folder, Settings(), Path(place, "cache"))
        second = time.monotonic() - began
    bad, named = len(expected), len({name for name, _ in skipped} & expected)
    publish(
        "Many files, some of them bad",
        f"{count} files, one in a hundred empty, text, cut short, damaged, zeros, a folder or a "
        "dangling link.",
        table(
            "good | used | bad | named | s, first time | s, from the cache",
            [[count - bad, len(pictures), bad, named, f"{first:.1f}", f"{second:.1f}"]],
        ),
    )
    assert len(again) == len(pictures) and skipped == skipped_again


def torture_by_long_history(batches):
    """What the page of a run costs after a day of training."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        train_tiny(place, "--steps", 2)
        run = Run(Path(place, NAME))
        header = run.history_file.read_text().split("\n")[0]
        for count in (1000, batches):
            with run.history_file.open("w") as file:
                file.write(f"{header}\n")
                for n in range(1, count + 1):
                    turns = f"{n % 2},{1 - n % 2}"
                    file.write(f"{n},1,{n / 25:.2f},0.70000,0.69000,0.01000,{turns}\n")
            _, seconds, peak = watch(Path(place), "--TYPE", "report")
            rows.append([f"{count:,}", f"{seconds:.1f}", f"{peak:.0f}"])
    publish(
        "A day's history",
        "`--TYPE report` on a history of so many batches; 25 a second are 2,160,000 a day.",
        table("batches | s | peak MiB", rows),
    )


PARTS = "kills", "workers", "pictures", "run_files", "full_disk", "many_files", "long_history"
PARTS += ("time",)


@click.command()
@data_option
@part_option(*PARTS)
@click.option("--kills", default=200, show_default=True)
@click.option("--worker_kills", default=10, show_default=True)
@click.option("--pictures", default=20_000, show_default=True)
@click.option("--run_files", default=5_000, show_default=True)
@click.option("--minutes", default=60, show_default=True)
@click.option("--many", default=100_000, show_default=True)
@click.option("--batches", default=2_160_000, show_default=True)
def main(data, parts, kills, worker_kills, pictures, run_files, minutes, many, batches):
    work = {
        "kills": lambda: torture_by_kills(kills),
        "workers": lambda: torture_by_dead_workers(worker_kills),
        "pictures": lambda: torture_by_pictures(pictures),
        "run_files": lambda: torture_by_run_files(run_files),
        "full_disk": torture_by_full_disk,
        "many_files": lambda: torture_by_many_files(many),
        "long_history": lambda: torture_by_long_history(batches),
        "time": lambda: torture_by_time(data.resolve(), minutes),
    }
    for part in parts:
        work[part]()


if __name__ == "__main__":
    main()
