import numpy as np

from balanced_gan.views.charts import draw_charts


def alternating(count):
    """The history of a run whose networks train in turn, from `numbers_of`."""
    steps = np.arange(1.0, count + 1)
    turns = steps % 2
    return np.stack([steps, steps, turns, 1 - turns, 2 * turns - 1, turns], axis=1)


def test_charts_are_described_in_words(tiny_run):
    charts = draw_charts([tiny_run], [alternating(4001)])
    assert [chart.title.split()[0] for chart in charts] == ["Losses", "Gap:", "The"]
    assert charts[2].description.endswith("(%): generator from 50 to 50.")


def test_a_run_of_one_batch_has_no_charts_yet(tiny_run):
    assert draw_charts([tiny_run], [alternating(1)]) == []
