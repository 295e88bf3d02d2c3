"""Every script from a folder that is not the repository, and names that a terminal cannot print."""
import os

import pytest

from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_process
from utils.common.constants import DEFAULT_AUDIO, repository_path


def test_paths_of_the_repository_from_here_and_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert repository_path("audio/a.wav") == "./audio/a.wav"
    monkeypatch.chdir(tmp_path)
    assert repository_path("audio/a.wav") == os.path.join(REPOSITORY, "audio", "a.wav")


def test_speech_is_animated_and_scored_from_elsewhere(tmp_path):
    status, out, err = run_process("run_voca.py", "--no_preview", folder=tmp_path)
    assert status == 0, err
    made = os.path.join("animation_output", "test_sentence", "blendshapes.csv")
    assert made in out and (tmp_path / made).is_file()
    status, out, err = run_process(
        "evaluate.py", "--prediction", made, "--labels", made,
        "--audio_fname", os.path.join(REPOSITORY, DEFAULT_AUDIO), folder=tmp_path)
    assert status == 0 and "opening_r" in out, err


@pytest.mark.parametrize("is_config_of_repository", [False, True])
def test_training_from_elsewhere_finds_the_embedded_data(tmp_path, is_config_of_repository):
    """A config written there, and one written in the repository, whose paths are relative."""
    path = str(tmp_path / "c.cfg")
    folder = REPOSITORY if is_config_of_repository else tmp_path
    assert run_process("config_parser.py", "--config", path, folder=folder)[0] == 0
    with open(path) as stream:
        text = stream.read()
    assert ("= ./training_data\n" in text) == is_config_of_repository
    text = text.replace("epoch_num = 100", "epoch_num = 1")
    text = text.replace("num_render_sequences = 3", "num_render_sequences = 0")
    text = "\n".join("subject_for_training = 1.mp4" if line.startswith("subject_for_training")
                     else line for line in text.split("\n"))
    with open(path, "w") as stream:
        stream.write(text)
    status, out, err = run_process("run_training.py", "--config", path, folder=tmp_path)
    assert status == 0, err
    assert (tmp_path / "training" / "checkpoints" / "best").is_dir()


def test_a_name_that_stdout_cannot_print_ends_well(tmp_path):
    terminal = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
    status, out, err = run_process("run_voca.py", "--no_preview", "--out_path", u"\u58f0",
                                   folder=tmp_path, environment=terminal)
    assert status == 0 and os.path.join("?", "blendshapes.npz") in out, err
    assert (tmp_path / u"\u58f0" / "blendshapes.npz").is_file()
    status, out, err = run_process("run_voca.py", "--audio_fname", u"\u58f0.wav",
                                   folder=tmp_path, environment=terminal)
    assert status == 1 and err.startswith("error: there is no file ?.wav"), err
