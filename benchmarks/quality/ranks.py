"""Do the program's own figures rank runs as the perceptual metric does, and as time does?

    python -m benchmarks.quality.ranks

Reads the rows of ablations.csv that have today's `mmd`, by which the program picks the best moment
of a run: against KID in the features of EfficientNet-Lite0 (perceptual.py), beside `swd`. First,
Spearman's rank correlation with KID, 1 for the same order; of all rows, and within each kind of
pictures. Then, without any of the three as the truth: of two moments of a run, does it find the
later one nearer to real pictures? Up to 12,800 pictures every run visibly improves.
"""

import csv
import itertools

import numpy as np

from benchmarks.shared import RESULTS, publish, table

TABLE = RESULTS / "ablations.csv"
FIGURES = ("kid", "mmd", "swd")
BETTER_UNTIL = 12_800  # pictures seen


def rank_correlation(one, other):
    """Spearman's, of two sequences without equal values."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


def moments_of_runs(rows):
    """Pairs of rows of one run, the earlier first, as far as its rows follow one another."""
    runs = itertools.groupby(rows, lambda row: (row["variant"], row["kind"], row["seed"]))
    for _, run in runs:
        for earlier, later in itertools.combinations(run, 2):
            if int(earlier["seen"]) < int(later["seen"]) <= BETTER_UNTIL:
                yield earlier, later


def main():
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["mmd"]]
    for row in rows:
        row |= {key: float(row[key]) for key in FIGURES}
    ranks, progress = [], []
    for name in ["all", *sorted({row["kind"] for row in rows})]:
        some = [row for row in rows if name in ("all", row["kind"])]
        columns = {key: [row[key] for row in some] for key in FIGURES}
        found = (rank_correlation(columns["kid"], columns[key]) for key in FIGURES[1:])
        ranks.append([name, len(some), *(f"{value:.2f}" for value in found)])
        pairs = list(moments_of_runs(some))
        seen = (np.mean([a[key] > b[key] for a, b in pairs]) for key in FIGURES)
        if pairs:
            progress.append([name, len(pairs), *(f"{value:.2f}" for value in seen)])
    publish(
        "Do the program's own figures rank as the perceptual one does?",
        "Spearman's rank correlation with KID over the rows of ablations.csv that have all three.",
        table("pictures | rows | mmd | swd", ranks),
        "Of pairs of moments of one run, up to 12,800 pictures seen, the share in which the figure "
        "finds the later moment nearer to real pictures, as the eye does.",
        table("pictures | pairs | KID | mmd | swd", progress),
    )


if __name__ == "__main__":
    main()
