import errno

import keras
import numpy as np
import pytest

from balanced_gan import BalancedGAN, InputError, Settings, build_discriminator, build_generator
from balanced_gan.model.build import build_gan
from balanced_gan.runs.checkpoints import (
    KEPT_CHECKPOINTS,
    load_checkpoint,
    named_variables,
    save_checkpoint,
    save_networks,
)
from balanced_gan.runs.registry import create_run


def tiny_gan(seed=0):
    keras.utils.set_random_seed(seed)
    gan = BalancedGAN(
        build_generator(32, latent_dim=8, width=4), build_discriminator(32, width=4), seed=seed
    )
    gan.compile()
    return gan


def test_checkpoint_round_trip_is_exact(workplace, face_batch):
    run, gan = create_run(Settings(), "drawn-faces"), tiny_gan()
    gan.train_step(face_batch)
    save_checkpoint(run, gan, seconds=12.5)
    other = tiny_gan(seed=9)
    assert load_checkpoint(run, other) == (12.5, [])
    for _ in range(3):  # both go on alike: random states, optimizers and counters came along
        logs = gan.train_step(face_batch), other.train_step(face_batch)
        assert {k: float(v) for k, v in logs[0].items()} == {
            k: float(v) for k, v in logs[1].items()
        }
    for mine, theirs in zip(gan.variables, other.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_arrays_have_the_names_of_their_variables(workplace):
    gan = tiny_gan()
    named = named_variables(gan)
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    # Fewer if two shared a name.
    assert len(named) == sum(len(each.variables) for each in (gan, *optimizers))
    another = named_variables(tiny_gan())  # whose layers Keras gave other numbers
    assert list(another) == list(named)
    assert named["generator/000-kernel"] is gan.generator.variables[0]
    assert named["streak"] is gan.streak


def test_a_checkpoint_with_arrays_that_changed_places_is_refused(workplace):
    run, gan = create_run(Settings(), "drawn-faces"), tiny_gan()
    save_checkpoint(run, gan, 1.0)
    (file,) = (run.path / "checkpoints").iterdir()
    with np.load(file) as stored:
        arrays = dict(stored)
    names = list(arrays)
    gamma, beta = (next(n for n in names if n.endswith(end)) for end in ("gamma", "beta"))
    assert arrays[gamma].shape == arrays[beta].shape
    swapped = {gamma: beta, beta: gamma}
    np.savez(file, **{swapped.get(name, name): arrays[swapped.get(name, name)] for name in names})
    with pytest.raises(InputError, match=r"No checkpoint of .* fits"):
        load_checkpoint(run, gan)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("has_r1_weight", [True, False])
def test_a_checkpoint_of_a_former_version_is_read(workplace, face_batch, numbered, has_r1_weight):
    run, gan = create_run(Settings(), "drawn-faces"), tiny_gan()
    gan.train_step(face_batch)
    names = [n for n in named_variables(gan) if has_r1_weight or n != "r1_weight"]
    arrays = {
        f"v{number:04d}" if numbered else name: named_variables(gan)[name].numpy()
        for number, name in enumerate(names)
    }
    np.savez(run.path / "checkpoints" / "step-00000001.npz", seconds=3.0, **arrays)
    other = tiny_gan(seed=9)
    assert load_checkpoint(run, other) == (3.0, [])
    theirs = named_variables(other)
    for name, mine in named_variables(gan).items():
        np.testing.assert_array_equal(mine, theirs[name])


@pytest.mark.crash
def test_old_checkpoints_are_removed_and_damaged_ones_passed_over(workplace, face_batch):
    run, gan = create_run(Settings(), "drawn-faces"), tiny_gan()
    for second in range(KEPT_CHECKPOINTS + 2):
        gan.train_step(face_batch)
        save_checkpoint(run, gan, second)
    files = sorted((run.path / "checkpoints").iterdir())
    assert [file.name for file in files] == [f"step-{n:08d}.npz" for n in (3, 4, 5)]

    data = files[-1].read_bytes()
    files[-1].write_bytes(data[: len(data) // 2])  # torn
    at = data.index(b"generator/000-kernel.npy") + 200
    files[-2].write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])  # one bit flipped
    fresh = tiny_gan()
    assert load_checkpoint(run, fresh) == (2.0, [files[-1].name, files[-2].name])
    assert int(fresh.batches) == 3
    files[0].write_bytes(b"")
    with pytest.raises(InputError, match=r"No checkpoint of .* can be read"):
        load_checkpoint(run, fresh)


def test_a_run_without_its_checkpoints_is_not_begun_again(train_py, tiny_run):
    for file in (tiny_run.path / "checkpoints").iterdir():
        file.unlink()
    before = tiny_run.generator_file.read_bytes()
    code, _, err = train_py("--resume", "--epochs", 6)
    assert code == 1 and "--new --start 001-drawn-faces" in err
    assert (
        tiny_run.generator_file.read_bytes() == before and tiny_run.history_file.stat().st_size > 99
    )


@pytest.mark.crash
def test_a_checkpoint_has_its_networks_and_needs_no_folder(workplace, monkeypatch):
    run = create_run(Settings(), "drawn-faces")
    (run.path / "checkpoints").rmdir()
    gan = tiny_gan()
    save_checkpoint(run, gan, 1.0)
    assert load_checkpoint(run, gan) == (1.0, [])
    run.generator_file.unlink()
    torn = run.path / "checkpoints" / "step-00000007.npz.tmp"
    torn.touch()

    def full_disk(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(run, gan, 2.0)
    # The next start goes on from the checkpoint before, or has nothing left to do but to be seen.
    assert run.generator_file.exists() and not torn.exists()


def test_saved_networks_need_nothing_but_keras(workplace):
    settings = Settings(image_size=32, width=4, latent_dim=8, precision="bfloat16")
    run, gan = create_run(settings, "drawn-faces"), build_gan(settings)
    save_networks(run, gan.ema_generator, gan.discriminator)
    for file in (run.generator_file, run.discriminator_file):
        for layer in keras.saving.load_model(file).layers:
            assert type(layer).__module__.startswith("keras.")
            assert layer.compute_dtype == "float32"


def test_checkpoint_of_other_networks_is_refused(workplace):
    run = create_run(Settings(), "drawn-faces")
    save_checkpoint(run, tiny_gan(), 0)
    wider = BalancedGAN(
        build_generator(32, latent_dim=8, width=8), build_discriminator(32, width=4)
    )
    wider.compile()
    before = [v.value.numpy() for v in wider.variables]
    with pytest.raises(InputError, match="fits this version of the program"):
        load_checkpoint(run, wider)
    assert all(np.array_equal(a, b) for a, b in zip(before, wider.variables, strict=True))


def test_weights_that_are_no_numbers_are_not_saved(workplace):
    run, gan = create_run(Settings(), "drawn-faces"), tiny_gan()
    save_checkpoint(run, gan, 0)
    gan.discriminator.trainable_variables[0].assign(
        np.nan * gan.discriminator.trainable_variables[0]
    )
    gan.batches.assign(7)
    with pytest.raises(FloatingPointError, match="not finite at step 7"):
        save_checkpoint(run, gan, 1)
    assert len(list((run.path / "checkpoints").iterdir())) == 1
