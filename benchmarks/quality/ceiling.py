"""What would a generator that had learned its training pictures perfectly get?

    python -m benchmarks.quality.ceiling

The benchmarks compare generated pictures with a fifth that is held out. Here the training pictures
take the place of the generated ones, as many of them. The held-out fifth is small, so its diversity
depends on which fifth it is; the last column shows all five choices. The benchmarks hold out the
last.
"""

import click
import numpy as np

from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.evaluate import SAMPLES
from benchmarks.quality import perceptual
from benchmarks.quality.ablations import kinds
from benchmarks.shared import data_option, publish, table


@click.command()
@data_option
def main(data):
    features = perceptual.load_features()
    rows = []
    for kind, pictures in kinds(data).items():
        found = features(np.asarray(pictures()))
        fifth = np.arange(len(found)) % 5
        training = np.random.default_rng(0).permutation(found[fifth != 4])
        figures = perceptual.measure(training[:SAMPLES], found[fifth == 4])
        diversities = [
            metrics.diversity(found[fifth != number]) / metrics.diversity(found[fifth == number])
            for number in range(5)
        ]
        of_each = ", ".join(f"{value:.2f}" for value in diversities)
        rows.append([kind, *(f"{value:.3f}" for value in figures.values()), of_each])
    publish(
        "The training pictures themselves",
        f"At most {SAMPLES} of the 80 % to train on against the 20 % held out, in the features of "
        "EfficientNet-Lite0: what a generator that had learned them perfectly would get.",
        table(
            "pictures | KID | precision | recall | coverage | diversity | "
            "diversity with each fifth held out",
            rows,
        ),
    )


if __name__ == "__main__":
    main()
