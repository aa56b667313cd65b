"""The generator for other programs: each format checked against the original after writing."""

import shutil
import tempfile

import numpy as np

from balanced_gan.errors import InputError
from balanced_gan.files import write_whole
from balanced_gan.sampling import latents_of, load_network

FORMATS = ("keras", "saved_model", "tflite", "onnx")
_CHECKED = 16  # latents, of the seeds 0 to 15
_TOLERATED = 2  # levels of 255

# What each format's snippet begins with, and how it makes `pictures` of `latents`.
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
for latent in latents:  # it takes one at a time
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


def export(run, best, kind, folder):
    """Writes a run's generator in a format, checks it, and writes how to use it.

    Args:
        run: a `Run` of pictures.
        best: whether to take the generator of its best evaluation.
        kind: one of `FORMATS`.
        folder: where to, a `pathlib.Path`; made if missing.

    Returns:
        `(path, difference)`: of the file or folder, and the largest difference of a pixel
        from the original's over 16 latents, in levels of 255.

    Raises:
        InputError: if a package is missing, the conversion fails, or the difference is above 2;
            nothing is left in `folder` then.
    """
    source = run.source(best)
    generator = load_network(source, source.generator_file)
    prior = run.settings().latent_prior
    latents = latents_of(range(_CHECKED), generator.input_shape[-1], prior=prior)
    expected = np.asarray(generator(latents))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / {"saved_model": "saved_model"}.get(kind, f"generator.{kind}")
    try:
        found = _WRITERS[kind](generator, source.generator_file, path, latents)
    except ImportError as missing:
        raise InputError(
            f"--format {kind} needs a package that is not installed ({missing.name}): "
            f"python -m pip install {missing.name}"
        ) from None
    difference = float(abs(np.asarray(found, np.float32) - expected).max() * 127.5)
    if not difference <= _TOLERATED:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise InputError(
            f"The {kind} file made other pictures than the original, by up to {difference:.1f} "
            f"levels of 255, and was removed."
        )
    draw = f"latents = np.float32(np.random.standard_normal((4, {latents.shape[1]})))"
    if prior == "uniform":
        draw = f"latents = np.float32(np.random.uniform(-1, 1, (4, {latents.shape[1]})))"
    text = _AROUND.format(latents=draw, snippet=_SNIPPETS[kind])
    write_whole(folder / f"use_{kind}.py", text.encode())
    return path, difference


def _write_keras(generator, file, path, latents):
    import keras

    write_whole(path, file.read_bytes())
    return keras.saving.load_model(path, compile=False)(latents)


def _write_saved_model(generator, file, path, latents):
    import tensorflow as tf

    shutil.rmtree(path, ignore_errors=True)
    generator.export(path, verbose=False)
    loaded = tf.saved_model.load(str(path))  # whose variables live as long as it
    return loaded.serve(latents)


def _write_tflite(generator, file, path, latents):
    import keras
    import tensorflow as tf

    # One latent at a time: with an open batch size TFLite has no shapes for the upsampling.
    # Through a SavedModel: of Keras's own graph the weights stayed outside, and all was NaN.
    one = keras.InputSpec("float32", (1, latents.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        generator.export(folder, input_signature=[one], verbose=False)
        write_whole(path, tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    number, made = (end[0]["index"] for end in ends)
    pictures = []
    for latent in latents:
        interpreter.set_tensor(number, latent[None])
        interpreter.invoke()
        pictures.append(interpreter.get_tensor(made)[0])
    return pictures


def _write_onnx(generator, file, path, latents):
    import onnxruntime

    generator.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: latents})[0]


_WRITERS = {
    "keras": _write_keras,
    "saved_model": _write_saved_model,
    "tflite": _write_tflite,
    "onnx": _write_onnx,
}
