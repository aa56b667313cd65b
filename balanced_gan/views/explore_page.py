"""The explorer's page: sliders, gallery and animation, built with Gradio.

It is served to this machine only. Every picture on it follows from the page alone: two seeds, how
they are mixed, truncation, and six directions.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from balanced_gan.output.images import resized_rgb
from balanced_gan.output.sampling import free_folder
from balanced_gan.output.video import interpolate_files
from balanced_gan.views.explorer import DIRECTIONS, Explorer

_SHOWN_SIDE = 384  # pixels on the page
_BUTTONS: Any = ["fullscreen", "download"]  # but not "share", which publishes the picture
# Gradio leaves `alt` empty, and in the gallery and the footer it repeats the text beside the
# picture. It draws pictures again when they change, so each change of the page is followed.
_ALTERNATIVES = """() => {
  const texts = {
    "#picture img": "Generated picture",
    "#nearest img": "Nearest training picture",
    "#gallery img, footer img": "",
  };
  const write = () => {
    for (const [place, text] of Object.entries(texts))
      for (const image of document.querySelectorAll(place))
        if (image.alt !== text) image.alt = text;
  };
  const changes = {childList: true, subtree: true, attributeFilter: ["alt"]};
  new MutationObserver(write).observe(document.body, changes);
  write();
}"""
_VIDEO = {"frames_between": 50, "frames_per_second": 25, "video_side": 256}


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarges a picture to the size shown on the page, in RGB."""
    return resized_rgb(picture[None], _SHOWN_SIDE)[0]


def build_page(explorer: Explorer, title: str, folder: Path) -> gr.Blocks:
    """Builds the page, for `serve`; saved pictures and animations go into `folder`."""

    def save(*values: Any) -> str:
        return f"Saved {explorer.save(explorer.latent(*values), folder)} and its latent."

    with gr.Blocks(title=title, analytics_enabled=False) as page:
        gr.Markdown(f"# {title}")
        with gr.Row():
            with gr.Column():
                seen = _picture_column()
            with gr.Column():
                values = _slider_column()
            with gr.Column():
                first_seed, gallery = _gallery_column()
        with gr.Row():
            keep = gr.Button("Save picture and latent", elem_id="save")
            begin = gr.Button("Remember as start")
            finish = gr.Button("Remember as end")
            play = gr.Button("Animate from start to end")
        said = gr.Markdown(elem_id="said")
        video = gr.Video(
            label="From start to end and back",
            elem_id="video",
            autoplay=True,
            loop=True,
            height=_SHOWN_SIDE,
            buttons=["download"],
            visible=False,  # until there is something to see
        )
        page.load(js=_ALTERNATIVES)
        _connect_sliders(explorer, page, values, seen)
        _connect_gallery(explorer, page, first_seed, gallery, seed=values[0])
        keep.click(save, values, said)
        _connect_animation(explorer, folder, (begin, finish, play), values, said, video)
    return page


# The parts of the page; Gradio's components are untyped.


def _picture_column() -> list[Any]:
    """The picture, its nearest training picture, and the discriminator's confidence."""
    picture = gr.Image(label="Generated", elem_id="picture", interactive=False, buttons=_BUTTONS)
    confidence = gr.Markdown(elem_id="confidence")
    nearest = gr.Image(
        label="Nearest training picture",
        elem_id="nearest",
        interactive=False,
        height=200,
        buttons=_BUTTONS,
    )
    return [picture, nearest, confidence]


def _slider_column() -> list[Any]:
    """Two seeds, how they are mixed, truncation, and the directions."""
    seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed")
    other = gr.Number(1, label="Mix with seed", precision=0, minimum=0)
    mix = gr.Slider(0, 1, 0, step=0.01, label="Share of the other seed", elem_id="mix")
    truncation = gr.Slider(0.1, 2, 1, step=0.05, label="Truncation: lower is more ordinary")
    amounts = [
        gr.Slider(-4, 4, 0, step=0.1, label=f"Direction {n}", elem_id=f"direction-{n}")
        for n in range(1, DIRECTIONS + 1)
    ]
    return [seed, other, mix, truncation, *amounts]


def _gallery_column() -> tuple[Any, Any]:
    """The gallery's first seed, and the gallery."""
    first_seed = gr.Number(0, label="Gallery from seed", precision=0, minimum=0)
    gallery = gr.Gallery(
        columns=3,
        height=620,
        allow_preview=False,
        label="Choose one",
        elem_id="gallery",
        buttons=[],
    )
    return first_seed, gallery


def _connect_sliders(explorer: Explorer, page: Any, values: list[Any], seen: list[Any]) -> None:
    """Each change of a value shows another picture."""

    def show(*values: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, str]:
        sight = explorer.see(explorer.latent(*values))
        return (
            enlarged(sight.picture),
            None if sight.nearest is None else enlarged(sight.nearest),
            f"The discriminator's confidence that this is real: {sight.confidence:.0%}.",
        )

    seed, other, *sliders = values
    for slider in sliders:
        slider.input(show, values, seen, show_progress="hidden", trigger_mode="always_last")
    for number in (seed, other):
        number.change(show, values, seen, show_progress="hidden")
    page.load(show, values, seen)


def _connect_gallery(
    explorer: Explorer, page: Any, first_seed: Any, gallery: Any, seed: Any
) -> None:
    """A click on a picture of the gallery chooses its seed."""

    def pictures_from(first: int | None) -> list[tuple[NDArray[np.uint8], str]]:
        first = first or 0  # None: a cleared field
        pictures = map(enlarged, explorer.gallery(first))
        return [(picture, f"seed {number}") for number, picture in enumerate(pictures, first)]

    def chosen(first: int | None, event: gr.SelectData) -> int:
        return (first or 0) + event.index

    page.load(pictures_from, first_seed, gallery)
    first_seed.change(pictures_from, first_seed, gallery)
    gallery.select(chosen, first_seed, seed)


def _connect_animation(
    explorer: Explorer,
    folder: Path,
    buttons: tuple[Any, Any, Any],
    values: list[Any],
    said: Any,
    video: Any,
) -> None:
    """Two buttons remember the latents between which the third one animates."""

    def remember(name: str, *values: Any) -> tuple[list[float], str]:
        return explorer.latent(*values).tolist(), f"{name} remembered."

    def unfold(start: list[float] | None, end: list[float] | None) -> Any:
        if start is None or end is None:
            raise gr.Error("Remember a start and an end first.")
        return gr.Video(visible=True)

    def animate(start: list[float], end: list[float]) -> str:
        ends = np.array([start, end], np.float32)
        out = free_folder(folder / "animation", may_be_empty=False)
        files = interpolate_files(explorer.generator, out, ends, explorer.prior, **_VIDEO)
        # Gradio serves files from its own cache and from the folder of temporary ones.
        return shutil.copy(files[0], tempfile.mkdtemp())

    start, end = gr.State(None), gr.State(None)
    begin, finish, play = buttons
    begin.click(partial(remember, "Start"), values, [start, said])
    finish.click(partial(remember, "End"), values, [end, said])
    play.click(unfold, [start, end], video).success(animate, [start, end], video)


def serve(page: gr.Blocks, open_browser: bool, say: Callable[[str], object]) -> None:
    """Serves a page to this machine until Ctrl-C, after calling `say` with its address."""
    # Gradio asks its own server for a page, and must not ask a proxy for it.
    for name in ("no_proxy", "NO_PROXY"):
        others = os.environ.get(name)
        os.environ[name] = f"{others},127.0.0.1" if others else "127.0.0.1"
    # Gradio's own grey for labels, neutral_400, is too pale to read on white.
    theme = gr.themes.Default().set(body_text_color_subdued="*neutral_500")
    _, address, _ = page.launch(
        theme=theme,
        server_name="127.0.0.1",
        share=False,
        inbrowser=open_browser,
        quiet=True,
        prevent_thread_lock=True,
    )
    say(address)
    try:
        page.block_thread()
    finally:
        page.close()
