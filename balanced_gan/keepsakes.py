"""What one looks at after training: the plot of losses and the grids as a moving picture."""

from balanced_gan import animation
from balanced_gan.files import write_whole
from balanced_gan.plots import losses_png


def write_keepsakes(run, animated=True):
    """Writes losses.png, animation.gif and animation.mp4 into a run's folder.

    Args:
        run: a `Run`.
        animated: whether the animation too, which takes ten seconds after a long run.
    """
    plot = losses_png(run.history_rows(), run.settings().margin)
    if plot:
        write_whole(run.path / "losses.png", plot)
    frames = [*run.grid_files(), run.final_sheet]
    if animated and run.final_sheet.exists():
        for suffix, data in zip(("gif", "mp4"), animation.of_grids(frames), strict=True):
            write_whole(run.path / f"animation.{suffix}", data)
