import pytest

from balanced_gan import Settings, memory
from balanced_gan.model.build import build_gan
from balanced_gan.training.memory_needed import mebibytes_needed, refuse_too_large


def needed(batch_size=8, **changes):
    return mebibytes_needed(build_gan(Settings(precision="float32", **changes)), batch_size)


def test_more_of_anything_needs_more():
    default = needed()
    # As measured by benchmarks/speed/memory.py, within a quarter.
    assert default == pytest.approx(957, rel=0.25)
    assert needed(128) == pytest.approx(1700, rel=0.25)
    assert needed(width=256) == pytest.approx(2593, rel=0.25)


def test_what_cannot_fit_is_refused_with_what_helps(train_py, monkeypatch):
    gan = build_gan(Settings(image_size=32, width=4, precision="float32"))
    refuse_too_large(gan, 8)
    monkeypatch.setattr(memory, "limit", lambda: 700 * 2**20)
    code, _, err = train_py("--image_size", 32, "--width", 4, "--steps", 1)
    assert code == 1 and "there are 0.7" in err and "--batch_size 8" in err and "--width" in err


def test_the_limit_is_the_smallest_of_all(monkeypatch, tmp_path):
    total = memory.limit()
    assert total > 2**28
    container = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_OF_CONTAINERS", (str(container), str(tmp_path / "none")))
    container.write_text(f"{2**27}\n")
    assert memory.limit() == 2**27
    container.write_text("max\n")
    assert memory.limit() >= total
