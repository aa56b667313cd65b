import numpy as np
import pytest
from conftest import TINY

from balanced_gan.output.images import encode_png
from balanced_gan.runs.run import Run
from balanced_gan.training.changes import fingerprint, what_changed


def test_pictures_that_changed_are_said_and_recorded(train_py, workplace, faces):
    folder = workplace / "faces"
    folder.mkdir()

    def put(number, picture):
        (folder / f"{number:02}.png").write_bytes(encode_png(picture))

    for number in range(10):
        put(number, faces[number])
    train = ["--path", folder, *TINY, "--steps"]
    said = []
    assert train_py(*train, 1)[0] == 0
    put(10, faces[10])
    for steps, change in enumerate(
        [lambda: None, lambda: put(0, faces[15]), lambda: (folder / "10.png").unlink()], start=2
    ):
        change()
        code, out, err = train_py(*train, steps)
        assert code == 0 and "continued" in out
        said += [line for line in err.splitlines() if "last time" in line]
    expected = [
        "1 more picture than last time",
        "some pictures are not the same as last time",
        "1 fewer picture than last time",
    ]
    assert said == [f"Note: {text}." for text in expected]
    events = Run(workplace / "runs/001-faces").events()
    assert [(row["step"], row["text"]) for row in events] == list(zip("123", expected, strict=True))
    code, _, err = train_py(*train, 5)
    assert code == 0 and "last time" not in err


@pytest.mark.parametrize("count", [1, 2500])
def test_fingerprint_depends_on_every_sample(count):
    samples = np.random.default_rng(0).integers(0, 255, (count, 2, 2, 3), np.uint8)
    before = fingerprint(samples)
    assert before["samples"] == count
    assert what_changed(before, fingerprint(samples.copy())) is None
    samples[-1, 0, 0, 0] += 1
    assert "not the same" in what_changed(before, fingerprint(samples))


def test_a_session_of_a_former_version_says_nothing():
    assert what_changed({"began": "2026"}, {"samples": 3, "samples_crc32": 1}) is None
