import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import TINY
from PIL import Image

from balanced_gan import BalancedGAN, Settings, build_discriminator, build_generator
from balanced_gan.data.doubts import different
from balanced_gan.data.drawn_faces import draw_faces
from balanced_gan.evaluation import evaluate, metrics
from balanced_gan.output.images import encode_png
from balanced_gan.runs.registry import create_run
from balanced_gan.runs.run import Run
from balanced_gan.training import callbacks, monitors
from balanced_gan.training.clock import Budget


@pytest.fixture
def held_out(tmp_path):
    """A folder of 20 drawn faces that no training saw."""
    folder = tmp_path / "held out"
    folder.mkdir()
    for number, face in enumerate(draw_faces(32, 3, 40)[20:]):
        (folder / f"{number}.png").write_bytes(encode_png(face))
    (folder / "torn.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def no_download(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("something was fetched without being asked for")

    monkeypatch.setattr("keras.src.applications.inception_v3.file_utils.get_file", refuse)


def test_evaluate_from_the_command_line(train_py, tiny_run, held_out, no_download):
    code, out, _ = train_py("--TYPE", "evaluate", "--path", held_out)
    assert code == 0
    assert "20 held-out pictures" in out and "torn.png" in out
    assert "no FID or KID; --inception_weights download" in out
    run = tiny_run.path
    report = json.loads((run / "metrics.json").read_text())
    assert report["held_out"] == report["training"] == 20
    for name in (
        "mmd",
        "swd",
        "precision",
        "recall",
        "density",
        "coverage",
        "diversity",
        "memorised",
    ):
        assert f"\n{name} " in out
        assert np.isfinite(report["generated"][name]) and np.isfinite(report["real"][name])
    # Four epochs of a tiny network are no match for real pictures.
    assert report["generated"]["swd"] > 3 * report["real"]["swd"]
    assert Image.open(run / "nearest.png").size == (10 * 32, 4 * 32)
    # The same again, and without held-out pictures.
    assert train_py("--TYPE", "evaluate", "--path", held_out)[0] == 0
    again = json.loads((run / "metrics.json").read_text())
    assert again["generated"] == report["generated"]
    code, out, _ = train_py("--TYPE", "evaluate")
    assert code == 0 and "20 training pictures, which flatters" in out


def test_equal_pictures_are_compared_once(train_py, workplace):
    few = draw_faces(32, 3, 11)
    folder = workplace / "faces"
    folder.mkdir()
    for number, face in enumerate(np.concatenate([few, few, few])):
        (folder / f"{number}.png").write_bytes(encode_png(face))
    options = [*TINY[:-2], "--path", folder, "--epochs", 1, "--evaluate_every_minutes", 1e-9]
    assert train_py(*options)[0] == 0
    assert not (workplace / "runs" / "001-faces" / "evaluations.csv").exists()
    code, _, err = train_py("--TYPE", "evaluate")
    assert code == 1 and "at least 12 different pictures" in err and "Received: 11" in err

    some = draw_faces(32, 3, 20)
    assert np.array_equal(different(np.concatenate([some, some[::-1]])), some)


def test_held_out_pictures_can_have_names_of_their_own(train_py, tiny_run, held_out, no_download):
    code, out, _ = train_py("--TYPE", "evaluate", "--path", held_out, "--pattern", "[0-9]*.png")
    assert code == 0 and "20 held-out pictures" in out and "torn.png" not in out


def test_duplicates_among_the_training_pictures_are_counted(tiny_run, faces):
    twice = np.concatenate([faces[:15], faces[:5]])
    said = evaluate.evaluate_run(tiny_run, False, twice)
    assert said.endswith("Duplicate training pictures left out: 5")
    assert json.loads((tiny_run.path / "metrics.json").read_text())["training"] == 15


def test_held_out_pictures_that_were_trained_on_do_not_count(train_py, tiny_run, held_out, faces):
    for number in range(5):
        picture = faces[number, :, ::-1] if number % 2 else faces[number]
        (held_out / f"known-{number}.png").write_bytes(encode_png(np.ascontiguousarray(picture)))
    code, out, _ = train_py("--TYPE", "evaluate", "--path", held_out)
    assert code == 0 and "with 25 held-out pictures" in out
    assert "left out (duplicate or trained on): 5\n" in out
    assert json.loads((tiny_run.path / "metrics.json").read_text())["held_out"] == 20
    for number in range(20):
        (held_out / f"{number}.png").unlink()
    code, _, err = train_py("--TYPE", "evaluate", "--path", held_out)
    assert code == 1 and "12 different pictures that were not trained on" in err
    assert "Received: 0" in err


def test_without_training_pictures_no_earlier_pairs_stay(tiny_run):
    (tiny_run.path / "nearest.png").touch()
    evaluate.evaluate_run(tiny_run, False, None, draw_faces(32, 3, 40)[20:])
    assert not (tiny_run.path / "nearest.png").exists()


def test_it_is_said_how_many_of_many_pictures_are_compared(
    train_py, tiny_run, held_out, monkeypatch
):
    monkeypatch.setattr(evaluate, "MOST", 15)
    _, out, _ = train_py("--TYPE", "evaluate", "--path", held_out)
    assert "with 15 of 20 held-out pictures; copies are looked for among 15 of 20 training" in out


def test_evaluate_says_what_it_cannot_do(train_py, workplace, held_out, no_download):
    few = [*TINY[:-1], 10]  # --max_images 10
    assert train_py(*few, "--epochs", 1, "--evaluate_every_minutes", 1e-9)[0] == 0
    assert not (workplace / "runs" / "001-drawn-faces" / "evaluations.csv").exists()
    code, _, err = train_py("--TYPE", "evaluate", "--path", held_out)
    assert code == 1 and "at least 12 different pictures" in err and "Received: 10" in err
    code, _, err = train_py("--TYPE", "evaluate", "--best")
    assert code == 1 and "--evaluate_every_minutes" in err
    code, _, err = train_py("--TYPE", "evaluate", "--inception_weights", held_out / "0.png")
    assert code == 1 and "No InceptionV3 weights from the file" in err
    code, _, err = train_py("--TYPE", "evaluate", "--margin", 1)
    assert code == 2 and "--margin cannot be used with --TYPE evaluate" in err
    assert train_py("--preset", "sine", "--epochs", 1)[0] == 0
    code, _, err = train_py("--TYPE", "evaluate")
    assert code == 1 and "makes points; --TYPE generate measures those" in err


def test_real_pictures_pass_as_real_and_training_pictures_as_copies():
    training, held_out, fresh = np.split(draw_faces(32, 3, 120), 3)

    def judge(samples, mirror=False):
        trained = evaluate.as_trained(training, mirror)
        return evaluate.evaluate(evaluate.see(samples), trained, evaluate.see(held_out))

    ours, perfect = judge(fresh)
    assert max(ours["mmd"], perfect["mmd"]) < 0.1  # a difference of sums: about 0 for real ones
    for metric in ("swd", "coverage", "diversity"):
        assert ours[metric] == pytest.approx(perfect[metric], rel=0.5)
    assert ours["memorised"] < 0.25
    mirrored = training[:, :, ::-1]
    assert judge(mirrored)[0]["memorised"] < 0.5
    assert judge(mirrored, mirror=True)[0]["memorised"] == 1.0


def test_inception_features_bring_fid_and_kid():
    seen = evaluate.see(draw_faces(32, 3, 40))
    ours, perfect = evaluate.evaluate(seen, [seen], seen, of_inception=True)
    assert ours["fid"] == pytest.approx(0, abs=1e-6) and ours["kid"] < 0
    assert "fid  " in evaluate.table(ours, perfect)


def test_the_fid_of_real_pictures_is_that_of_as_many_others(monkeypatch):
    calls, really = [], metrics.frechet_distance
    monkeypatch.setattr(
        metrics, "frechet_distance", lambda *sets: calls.append(sets) or really(*sets)
    )
    samples, held_out, training = map(evaluate.see, np.split(draw_faces(32, 3, 460), (400, 420)))
    for unseen in (None, held_out):
        ours, perfect = evaluate.evaluate(samples, [training], unseen, of_inception=True)
        assert ours["fid"] == pytest.approx(perfect["fid"], rel=0.1)
    assert len(calls) == 4  # each takes seconds with InceptionV3's features


def test_nearest_shows_the_copied_picture_below_its_copy():
    pictures = draw_faces(32, 3, 60)
    samples = pictures[:40].copy()
    samples[7] = pictures[50, :, ::-1]
    training = evaluate.as_trained(pictures[40:], mirror=True)
    png = evaluate.nearest_png(evaluate.see(samples), training)
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    np.testing.assert_array_equal(sheet[:32, :32], samples[7])
    np.testing.assert_array_equal(sheet[32:64, :32], samples[7])


def test_evaluations_while_training_keep_the_best(train_py, workplace, monkeypatch):
    values = iter([30.0, 10.0, 20.0])
    monkeypatch.setattr(monitors, "compare", lambda *_: {"mmd": next(values), "diversity": 1.0})
    monkeypatch.setattr(monitors, "_MOST_TIME", 1e9)
    every = ["--evaluate_every_minutes", 1e-9]
    assert train_py(*TINY, "--steps", 2, *every)[0] == 0
    run = Run(workplace / "runs" / "001-drawn-faces")
    rows = run.evaluations()
    assert [(row["step"], row["mmd"]) for row in rows] == [(1, 30), (2, 10), (2, 20)]
    best = run.best.generator_file.read_bytes()
    # Resumed, it knows the best of the earlier session.
    values = iter([15.0, 16.0])
    assert train_py(*TINY, "--steps", 3, *every)[0] == 0
    assert [row["mmd"] for row in run.evaluations()] == [30, 10, 20, 15, 16]
    assert run.best.generator_file.read_bytes() == best
    assert train_py("--TYPE", "generate", "--best", "--img_num", 1)[0] == 0


def test_ctrl_c_does_not_wait_for_an_evaluation(workplace, faces, monkeypatch):
    budget = Budget(callbacks.Clock(), None, None)
    watch = monitors.Evaluations(Run(workplace), budget, faces, 1, health=None)
    measured = []
    monkeypatch.setattr(watch, "_measure", lambda: measured.append(budget.asked))
    watch.rows = [{"mmd": 1.0}]
    watch.on_train_end()
    budget.ask()
    watch.on_train_end()
    assert measured == [False]


def test_pictures_that_grow_alike_are_warned_of(workplace, faces, monkeypatch):
    said = []
    health = SimpleNamespace(warn=lambda event, sentence: said.append(event))
    watch = monitors.Evaluations(
        create_run(Settings(), "drawn-faces"),
        Budget(callbacks.Clock(), None, None),
        faces,
        1,
        health,
    )
    gan = BalancedGAN(build_generator(32, width=4), build_discriminator(32, width=4))
    gan.compile()
    watch.set_model(gan)
    watch.on_train_begin()
    # The same picture 400 times, then the real ones themselves.
    for samples, expected in ((np.repeat(faces[:1], 400, axis=0), ["alike"]), (faces, ["alike"])):
        monkeypatch.setattr(monitors, "draw_samples", lambda *args, s=samples: s)
        watch._measure()
        assert said == expected


def test_evaluations_take_no_more_than_their_share_of_the_time(workplace, faces, monkeypatch):
    clock = callbacks.Clock()
    now = [0.0]
    monkeypatch.setattr(clock, "seconds", lambda: now[0])
    watch = monitors.Evaluations(Run(workplace), Budget(clock, None, None), faces, 1, health=None)
    monkeypatch.setattr(watch, "_measure", lambda: now.__setitem__(0, now[0] + 6.0))
    watch.rows, watch.due = [], 60.0
    now[0] = 59.0
    watch.on_train_batch_end(0)
    assert watch.due == 60.0
    now[0] = 61.0
    watch.on_train_batch_end(0)
    assert watch.due == pytest.approx(61 + 6 / 0.03)
