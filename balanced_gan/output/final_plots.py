"""What is drawn when training ends: the plot of losses and the animation of the grids."""

from balanced_gan.files import atomic_write
from balanced_gan.output.plots import losses_png
from balanced_gan.output.video import animate_grids
from balanced_gan.runs.run import Run


def write_final_plots(run: Run, animated: bool = True) -> None:
    """Writes losses.png, animation.gif and animation.mp4 into a run's folder.

    Args:
        animated: whether to write the animation, which takes ten seconds after a long run.
    """
    plot = losses_png(run.history_rows(), run.settings().margin)
    if plot:
        atomic_write(run.path / "losses.png", plot)
    if animated and run.final_grid.exists():
        gif, mp4 = animate_grids([*run.grid_files(), run.final_grid])
        atomic_write(run.path / "animation.gif", gif)
        atomic_write(run.path / "animation.mp4", mp4)
