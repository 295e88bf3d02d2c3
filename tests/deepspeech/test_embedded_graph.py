"""The embedded acoustic graph as it lies in ds_graph/: size, silence, letters, both containers."""
import os
import re

import numpy as np
import pytest

from ds_graph import make_deepspeech_mini
from tests.helpers.graphs import can_write_tflite, write_random_graph
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here
from tests.measure.acoustic_spelling import client_text, edit_distance
from utils.acoustic_training import graph_files, network, trainer
from utils.acoustic_training.letter_alignment import text_of_frames
from utils.acoustic_training.trainer import frame_weights
from utils.common.constants import ACOUSTIC_FPS, ALPHABET, BLANK_INDEX, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.transcript import read_alphabet
from utils.media.audio import read_audio
from utils.speech.phones import PHONES, SILENCE

MINI = os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini")
FILES = ("output_graph.pb", "output_graph.tflite", "alphabet.txt")
# What audio/test_sentence.wav says (audio/make_test_sentence.py), and its pause.
SENTENCE = ("poppy my father bought a big blue boat "
            "now we move over warm water and she waves")


@pytest.fixture(scope="module", params=FILES[:2])
def graph(request):
    return load_acoustic_graph(os.path.join(MINI, request.param))


@pytest.fixture(scope="module")
def sentence():
    return read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))


def test_the_files_are_small_and_the_alphabet_is_whole():
    assert sum(os.path.getsize(os.path.join(MINI, name)) for name in FILES) < 11.5e6
    with open(os.path.join(MINI, "alphabet.txt")) as stream:
        assert stream.read().endswith("\n'\n")
    assert "".join(read_alphabet(os.path.join(MINI, "alphabet.txt"))) == ALPHABET


def test_both_containers_say_the_same(sentence):
    pb, tflite = (letter_probabilities(load_acoustic_graph(os.path.join(MINI, name)), sentence)
                  for name in FILES[:2])
    # The weights are the same numbers; TFLite also rounds what it multiplies by them.
    assert np.abs(pb - tflite).mean() < 0.01
    assert np.mean(pb.argmax(1) == tflite.argmax(1)) > 0.93


@pytest.mark.parametrize("level_db", [None, -70, -50])
def test_quiet_where_nobody_speaks(graph, level_db):
    samples = np.zeros(3 * SAMPLE_RATE_HZ, np.float32)
    if level_db is not None:
        noise = np.random.RandomState(0).randn(len(samples)) * 10 ** (level_db / 20.0)
        samples = noise.astype(np.float32)
    blank = letter_probabilities(graph, samples)[:, BLANK_INDEX]
    assert blank.mean() > 0.95 and np.mean(blank > 0.5) > 0.97


def test_silence_after_speech_is_quiet_again(graph, sentence):
    """Digital zeros are far from any recording; the state must not hang on to a letter."""
    samples = np.concatenate([sentence, np.zeros(2 * SAMPLE_RATE_HZ, np.float32)])
    blank = letter_probabilities(graph, samples)[-int(1.5 * ACOUSTIC_FPS):, BLANK_INDEX]
    assert blank.mean() > 0.95


def test_the_most_likely_letters_spell_most_of_the_sentence(graph, sentence):
    spelt = text_of_frames(letter_probabilities(graph, sentence).argmax(1))
    spelt = " ".join(re.sub("[^a-z' ]", "", spelt).split())
    assert edit_distance(spelt, SENTENCE) < 0.5 * len(SENTENCE)


def test_the_native_client_spells_most_of_the_sentence(sentence):
    text = client_text(os.path.join(MINI, "output_graph.pb"), sentence)
    if text is None:
        pytest.skip("needs the deepspeech 0.5.0 package (reference stack)")
    assert edit_distance(text, SENTENCE) < 0.5 * len(SENTENCE)


def test_edit_distance_by_hand():
    assert [edit_distance(a, b) for a, b in (("abc", "abc"), ("", "abc"), ("abc", ""),
                                             ("kitten", "sitting"), ("b", "ab"))] \
        == [0, 3, 3, 3, 1]


def test_a_random_graph_has_the_same_weights_in_both_containers(tmpdir, sentence):
    folder = write_random_graph(str(tmpdir), width=16, eight_bit=False)
    pb = load_acoustic_graph(os.path.join(folder, "output_graph.pb"))
    assert pb.num_hidden == 16
    probabilities = letter_probabilities(pb, sentence[:SAMPLE_RATE_HZ])
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-5)
    if can_write_tflite():
        tflite = load_acoustic_graph(os.path.join(folder, "output_graph.tflite"))
        np.testing.assert_allclose(letter_probabilities(tflite, sentence[:SAMPLE_RATE_HZ]),
                                   probabilities, atol=1e-5)


def test_what_lips_show_and_what_breaks_a_silence_counts_double():
    row = [SILENCE] * 2 + ["P"] * 3 + ["AA"] * 5 + ["TH", "AA", SILENCE]
    found = frame_weights(np.array([[PHONES.index(phone) for phone in row]]))
    assert found.tolist() == [[1, 1, 4, 4, 4, 2, 2, 2, 1, 1, 2, 1, 1]]


@pytest.mark.parametrize("flags, complaint", [
    (["--start_from", "absent.pb"], "absent.pb is not there"),
    (["--teachers", "absent.pb"], "absent.pb is not there"),
    (["--mean_with", "absent.pb"], "absent.pb is not there"),
    (["--dropout", "1"], "--dropout 1: give 0 to 0.9"),
    (["--held_out", "absent"], "absent: no NAME.wav with NAME.txt of held-out speakers"),
    (["--hours", "0"], "--hours 0: training takes 64 minutes of speech at once")])
def test_what_cannot_be_is_said_before_speech_is_made(flags, complaint, tmp_path):
    status, _, err = run_here("ds_graph/make_deepspeech_mini.py",
                              "--work_folder", tmp_path / "work", *flags)
    assert status == 1 and err.count("\n") == 1
    assert complaint in err and not (tmp_path / "work").exists()


@pytest.mark.parametrize("name, complaint", [
    ("README.md", "holds no TensorFlow graph"), ("other.pb", "no weights under the names")])
def test_what_is_no_graph_of_this_training_teaches_nothing(name, complaint, tmp_path):
    with tf.Graph().as_default() as graph:
        tf.constant(1.0, name="h1")
    (tmp_path / "other.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (tmp_path / "README.md").write_text(u"# Not a graph")
    with pytest.raises(UserError, match=complaint):
        graph_files.weights_of_pb(str(tmp_path / name))


def test_what_is_exported_may_be_the_mean_with_another(tmp_path, monkeypatch):
    pb = os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini", "output_graph.pb")
    held, half = graph_files.weights_of_pb(pb), graph_files.weights_to_train(pb)
    half["layer_5/weights"] = half["layer_5/weights"] / 2.0
    trainer.save_variables(trainer.weights_path(str(tmp_path)), 7, half, half)
    monkeypatch.setattr(tf, "VERSION", "1.15.0")
    monkeypatch.setattr(graph_files, "write_tflite", lambda *_: None)
    make_deepspeech_mini.export(str(tmp_path), str(tmp_path), mean_with=pb)
    found = graph_files.weights_of_pb(str(tmp_path / "output_graph.pb"))
    np.testing.assert_allclose(found["layer_5/weights"], 0.75 * held["layer_5/weights"], atol=1e-2)
    np.testing.assert_allclose(found["layer_2/weights"], held["layer_2/weights"], atol=1e-4)
    narrow = str(tmp_path / "narrow.pb")
    graph_files.write_pb(narrow, network.random_weights(32, seed=1))
    with pytest.raises(UserError, match="narrow.pb: networks of 400 and 32 units have no mean; "
                       "--mean_with takes what training started from"):
        make_deepspeech_mini.export(str(tmp_path), str(tmp_path), mean_with=narrow)
