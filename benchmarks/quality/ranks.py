"""Do the program's own figures rank runs as the perceptual metric does?

    python -m benchmarks.quality.ranks

Reads ablations.csv: KID in the features of EfficientNet-Lite0 (perceptual.py) against `mmd`, by
which the program picks the best moment of a run, and `swd`, by which it picked before. Spearman's
rank correlation, 1 for the same order; of all rows, and within each kind of pictures.
"""

import csv

import numpy as np

from benchmarks.shared import RESULTS, publish, table

TABLE = RESULTS / "ablations.csv"


def rank_correlation(one, other):
    """Spearman's, of two sequences without equal values."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


def main():
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["mmd"]]
    cells = []
    for name in ["all", *sorted({row["kind"] for row in rows})]:
        some = [row for row in rows if name in ("all", row["kind"])]
        columns = {key: [float(row[key]) for row in some] for key in ("kid", "mmd", "swd")}
        found = (rank_correlation(columns["kid"], columns[key]) for key in ("mmd", "swd"))
        cells.append([name, len(some), *(f"{value:.2f}" for value in found)])
    publish(
        "Do the program's own figures rank as the perceptual one does?",
        "Spearman's rank correlation with KID over the rows of ablations.csv that have all three.",
        table("pictures | rows | mmd | swd", cells),
    )


if __name__ == "__main__":
    main()
