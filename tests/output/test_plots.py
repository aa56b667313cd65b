import io

import numpy as np
import pytest
from PIL import Image

from balanced_gan.output.plots import even_parts, losses_png, numbers_of, points_png


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("rows", [1, 2, 5000])
def test_losses_of_short_and_long_runs(rows):
    history = [
        {
            "step": f"{n}",
            "seconds": f"{n}.00",
            "loss_G": f"0.7{n % 7}",
            "loss_D": f"0.6{n % 5}",
            "gap": "0.1",
            "turn_G": f"{n % 2}",
            "turn_D": f"{1 - n % 2}",
        }
        for n in range(1, rows + 1)
    ]
    first = losses_png(history, margin=0.5)
    assert pixels(first).shape == (700, 800, 3)
    assert first == losses_png(history, margin=0.5)  # the same run gives the same file
    assert not np.array_equal(pixels(first), pixels(losses_png(history, margin=0.1)))


def test_numbers_of_rows():
    row = {"step": "7", "seconds": "1.50", "loss_G": "0.8", "loss_D": "0.6", "gap": "0.2"}
    found = numbers_of(
        [{**row, "turn_G": "3", "turn_D": "1"}, {**row, "turn_G": "0", "turn_D": "1"}]
    )
    np.testing.assert_allclose(found, [[7, 1.5, 0.8, 0.6, 0.2, 0.75], [7, 1.5, 0.8, 0.6, 0.2, 0]])


def test_no_rows_no_plot():
    assert losses_png([], 0.5) is None


def test_points_are_drawn_where_they_lie():
    none = pixels(points_png(np.zeros((0, 2))))

    def rows_changed(point):
        changed = (pixels(points_png(np.array([point]))) != none).any(axis=2)
        return np.flatnonzero(changed.any(axis=1))

    height = len(none)
    assert rows_changed((3.0, 1.5)).max() < height / 2 < rows_changed((3.0, -1.5)).min()
    assert rows_changed((3.0, 5.0)).size == 0  # the axes are the same for any points


@pytest.mark.parametrize("count", [1, 2, 3, 121, 4001, 10_000])
def test_turns_that_alternate_are_a_flat_line_at_one_half(count):
    turns = np.arange(1.0, count + 1) % 2
    parts = even_parts(turns, 60)
    assert [part.mean() for part in parts] == [0.5 if count > 1 else 1.0] * len(parts)
    assert len(parts) <= 60
    assert sum(map(len, parts)) == (count - count % 2 or 1)
