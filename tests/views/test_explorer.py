import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from balanced_gan import build_discriminator, build_generator
from balanced_gan.output.sampling import Sampler, latents_of
from balanced_gan.views.explorer import DIRECTIONS, Explorer, principal_directions


@pytest.fixture(scope="module")
def generator():
    import keras

    keras.utils.set_random_seed(1)
    return build_generator(32, latent_dim=8, width=4)


@pytest.fixture(scope="module")
def explorer(generator, faces):
    return Explorer(Sampler(generator, build_discriminator(32, width=4)), faces)


@pytest.fixture
def explore_page():
    """The module of that name."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    from balanced_gan.views import explore_page

    return explore_page


@pytest.fixture
def functions(explore_page, explorer, tmp_path):
    """Those that the page of `explorer` calls, by name."""
    page = explore_page.build_page(explorer, "A run", tmp_path)
    return {each.name: each.fn for each in page.fns.values()}


def test_directions_are_where_the_features_vary_most(generator):
    import keras

    latents = latents_of(range(300), 8)
    directions = principal_directions(generator, latents, 3)
    assert directions.shape == (3, 8)
    relu = next(layer for layer in generator.layers if isinstance(layer, keras.layers.ReLU))
    features = keras.Model(generator.input, relu.output)

    def moved(direction):
        unit = direction / np.linalg.norm(direction)
        return np.abs(features(latents + unit).numpy() - features(latents).numpy()).mean()

    random = np.random.default_rng(0).standard_normal((20, 8)).astype("float32")
    assert moved(directions[0]) > np.median([moved(one) for one in random])


def test_what_the_page_says_decides_the_latent(explorer):
    first, other = latents_of([3, 9], 8)
    np.testing.assert_array_equal(explorer.latent(3), first)
    for nearly in (0.996, 1.0):
        np.testing.assert_allclose(explorer.latent(3, 9, mix=nearly), other)
    np.testing.assert_allclose(explorer.latent(3, truncation=0.5), first / 2, rtol=1e-6)
    moved = explorer.latent(3, 0, 0.0, 1.0, 0, 2.0)
    np.testing.assert_allclose(moved, first + 2 * explorer.directions[1], rtol=1e-5)
    half = explorer.latent(3, 9, mix=0.5)
    assert 0 < np.linalg.norm(half - first) < np.linalg.norm(other - first)


def test_seeing_a_latent(explorer, faces):
    sight = explorer.see(explorer.latent(3))
    assert sight.picture.shape == (32, 32, 3) and sight.picture.dtype == np.uint8
    assert 0 <= sight.confidence <= 1
    assert sight.nearest.tobytes() in {face.tobytes() for face in faces}
    np.testing.assert_allclose(explorer.gallery(3)[0].astype(int), sight.picture, atol=1)


def test_grey_pictures_without_their_training_pictures():
    networks = build_generator(32, 1, latent_dim=8, width=4), build_discriminator(32, 1, width=4)
    sight = Explorer(Sampler(*networks, "uniform"), None).see(latents_of([1], 8)[0])
    assert sight.nearest is None and sight.picture.shape == (32, 32, 1)


def test_grey_pictures_are_enlarged_in_three_channels(explore_page):
    assert explore_page.enlarged(np.zeros((32, 32, 1), np.uint8)).shape == (384, 384, 3)


def test_the_page_needs_no_proxy_to_this_machine(explore_page, monkeypatch):
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.delenv("NO_PROXY", raising=False)

    def launch(**_):
        assert os.environ["no_proxy"] == "example.org,127.0.0.1"
        assert os.environ["NO_PROXY"] in ("127.0.0.1", os.environ["no_proxy"])  # one on Windows
        return None, "http://127.0.0.1:7860", None

    said = []
    page = SimpleNamespace(launch=launch, block_thread=lambda: None, close=lambda: None)
    explore_page.serve(page, False, said.append)
    assert said == ["http://127.0.0.1:7860"]


def test_saving_writes_picture_and_latent(explorer, tmp_path):
    latent = explorer.latent(5)
    files = [explorer.save(latent, tmp_path) for _ in range(2)]
    assert [file.name for file in files] == ["picture-001.png", "picture-002.png"]
    stored = np.loadtxt(files[0].with_suffix(".csv"), delimiter=",")
    np.testing.assert_allclose(stored, latent, rtol=1e-5)


def test_a_cleared_seed_is_zero(functions):
    rest = 0, 1, *DIRECTIONS * [0]
    pictures = [functions["show"](*seeds, *rest)[0] for seeds in ((None, None), (0, 0))]
    np.testing.assert_array_equal(*pictures)
    assert functions["pictures_from"](None)[2][1] == "seed 2"
    assert functions["chosen"](None, SimpleNamespace(index=5)) == 5


def test_gradio_can_serve_the_videos_wherever_they_are_written(functions, explorer, tmp_path):
    ends = explorer.latent(1).tolist(), explorer.latent(2).tolist()
    served = Path(functions["animate"](*ends))
    (written,) = tmp_path.rglob(served.name)
    assert served.read_bytes() == written.read_bytes()
    assert served.parent.parent == Path(tempfile.gettempdir())


def test_points_and_a_missing_package_are_one_sentence(
    train_py, points_run, trained_once, workplace, monkeypatch
):
    code, _, err = train_py("--TYPE", "explore")
    assert code == 1 and "only pictures can be explored" in err
    shutil.copytree(trained_once, workplace / "runs", dirs_exist_ok=True)
    (workplace / "runs" / "001-drawn-faces").rename(workplace / "runs" / "002-drawn-faces")
    monkeypatch.setattr("balanced_gan.terminal.find_spec", lambda name: None)
    code, _, err = train_py("--TYPE", "explore")
    assert code == 1 and "pip install" in err and "gradio" in err
