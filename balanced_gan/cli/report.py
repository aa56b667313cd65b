"""--TYPE report: a run's report page, or several runs side by side."""

import click

from balanced_gan.cli.options import cli_command, option, run_option
from balanced_gan.runs.registry import RUNS, find_run


@cli_command("report")
@run_option("Show a run")
@option(
    "--compare", multiple=True, help="Another run to show beside it; may be given several times."
)
def command(run_name, compare):
    """Rewrite a run's report.html, plot and animation, or write a page that compares runs."""
    from balanced_gan.output.final_plots import write_final_plots
    from balanced_gan.views.report import write_comparison, write_report

    runs = [find_run(name) for name in (run_name, *compare)]
    if len(runs) == 1:
        try:
            write_final_plots(runs[0])
        except OSError as error:
            click.echo(f"Note:     no new plot or animation: {error.strerror or error}")
        click.echo(f"Look at:  {write_report(runs[0])}")
        return
    file = RUNS / "comparison.html"
    RUNS.mkdir(exist_ok=True)
    write_comparison(runs, file)
    click.echo(f"Compared: {', '.join(run.name for run in runs)}")
    click.echo(f"Look at:  {file}")
