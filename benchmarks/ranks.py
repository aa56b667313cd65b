"""Do the program's own figures rank runs as the perceptual metric does?

    python benchmarks/ranks.py

Reads ablations.csv: KID in the features of EfficientNet-Lite0 (perceptual.py) against `mmd`, by
which the program picks the best moment of a run, and `swd`, by which it picked before. Spearman's
rank correlation, 1 for the same order; of all rows, and within each kind of pictures.
"""

import csv
from pathlib import Path

import checkout  # noqa: F401
import numpy as np
from report import publish, table

TABLE = Path(__file__).with_name("ablations.csv")


def rank_correlation(one, other):
    """Spearman's, of two sequences without equal values."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


def main():
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["mmd"]]
    kinds = sorted({row["kind"] for row in rows})
    cells = []
    for name, some in [
        ("all", rows),
        *((kind, [row for row in rows if row["kind"] == kind]) for kind in kinds),
    ]:
        columns = {key: [float(row[key]) for row in some] for key in ("kid", "mmd", "swd")}
        found = (rank_correlation(columns["kid"], columns[key]) for key in ("mmd", "swd"))
        cells.append([name, len(some), *(f"{value:.2f}" for value in found)])
    publish(
        "Do the program's own figures rank as the perceptual one does?",
        "Spearman's rank correlation with KID over the rows of ablations.csv that have all three.",
        table(["pictures", "rows", "mmd", "swd"], cells),
    )


if __name__ == "__main__":
    main()
