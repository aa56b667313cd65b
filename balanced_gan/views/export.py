"""Exports the generator for other programs, and checks each file against the original."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from balanced_gan.errors import InputError
from balanced_gan.files import atomic_write, replace
from balanced_gan.output.sampling import latents_of, load_network
from balanced_gan.runs.run import Run
from balanced_gan.terminal import require_package

FORMATS = ("keras", "saved_model", "tflite", "onnx")
_CHECKED = 16  # latents, of the seeds 0 to 15
_TOLERATED = 2  # levels of 255

# How a program makes `pictures` from `latents` with each format.
_SNIPPETS = {
    "keras": """import keras

generator = keras.saving.load_model("generator.keras", compile=False)
pictures = np.asarray(generator(latents))""",
    "saved_model": """import tensorflow as tf

generator = tf.saved_model.load("saved_model")
pictures = generator.serve(latents).numpy()""",
    "tflite": """from tensorflow import lite  # or: from ai_edge_litert import interpreter as lite

interpreter = lite.Interpreter("generator.tflite")
interpreter.allocate_tensors()
pictures = []
for latent in latents:  # it takes one latent at a time
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], latent[None])
    interpreter.invoke()
    pictures.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])""",
    "onnx": """import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
(pictures,) = session.run(None, {session.get_inputs()[0].name: latents})""",
}
_AROUND = '''"""Makes four pictures with the exported generator. Run it in this folder."""

import numpy as np

{latents}
{snippet}

for number, picture in enumerate(np.uint8(np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5))):
    print(number, picture.shape, picture.dtype)  # (S, S, 3) RGB or (S, S, 1) grey
'''


def exported(folder: Path, kind: str) -> Path:
    """The file, or for a SavedModel the folder, that an export of a kind writes."""
    return folder / ("saved_model" if kind == "saved_model" else f"generator.{kind}")


def export(run: Run, best: bool, kind: str, folder: Path) -> tuple[Path, float]:
    """Exports a run's generator, checks the file, and writes an example of how to use it.

    Args:
        run: a run that makes pictures.
        best: whether to use the generator of the best evaluation instead of the newest.
        kind: one of `FORMATS`.
        folder: where to write; created if missing. An earlier export in it is replaced.

    Returns:
        `(path, difference)`: the file or folder, and the largest difference of a pixel from the
        original's over 16 latents, in levels of 255.

    Raises:
        InputError: if a package is missing, or if the difference is above 2; then an earlier
            export stays.
    """
    source = run.best if best else run
    generator = load_network(source, source.generator_file)
    prior = run.settings().latent_prior
    latents = latents_of(range(_CHECKED), generator.input_shape[-1], prior=prior)
    expected = np.asarray(generator(latents))
    folder.mkdir(parents=True, exist_ok=True)
    path = exported(folder, kind)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        written = Path(place, path.name)
        found = _WRITERS[kind](generator, source.generator_file, written, latents)
        difference = float(abs(np.asarray(found, np.float32) - expected).max() * 127.5)
        if not difference <= _TOLERATED:
            raise InputError(
                f"The {kind} file was not kept: its pictures differ from the original's by up to "
                f"{difference:.1f} levels of 255."
            )
        if path.is_dir():
            shutil.rmtree(path)
        replace(written, path)
    draw = f"latents = np.float32(np.random.standard_normal((4, {latents.shape[1]})))"
    if prior == "uniform":
        draw = f"latents = np.float32(np.random.uniform(-1, 1, (4, {latents.shape[1]})))"
    text = _AROUND.format(latents=draw, snippet=_SNIPPETS[kind])
    example = folder / f"use_{kind}.py"
    if not example.exists():  # it may have been edited
        atomic_write(example, text.encode())
    return path, difference


def _write_keras(
    generator: keras.Model, file: Path, path: Path, latents: NDArray[np.float32]
) -> Any:
    atomic_write(path, file.read_bytes())
    return keras.saving.load_model(path, compile=False)(latents)


def _write_saved_model(
    generator: keras.Model, file: Path, path: Path, latents: NDArray[np.float32]
) -> Any:
    generator.export(path, verbose=False)
    loaded = tf.saved_model.load(str(path))  # kept: its variables live only as long as it
    return loaded.serve(latents)


def _write_tflite(
    generator: keras.Model, file: Path, path: Path, latents: NDArray[np.float32]
) -> Any:
    # One latent at a time: with an open batch size TFLite knows no shapes for the upsampling.
    # Through a SavedModel: converting Keras's own graph left out the weights and gave only NaN.
    one = keras.InputSpec("float32", (1, latents.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        generator.export(folder, input_signature=[one], verbose=False)
        atomic_write(path, tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    # Not by its path: on Windows TFLite cannot open one with letters such as an umlaut.
    interpreter = tf.lite.Interpreter(model_content=path.read_bytes())
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    number, made = (end[0]["index"] for end in ends)
    pictures = []
    for latent in latents:
        interpreter.set_tensor(number, latent[None])
        interpreter.invoke()
        pictures.append(interpreter.get_tensor(made)[0])
    return pictures


def _write_onnx(
    generator: keras.Model, file: Path, path: Path, latents: NDArray[np.float32]
) -> Any:
    for package in ("tf2onnx", "onnxruntime"):
        require_package("--format onnx", package)
    import onnxruntime

    generator.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: latents})[0]


# Each writes the file and returns the pictures that the written file makes of the latents.
_WRITERS: dict[str, Callable[[keras.Model, Path, Path, NDArray[np.float32]], Any]] = {
    "keras": _write_keras,
    "saved_model": _write_saved_model,
    "tflite": _write_tflite,
    "onnx": _write_onnx,
}
