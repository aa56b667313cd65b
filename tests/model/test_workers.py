"""Several workers on one machine, over its own network."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import tensorflow as tf
from conftest import PROJECT, TINY

from balanced_gan import InputError
from balanced_gan.model import workers
from balanced_gan.runs.run import Run

BASE = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    "jobs, task, expected",
    [
        (BASE, ("worker", 0), (0, 2)),
        (BASE, ("worker", 1), (1, 2)),
        ({**BASE, "chief": ["c:3"]}, ("chief", 0), (0, 3)),
        ({**BASE, "chief": ["c:3"]}, ("worker", 1), (2, 3)),
        ({"worker": ["a:1"]}, ("worker", 0), (0, 1)),
    ],
)
def test_who_is_who(monkeypatch, jobs, task, expected):
    config = {"cluster": jobs, "task": dict(zip(("type", "index"), task, strict=True))}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert workers.cluster() == expected
    assert workers.cluster().is_chief == (expected[0] == 0)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        json.dumps({"cluster": BASE, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": BASE, "task": {"type": "ps", "index": 0}}),
    ],
)
def test_a_wrong_tf_config_is_one_sentence(monkeypatch, train_py, text):
    monkeypatch.setenv("TF_CONFIG", text)
    code, _, err = train_py(*TINY)
    assert code == 1 and "TF_CONFIG" in err and repr(text) in err


def test_workers_and_tf_config_must_agree(monkeypatch):
    config = {"cluster": BASE, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(InputError, match="--workers 3"), workers.local_workers(3):
        pass


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_the_example_for_slurm_names_each_worker(workplace, monkeypatch):
    program(workplace / "bin" / "scontrol", "echo node1; echo node2")
    program(workplace / "bin" / "srun", 'shift; SLURM_PROCID=1 "$@"')
    program(workplace / ".venv" / "bin" / "python", 'echo "$TF_CONFIG"')
    monkeypatch.setenv("PATH", f"{workplace / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node[1-2]")
    script = PROJECT / "docs" / "slurm.sh"
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["cluster"] == {"worker": ["node1:2222", "node2:2222"]}
    monkeypatch.setenv("TF_CONFIG", done.stdout)
    assert workers.cluster() == (1, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_the_example_for_kubernetes_names_each_worker(workplace, monkeypatch):
    yaml = pytest.importorskip("yaml")
    service, job = yaml.safe_load_all((PROJECT / "docs" / "kubernetes.yaml").read_text())
    name, spec = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == spec["subdomain"]
    (container,) = spec["containers"]
    (text,) = container["args"]
    text = text.replace("exec balanced-gan", 'echo "$TF_CONFIG" #')
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    done = subprocess.run([*container["command"], text], capture_output=True, text=True, check=True)
    addresses = [f"{name}-{i}.{spec['subdomain']}:2222" for i in range(job["spec"]["completions"])]
    assert json.loads(done.stdout)["cluster"] == {"worker": addresses}
    monkeypatch.setenv("TF_CONFIG", done.stdout)
    assert workers.cluster() == (1, 2)


def start(folder, *args):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, PROJECT / "train.py", *TINY, *map(str, args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(folder, *args):
    process = start(folder, *args)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert "Traceback" not in err and "WARNING" not in err
    return Run(folder / "runs" / "001-drawn-faces")


@pytest.mark.traced
def test_two_workers_train_as_one_does(workplace, train_py):
    options = ["--r1", 0.2]  # of every 16th turn of D
    # At the default rate roundings differ by 0.25 % after 43 batches.
    options += ["--discriminator_learning_rate", 2e-4]
    assert train_py(*TINY, *options, "--steps", 50)[0] == 0
    one = list(Run(workplace / "runs" / "001-drawn-faces").history_rows())
    run = trained(workplace / "two", *options, "--steps", 50, "--workers", 2)
    two = list(run.history_rows())
    assert len(two) == 50
    assert [row["turn_G"] for row in two] == [row["turn_G"] for row in one]
    for key in ("loss_G", "loss_D"):
        losses = [[float(row[key]) for row in rows] for rows in (one, two)]
        np.testing.assert_allclose(*losses, rtol=1e-3)


def test_a_worker_that_dies_stops_the_others_with_a_sentence(workplace, train_py):
    process = start(
        # Always at a checkpoint: those errors are others than a batch's.
        workplace,
        "--steps",
        100000,
        "--workers",
        2,
        "--checkpoint_every_minutes",
        0,
    )
    run = Run(workplace / "runs" / "001-drawn-faces")
    deadline = time.monotonic() + 400
    while len(list(run.path.glob("checkpoints/step-*.npz"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "train.py"], capture_output=True, text=True
    )
    (other,) = children.stdout.split()
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", other], check=True)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 1
    assert "Another worker stopped answering" in err
    assert "Traceback" not in err and "WARNING" not in err
    steps = int(sorted(run.path.glob("checkpoints/step-*.npz"))[-1].stem[5:])
    # One alone goes on with what two have made.
    assert train_py(*TINY, "--steps", steps + 2)[0] == 0
    assert int(list(run.history_rows())[-1]["step"]) == steps + 2


def test_a_lost_worker_leaves_nothing_that_complains_when_python_ends():
    class Pool:
        pass

    made = []

    def reduce():
        pool = Pool()
        made.append(weakref.ref(pool))
        raise tf.errors.UnavailableError(None, None, "a worker died")

    with pytest.raises(InputError, match="Another worker stopped answering") as raised:
        try:
            reduce()
        except tf.errors.OpError as error:
            raise workers.lost_worker(error) from None
    assert raised.value.__context__ and made[0]() is None


REPLICAS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
from balanced_gan import Settings
from balanced_gan.data.batches import batches
from balanced_gan.model import build, workers
from balanced_gan.output.kinds import Images

class Note(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print(*(float(logs[key]) for key in ("turn_G", "loss_G", "loss_D")))

settings = Settings(image_size=32, width=4, latent_dim=8, batch_size=8, precision="float32",
                    max_images=20)
samples, _ = Images(settings).load()
for count in 1, 2:
    if count > 1:
        mirrored = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])
        workers.strategy = lambda: mirrored
    gan = build.build_gan(settings)
    data = gan.distribute_strategy.distribute_datasets_from_function(
        lambda replicas: batches(samples, 8, 0, True, 0, replicas))
    gan.fit(data, steps_per_epoch=30, verbose=0, callbacks=[Note()])
"""


def test_two_devices_train_as_one_does(workplace):
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = np.array([line.split() for line in done.stdout.splitlines()], float)
    np.testing.assert_allclose(*rows.reshape(2, 30, 3), rtol=1e-3)
