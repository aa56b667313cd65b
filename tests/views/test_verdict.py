import pytest

from balanced_gan.terminal import program
from balanced_gan.views.verdict import Standing, state, verdict

USE_BEST = f"`{program()} --TYPE generate --run 003-faces --best`"
KEPT = f"the best networks are kept, and {USE_BEST} uses them."


def standing(**changes):
    """A run in training for an hour, with 12 minutes to go, which has not been measured."""
    known = dict(ended=False, minutes=60, left=12, every=5, measured=(), notes=0)
    return Standing(name="003-faces", **known | changes)


def measured(*distances):
    """Evaluations every ten minutes."""
    return [(10 * number, distance) for number, distance in enumerate(distances, 1)]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"minutes": 3}, "Too early to say: the first measurement comes after 5 minutes."),
        ({"measured": []}, "The pictures have not been measured yet."),
        ({"every": 0}, "The pictures of this run are not measured."),
        (
            {"measured": measured(3)},
            "Too early to say: the second measurement will show whether the pictures improve.",
        ),
        (
            {"measured": measured(6, 5, 4, 3, 2, 1)},
            "Still improving: the best pictures yet were measured just now.",
        ),
        (
            {"measured": measured(6, 5, 1, 1.2, 1.1, 1.3)},
            "Still improving: the best pictures yet were measured 30 minutes ago.",
        ),
        ({"measured": measured(6, 1, 1.2, 1.2, 1.1, 1.3)}, f"No better since minute 20; {KEPT}"),
        (
            {"measured": measured(6, 5, 4, 3, 1, 2)},
            "Worse than at minute 50: the pictures are 2.0 times as far from the training pictures "
            f"as then; {KEPT}",
        ),
        (  # after a crash, training went back to before the best
            {"measured": [*measured(6, 5, 4), (70, 1), (59, 1.2)]},
            "Still improving: the best pictures yet were measured at minute 70.",
        ),
        # The distance of equal pictures may be just below 0.
        (
            {"measured": measured(6, 5, 4, 3, -0.1, 2)},
            "Still improving: the best pictures yet were measured 10 minutes ago.",
        ),
    ],
)
def test_a_run_in_training(changes, expected):
    assert verdict(standing(**changes)) == f"{expected} About 12 minutes to go."
    assert state(standing(**changes)) == "Training"


@pytest.mark.parametrize(
    "changes, expected",
    [
        (
            {"measured": measured(3, 2, 1)},
            "Trained for 60 minutes. The last pictures are the best measured.",
        ),
        (
            {"measured": measured(3, 1, 2)},
            "Trained for 60 minutes. The pictures of minute 20 are the best measured; "
            f"{USE_BEST} uses them.",
        ),
        (
            {"minutes": 300},
            f"Trained for 5.0 hours. `{program()} --TYPE evaluate --run 003-faces` measures it.",
        ),
    ],
)
def test_a_run_that_has_ended(changes, expected):
    ended = standing(ended=True, left=0.0, **changes)
    assert verdict(ended) == expected and state(ended) == "Finished"
    stopped = ended._replace(left=12)
    assert "; the same command continues it. " in verdict(stopped) and state(stopped) == "Stopped"


@pytest.mark.parametrize(
    "left, expected",
    [
        (None, ""),
        (0.2, "About 1 minute to go."),
        (89, "About 89 minutes to go."),
        (150, "About 2.5 hours to go."),
    ],
)
def test_the_time_to_go(left, expected):
    assert verdict(standing(every=0, left=left)).removeprefix(
        "The pictures of this run are not measured."
    ).strip() == (expected)


def test_notes_are_pointed_to():
    assert verdict(standing(notes=1)).endswith(" See the note below.")
    assert verdict(standing(notes=2)).endswith(" See the 2 notes below.")
