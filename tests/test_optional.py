"""Options of packages that the main job does not need."""

import pytest
from conftest import PROJECT, TINY


def test_preview_and_tensorboard(train_py, workplace):
    for package in ("rich_pixels", "tensorboard"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    options = ["--steps", 2, "--grid_side", 2, "--preview", "--tensorboard"]
    code, _, err = train_py(*TINY, *options)
    assert code == 0
    assert (
        err.count("▀") + err.count("▄") >= 2 * 40 * 20
    )  # the grid before training and the last one
    assert list((workplace / "runs/001-drawn-faces/tensorboard").rglob("events.out.*"))


@pytest.mark.parametrize("option, package", [("preview", "rich-pixels"), ("tensorboard", "tensor")])
def test_what_is_not_installed_is_said_before_anything_is_made(
    train_py, workplace, monkeypatch, option, package
):
    monkeypatch.setattr("balanced_gan.terminal.find_spec", lambda name: None)
    code, _, err = train_py(*TINY, f"--{option}")
    assert code == 1 and f"--{option} needs" in err and f"pip install {package}" in err
    assert list(workplace.iterdir()) == []


def test_the_progress_line_of_a_notebook(workplace):
    for package in ("nbclient", "ipykernel", "ipywidgets"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    from nbclient import NotebookClient
    from nbformat import v4

    words = [str(PROJECT / "train.py"), *map(str, TINY), "--steps", "2"]
    code = f"import sys\nsys.argv = {words}\nfrom balanced_gan.cli import main\nmain()"
    notebook = v4.new_notebook(cells=[v4.new_code_cell(code)])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute(cwd=str(workplace))
    widgets = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    texts = [str(widget["state"].get("value")) for widget in widgets.values()]
    assert any("gap" in text and "pictures/s" in text for text in texts)
    assert (workplace / "runs" / "001-drawn-faces" / "final.png").exists()
