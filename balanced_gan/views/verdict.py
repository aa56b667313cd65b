"""Says briefly whether a run is going well."""

from collections.abc import Sequence
from typing import NamedTuple

from balanced_gan.terminal import program

_PATIENCE = 4  # evaluations: good runs had three in a row that were not the best
_WORSE = 1.5  # times the best distance; two evaluations of equal pictures differ by a sixth


class Standing(NamedTuple):
    """What is known of a run when its page is written."""

    name: str  # of the run
    ended: bool  # whether its last session has ended
    minutes: float  # of training until now
    left: float | None  # minutes to the end of its budget; None if unknown
    every: float  # minutes between evaluations; 0 if there are none
    measured: Sequence[tuple[float, float]]  # (minutes, mmd) of each evaluation, oldest first
    notes: int  # rows of events.csv


def verdict(standing: Standing) -> str:
    """Judges a run in one to three sentences; commands are enclosed in backticks."""
    sentences = [_end(standing) if standing.ended else _trend(standing)]
    if not standing.ended and standing.left is not None:
        sentences.append(f"About {_duration(standing.left)} to go.")
    if standing.notes:
        notes = "note" if standing.notes == 1 else f"{standing.notes} notes"
        sentences.append(f"See the {notes} below.")
    return " ".join(sentences)


def state(standing: Standing) -> str:
    """Whether a run is in training, in one word: Training, Finished, or Stopped before its end."""
    if not standing.ended:
        return "Training"
    return "Stopped" if standing.left is not None and standing.left > 0.1 else "Finished"


def _trend(standing: Standing) -> str:
    """How the pictures of a run in training develop."""
    if not standing.every:
        return "The pictures of this run are not measured."
    if not standing.measured:
        if standing.minutes > 2 * standing.every:
            return "The pictures have not been measured yet."
        return f"Too early to say: the first measurement comes after {_duration(standing.every)}."
    if len(standing.measured) == 1:
        return "Too early to say: the second measurement will show whether the pictures improve."
    minute, least = min(standing.measured, key=lambda row: row[1])
    newest = standing.measured[-1][1]
    kept = f"the best networks are kept, and `{_use_best(standing.name)}` uses them."
    if newest > _WORSE * least > 0:
        return (
            f"Worse than at minute {minute:,.0f}: the pictures are {newest / least:.1f} times as "
            f"far from the training pictures as then; {kept}"
        )
    if any(least == distance for _, distance in standing.measured[-_PATIENCE:]):
        ago = standing.minutes - minute
        when = f"{_duration(ago)} ago" if ago >= 1 else "just now"
        if ago < 0:  # training went back to a checkpoint after a crash
            when = f"at minute {minute:,.0f}"
        return f"Still improving: the best pictures yet were measured {when}."
    return f"No better since minute {minute:,.0f}; {kept}"


def _end(standing: Standing) -> str:
    """How a run ended."""
    end = f"Trained for {_duration(standing.minutes)}"
    if state(standing) == "Stopped":
        end += "; the same command continues it"
    if not standing.measured:
        return f"{end}. `{program()} --TYPE evaluate --run {standing.name}` measures it."
    minute, least = min(standing.measured, key=lambda row: row[1])
    if standing.measured[-1][1] == least:
        return f"{end}. The last pictures are the best measured."
    return (
        f"{end}. The pictures of minute {minute:,.0f} are the best measured; "
        f"`{_use_best(standing.name)}` uses them."
    )


def _use_best(name: str) -> str:
    return f"{program()} --TYPE generate --run {name} --best"


def _duration(minutes: float) -> str:
    """A time in words: whole minutes below an hour and a half, then hours."""
    if minutes >= 90:
        return f"{minutes / 60:.1f} hours"
    whole = max(1, round(minutes))
    return f"{whole} minute{'' if whole == 1 else 's'}"
