import builtins
import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from archspec.cpu import detect

import balanced_gan
from balanced_gan import processor

# Of /proc/cpuinfo, shortened.
ZEN_3 = {"sse4_2", "avx", "avx2", "fma"}
ALDER_LAKE = {"avx", "avx2", "avx_vnni", "fma"}
ICE_LAKE = {"avx2", "avx512f", "avx512_vnni"}
ZEN_4 = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16"}
SAPPHIRE_RAPIDS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile"}
RASPBERRY_PI_5 = {"fp", "asimd", "asimdhp"}
GRAVITON_3 = {"fp", "asimd", "asimdhp", "bf16", "sve"}


@pytest.mark.parametrize(
    "features, instructions, bfloat16",
    [
        (ZEN_3, "avx2", False),
        (ALDER_LAKE, "avx2", False),
        (ICE_LAKE, "avx512f", False),
        (ZEN_4, "avx512_bf16", True),
        (SAPPHIRE_RAPIDS, "amx_bf16", True),
        (RASPBERRY_PI_5, "asimd", False),
        (GRAVITON_3, "bf16", True),
        (set(), "", True),  # the system does not say
    ],
)
def test_what_processors_can_do(monkeypatch, features, instructions, bfloat16):
    monkeypatch.setattr(detect, "detected_info", lambda: SimpleNamespace(features=features))
    assert (processor.instructions(), processor.may_have_bfloat16()) == (instructions, bfloat16)


def test_instructions_of_this_machine_are_known():
    assert processor.instructions()
    assert processor.instructions() in processor.describe()


@pytest.mark.parametrize(
    "given, tensorflow_is_there, then",
    [(None, False, "1"), ("0", False, "0"), (None, True, None)],
)
def test_the_package_switches_onednn_on_unless_told_otherwise(
    monkeypatch, given, tensorflow_is_there, then
):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "put back after the test")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    if given is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", given)
    if tensorflow_is_there:
        monkeypatch.setitem(sys.modules, "tensorflow", None)
    else:
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    importlib.reload(balanced_gan)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == then


def test_onednn_that_is_switched_off_is_said():
    code = "from balanced_gan import processor; print(processor.onednn())"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "off\n"


@pytest.mark.parametrize(
    "features, lacks",
    [({"sse2", "avx"}, False), ({"sse2"}, True), (set(), False), ({"asimd"}, False)],
)
def test_a_processor_without_avx_is_recognised(monkeypatch, features, lacks):
    monkeypatch.setattr(processor, "_features", lambda: features)
    assert processor.lacks_avx() == lacks


def test_a_tensorflow_that_cannot_run_is_one_sentence(train_py, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(processor, "_features", lambda: {"sse2"})
        code, _, err = train_py("--steps", 1)
        assert code == 1 and "lacks the AVX instructions" in err and len(err.splitlines()) == 1

    def broken(name, *args, **kwargs):
        if name == "tensorflow":
            raise ImportError("DLL load failed while importing _pywrap\nmore\nlines")
        return really(name, *args, **kwargs)

    really = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", broken)
    code, _, err = train_py("--steps", 1)
    assert code == 1 and "cannot be loaded: DLL load failed" in err and "--force-reinstall" in err
    assert len(err.splitlines()) == 1
