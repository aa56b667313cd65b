from pathlib import Path

import pytest

from balanced_gan import Settings, memory
from balanced_gan.settings import preset_values
from balanced_gan.training.memory_needed import mebibytes_needed, refuse_too_large


# MiB, as measured by benchmarks/speed/memory.py.
@pytest.mark.parametrize(
    "job, measured",
    [
        ({}, 994),
        ({"batch_size": 128}, 1695),
        ({"width": 256}, 2481),
        ({"width": 256, "batch_size": 64}, 3139),
        ({"image_size": 256, "batch_size": 16}, 1717),
        (preset_values("original"), 2460),
    ],
)
def test_the_estimate_is_within_a_quarter(job, measured):
    settings = Settings(**job | {"precision": "float32"})
    estimated = mebibytes_needed(settings, settings.batch_size)
    assert estimated == pytest.approx(measured, rel=0.25)


def test_what_cannot_fit_is_refused_with_what_helps(train_py, monkeypatch):
    refuse_too_large(Settings(image_size=32, width=4), 8)
    monkeypatch.setattr(memory, "limit", lambda: 700 * 2**20)
    code, _, err = train_py("--image_size", 32, "--width", 4, "--steps", 1)
    assert code == 1 and "only 0.7 GiB is" in err and "size of 8" in err and "--width" in err
    assert not Path("runs").exists()  # an empty run would be the newest, and `generate` take it


def test_the_limit_is_the_smallest_of_all(monkeypatch, tmp_path):
    total = memory.limit()
    assert total > 2**28
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    own = tmp_path / "own"
    monkeypatch.setattr(memory, "_OWN_GROUPS", own)
    container = tmp_path / "memory.max"
    container.write_text(f"{2**27}\n")
    assert memory.limit() == 2**27
    container.write_text("max\n")
    assert memory.limit() >= total
    # Slurm and systemd limit a group below the root, of the second or the first version.
    for line, file in (
        ("0::/slurm/job_7/step_0", "slurm/job_7/memory.max"),
        ("4:cpu,memory:/job_7/task", "memory/job_7/memory.limit_in_bytes"),
    ):
        own.write_text(f"1:name=systemd:/else\n{line}\n")
        limit = tmp_path / file
        limit.parent.mkdir(parents=True)
        limit.write_text(f"{2**26}\n")
        assert memory.limit() == 2**26
        limit.unlink()
