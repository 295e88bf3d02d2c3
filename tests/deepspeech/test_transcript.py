"""utils/deepspeech/transcript.py, and with it an independent check of the streaming: what the
deepspeech package hears, TensorFlow's CTC beam search must hear in our probabilities."""
import importlib.util
import os

import numpy as np
import pytest

from utils.common.constants import ALPHABET
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.transcript import (BEAM_WIDTH, TranscriptUnavailable, files_for_transcript,
                                         read_alphabet, transcribe, words_of_letters)

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("deepspeech") is None,
    reason="the deepspeech 0.5.0 package exists for Python 3.6 and 3.7 only")


def text_by_beam_search(probabilities):
    with tf.Graph().as_default(), tf.Session() as session:
        scores = np.log(np.maximum(probabilities, 1e-30))[:, np.newaxis]
        (best,), _ = tf.nn.ctc_beam_search_decoder(
            scores.astype(np.float32), [len(scores)], beam_width=BEAM_WIDTH,
            merge_repeated=False)
        return "".join(ALPHABET[letter] for letter in session.run(best).values)


def nats_of_text(text, probabilities):
    """-ln of how likely a text is under letter probabilities [steps, 29], by CTC."""
    letters = [ALPHABET.index(letter) for letter in text]
    with tf.Graph().as_default(), tf.Session() as session:
        labels = tf.SparseTensor([[0, i] for i in range(len(letters))], letters,
                                 [1, len(letters)])
        scores = np.log(np.maximum(probabilities, 1e-30))[:, np.newaxis].astype(np.float32)
        loss = tf.nn.ctc_loss(labels=tf.cast(labels, tf.int32), inputs=scores,
                              sequence_length=[len(scores)])
        return float(session.run(loss)[0])


@needs_package
def test_our_stream_is_the_native_clients(acoustic_files):
    """Its text is, of our probabilities, the likeliest: two searches may part over equals."""
    words = transcribe(acoustic_files.pb, acoustic_files.alphabet,
                       np.array_split(acoustic_files.samples, 7))
    graph = load_acoustic_graph(acoustic_files.pb)
    probabilities = letter_probabilities(graph, acoustic_files.samples)
    expected = " ".join(text_by_beam_search(probabilities).split())
    text = " ".join(word for word, _, _ in words)
    assert expected and len(text) > 0.9 * len(expected)
    assert nats_of_text(text, probabilities) < nats_of_text(expected, probabilities) + 0.1
    duration_s = len(acoustic_files.samples) / 16000.0
    assert all(0 <= start_s < end_s <= duration_s + 0.04 for _, start_s, end_s in words)


@needs_package
def test_a_failing_run_is_reported(acoustic_files, tmp_path):
    """The package itself returns an empty text for it, and success."""
    graph_def = tf.GraphDef()
    with open(acoustic_files.pb, "rb") as stream:
        graph_def.ParseFromString(stream.read())
    shape = graph_def.node.add()
    shape.name, shape.op = "impossible_shape", "Const"
    shape.attr["dtype"].type = tf.int32.as_datatype_enum
    shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([7, 7]))
    output = next(node for node in graph_def.node if node.name == "logits")
    output.op = "Reshape"
    output.input.insert(1, shape.name)
    output.attr["Tshape"].type = tf.int32.as_datatype_enum
    broken = tmp_path / "output_graph.pb"
    broken.write_bytes(graph_def.SerializeToString())
    with pytest.raises(TranscriptUnavailable, match="Error running session"):
        transcribe(str(broken), acoustic_files.alphabet, [acoustic_files.samples[:16000]])


@needs_package
def test_a_file_the_package_cannot_load(acoustic_files):
    with pytest.raises(TranscriptUnavailable, match="cannot load"):
        transcribe(acoustic_files.tflite, acoustic_files.alphabet, [acoustic_files.samples])


@pytest.mark.skipif(importlib.util.find_spec("deepspeech") is not None,
                    reason="the package is here")
def test_without_the_package(acoustic_files):
    with pytest.raises(TranscriptUnavailable, match="Python 3.6 and 3.7"):
        transcribe(acoustic_files.pb, acoustic_files.alphabet, [acoustic_files.samples])


def test_an_error_in_the_audio_is_the_callers(acoustic_files):
    def broken_blocks():
        yield acoustic_files.samples[:100]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        transcribe(acoustic_files.pb, acoustic_files.alphabet, broken_blocks())


def test_absent_files(tmp_path):
    pb, alphabet = files_for_transcript(str(tmp_path / "output_graph.tflite"))
    assert os.path.basename(pb) == "output_graph.pb"
    with pytest.raises(TranscriptUnavailable, match="output_graph.pb is not there"):
        transcribe(pb, alphabet, [])
    (tmp_path / "output_graph.pb").write_bytes(b"x")
    with pytest.raises(TranscriptUnavailable, match="alphabet.txt is not there"):
        transcribe(pb, alphabet, [])
    (tmp_path / "alphabet.txt").write_text(u"a\nb\n")
    with pytest.raises(TranscriptUnavailable, match="3 classes"):
        transcribe(pb, alphabet, [])


def test_alphabet(acoustic_files, tmp_path):
    assert "".join(read_alphabet(acoustic_files.alphabet)) == ALPHABET
    special = tmp_path / "alphabet.txt"
    special.write_text(u"# a comment\n \na\n\\#\n", encoding="utf-8")
    assert read_alphabet(str(special)) == [" ", "a", "#"]


@pytest.mark.parametrize("letters, words", [
    ([], []),
    ([(" ", 3)], []),
    ([("a", 5)], [("a", 0.1, 0.12)]),
    ([(" ", 1), ("h", 10), ("i", 12), (" ", 20), (" ", 21), ("y", 25), ("o", 30)],
     [("hi", 0.2, 0.26), ("yo", 0.5, 0.62)]),
    ([("a", 5), ("b", 4)], [("ab", 0.08, 0.12)]),
])
def test_words_of_letters(letters, words):
    assert words_of_letters(letters) == words
