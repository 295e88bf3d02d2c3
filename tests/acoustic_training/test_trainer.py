"""The training loop: held-out speakers choose the weights and end it; what is saved goes on."""
import os

import numpy as np
import pytest

from ds_graph import make_deepspeech_mini
from utils.acoustic_training import held_out, trainer
from utils.acoustic_training.held_out import HeldOut, edit_distance, heard_right
from utils.acoustic_training.streams import STREAM_FRAMES, folder_and_minutes, make_speech
from utils.common.constants import ALPHABET, BLANK_INDEX, NUM_LETTERS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tf
from utils.media.audio import write_wav
from utils.speech.phones import PHONES, SILENCE


def one_hot(letters):
    """Logits [n, 29] whose likeliest letters these are; - is the blank."""
    classes = [BLANK_INDEX if letter == "-" else ALPHABET.index(letter) for letter in letters]
    return np.eye(29, dtype=np.float32)[classes]


@pytest.mark.parametrize("text, truth, distance", [
    ("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3),
    ("ab", "ba", 2), ("xabcx", "abc", 2), ("flaw", "lawn", 2)])
def test_edit_distance(text, truth, distance):
    assert edit_distance(text, truth) == distance


def test_what_is_heard_right():
    nothing = np.zeros(0, np.float32)
    # 20 ms a frame, the first at its middle 16 ms: frame 3 lies at 76 ms, frame 8 at 176 ms.
    phones = [("M", 0.0, 0.152), ("AA", 0.152, 0.2)]
    utterances = [HeldOut("a", nothing, nothing, "ma", phones, None),
                  HeldOut("a", nothing, nothing, "no", phones, None),
                  HeldOut("b", nothing, nothing, "hello", None, None)]
    measures = heard_right(utterances, [one_hot("--mmmmm-aa"), one_hot("---n----mm"),
                                        one_hot("-hel-loo- ")])
    # An n may spell an M, and yet is no closure.
    assert measures == {"cer a": 0.25, "cer b": 0.0, "cer": 0.125, "spelled": 0.75, "closed": 0.5,
                        "closed_open": 0.5}


def test_held_out_speech_is_at_most_some_of_each_speaker(tmp_path):
    for name in ["x-1-%d" % number for number in range(8)] + ["y-2-0"]:
        write_wav(str(tmp_path / (name + ".wav")), np.zeros(SAMPLE_RATE_HZ, np.float32))
        (tmp_path / (name + ".txt")).write_text(u"a word\n")
    (tmp_path / "y-2-0.csv").write_text(
        u"type,start_s,end_s,label\nwords,0.2,0.5,aa\nphones,0,0.2,SIL\nphones,0.2,0.5,AA\n")
    found = held_out.held_out_speech([str(tmp_path)])
    assert [utterance.corpus for utterance in found] == ["x"] * 5 + ["y"]
    assert found[0].text == "a word" and found[0].phones is None and found[0].classes is None
    assert found[0].mfccs.shape == (49, 26)
    assert found[5].phones == [(SILENCE, 0.0, 0.2), ("AA", 0.2, 0.5)]
    assert found[5].classes.tolist()[5:15] == [PHONES.index(SILENCE)] * 5 + [0] * 5
    with pytest.raises(UserError, match="no NAME.wav with NAME.txt of held-out speakers"):
        held_out.held_out_speech([str(tmp_path / "none")])


@pytest.fixture
def streams_folder(tmp_path, monkeypatch):
    """Six streams in which a letter's own MFCC tells it, and lanes for four."""
    monkeypatch.setattr(trainer, "NUM_LANES", 4)
    monkeypatch.setattr(trainer, "CHUNK_FRAMES", 24)            # a small graph
    monkeypatch.setattr(trainer, "MEASURE_EVERY_STEPS", 5)
    monkeypatch.setattr(trainer, "TELL_EVERY_STEPS", 5)
    monkeypatch.setattr(trainer, "SAVE_EVERY_STEPS", 5)
    random = np.random.RandomState(0)
    for number in range(6):
        letters = np.repeat(random.choice([1, 2, BLANK_INDEX], size=STREAM_FRAMES // 10), 10)
        mfccs = random.randn(STREAM_FRAMES, 26) * 0.1
        mfccs[:, 0] -= 28.0
        mfccs[np.arange(STREAM_FRAMES), 1 + letters % 20] += 3.0
        phones = np.where(letters == BLANK_INDEX, PHONES.index(SILENCE), letters)
        np.savez(str(tmp_path / ("stream-%05d.npz" % number)), mfccs=mfccs.astype(np.float32),
                 letters=letters.astype(np.int8), phones=phones.astype(np.int8))
    return tmp_path


def utterance_of(letters):
    """A HeldOut that sounds as the streams do."""
    letters = np.array(letters)
    mfccs = np.zeros((len(letters), 26), np.float32)
    mfccs[:, 0] = -28.0
    mfccs[np.arange(len(letters)), 1 + letters % 20] += 3.0
    return HeldOut("x", np.zeros(0, np.float32), mfccs, "ab", None,
                   np.where(letters == BLANK_INDEX, PHONES.index(SILENCE), letters))


def tags_of(folder):
    events = [event for name in sorted(os.listdir(folder))
              for event in tf.train.summary_iterator(os.path.join(folder, name))]
    return {value.tag for event in events for value in event.summary.value}, events


def test_the_best_weights_are_kept_and_training_ends_when_nothing_gets_better(
        streams_folder, monkeypatch, capsys):
    errors = iter([0.9, 0.7, 0.8, 0.75, 0.6])
    monkeypatch.setattr(trainer, "measured", lambda *_: {
        "cer": next(errors), "blank lowered": 0.5})
    monkeypatch.setattr(trainer, "PATIENCE", 2)
    trainer.train(str(streams_folder), 100, 1, width=8, held_out=["any"])
    assert (streams_folder / "best.txt").read_text() == "10 0.70000\n"
    with np.load(trainer.best_path(str(streams_folder))) as best:
        assert int(best["step"]) == 10
        np.testing.assert_allclose(best["plain/layer_6/bias"] - best["layer_6/bias"],
                                   [-0.5 * (i == BLANK_INDEX) for i in range(NUM_LETTERS)],
                                   atol=1e-6)
    with np.load(trainer.weights_path(str(streams_folder))) as last:
        assert int(last["step"]) == 20
    assert "step 20  held out: blank lowered 0.500  cer 0.750" in capsys.readouterr().out
    tags, _ = tags_of(str(streams_folder / "curves"))
    assert {"held/out_cer", "loss/letters", "loss/ctc", "right/phones", "learning/rate"} <= tags
    # Taken up, it knows what was best.
    assert trainer.Best(str(streams_folder)).errors == 0.7


def test_training_learns_and_is_taken_up_with_adams_moments(streams_folder):
    utterance = utterance_of([BLANK_INDEX] * 20 + [1] * 10 + [2] * 10 + [BLANK_INDEX] * 8)
    trainer.train(str(streams_folder), 40, 1, width=24, highest_rate=1e-2, dropout=0.1)
    first = trainer.saved_variables(trainer.weights_path(str(streams_folder)))[1]
    moments = [name for name in first if name.startswith("adam/")]
    assert len(moments) > 20 and all(np.abs(first[name]).max() > 0.0 for name in moments)
    trainer.train(str(streams_folder), 60, 1, width=24, highest_rate=1e-2, dropout=0.1,
                  held_out=[utterance] * 2)
    step, second = trainer.saved_variables(trainer.weights_path(str(streams_folder)))
    assert step == 60
    # Adam counts its steps in these powers.
    power = "adam/beta2_power"
    assert second[power] == pytest.approx(0.999 ** 61, rel=1e-4)
    assert first[power] == pytest.approx(0.999 ** 41, rel=1e-4)


def test_the_last_part_begins_anew_with_less_done_to_the_speech(streams_folder, monkeypatch,
                                                                capsys):
    strengths, lanes = [], trainer.lanes_of_streams
    monkeypatch.setattr(trainer, "lanes_of_streams", lambda streams, random, strength: (
        strengths.append(strength) or lanes(streams, random, strength)))
    trainer.train(str(streams_folder), 200, 1, width=8, highest_rate=1e-2, dropout=0.1,
                  fine_from=10, fine_steps=15)
    assert strengths == [1.0, trainer.FINE_AUGMENTATION]
    printed = capsys.readouterr().out
    assert "step 25 of 25" in printed
    _, events = tags_of(str(streams_folder / "curves"))
    values = {(value.tag, event.step): value.simple_value
              for event in events for value in event.summary.value}
    assert values["loss/ctc", 10] == 0.0 < values["loss/ctc", 15]
    assert values["learning/rate", 10] == pytest.approx(trainer.learning_rate(9, 200, 1e-2))
    assert values["learning/rate", 25] == pytest.approx(
        trainer.learning_rate(14, 15, trainer.FINE_LEARNING_RATE))
    assert trainer.saved_variables(trainer.weights_path(str(streams_folder)))[0] == 25


def test_the_blank_is_lowered_as_far_as_errors_fall(streams_folder, monkeypatch):
    from utils.acoustic_training import network, training_graph
    initial = network.random_weights(16, seed=1)
    initial.update(training_graph.random_phone_weights(len(PHONES), seed=1))
    utterance = utterance_of([BLANK_INDEX] * 30)._replace(text="aaa")
    biases = np.zeros(NUM_LETTERS)
    biases[1], biases[BLANK_INDEX] = 20.0, 20.6             # the blank wins by 0.6
    initial["layer_6/bias"] = biases.astype(np.float32)
    initial["layer_6/weights"] = np.zeros_like(initial["layer_6/weights"])
    with tf.Graph().as_default(), tf.Session() as session:
        graph = training_graph.training_graph(16, trainer.CHUNK_FRAMES, initial)
        session.run(tf.global_variables_initializer())
        measures = trainer.measured(session, graph, [utterance])
        assert measures["blank lowered"] == 1.0 and measures["cer"] == pytest.approx(2.0 / 3.0)
        monkeypatch.setattr(trainer, "BLANK_LOWERED", (0.0, 0.5))
        measures = trainer.measured(session, graph, [utterance])
        assert measures["blank lowered"] == 0.0 and measures["cer"] == 1.0


def test_measuring_does_not_depend_on_what_else_is_measured(streams_folder, monkeypatch):
    from utils.acoustic_training import network, training_graph
    initial = network.random_weights(16, seed=1)
    initial.update(training_graph.random_phone_weights(len(PHONES), seed=1))
    monkeypatch.setattr(trainer, "BLANK_LOWERED", (0.0,))
    short = utterance_of([BLANK_INDEX] * 30 + [1] * 40)
    long = utterance_of([2] * 250)
    with tf.Graph().as_default(), tf.Session() as session:
        graph = training_graph.training_graph(16, trainer.CHUNK_FRAMES, initial)
        session.run(tf.global_variables_initializer())
        heard = []
        original = held_out.heard_right
        try:
            held_out.heard_right = lambda utterances, logits: heard.append(logits) or {"cer": 0.0}
            for given in ([long], [short, long], [long] * 5 + [short]):
                assert 0.0 <= trainer.measured(session, graph, given)["phones"] <= 1.0
        finally:
            held_out.heard_right = original
    assert [len(logits) for logits in heard[1]] == [70, 250]
    for other in (heard[1][1], heard[2][-1]):
        # Inputs are rounded at random (half_in_eight_bits).
        assert np.abs(other - heard[0][0]).max() < 0.05


@pytest.mark.parametrize("given, expected", [
    ("a/b", ("a/b", None)), ("a=b/c=50", ("a=b/c", 50.0))])
def test_folder_and_minutes(given, expected):
    assert folder_and_minutes(given) == expected


def test_minutes_that_are_no_number_are_refused(tmp_path):
    with pytest.raises(UserError, match="--aligned a=many: give FOLDER=MINUTES"):
        make_speech(str(tmp_path), 0, ["a=many"])


def test_what_is_exported_is_the_best(tmp_path, monkeypatch):
    from utils.acoustic_training import graph_files, network
    monkeypatch.setattr(tf, "VERSION", "1.15.0")
    monkeypatch.setattr(graph_files, "write_tflite", lambda *_: None)
    weights = [network.random_weights(width, seed=1) for width in (8, 12)]
    trainer.save_variables(trainer.weights_path(str(tmp_path)), 7, weights[0], weights[0])
    make_deepspeech_mini.export(str(tmp_path), str(tmp_path))
    pb = str(tmp_path / "output_graph.pb")
    assert network.width_of(graph_files.weights_of_pb(pb)) == 8
    trainer.save_variables(trainer.best_path(str(tmp_path)), 5, weights[1], weights[1])
    make_deepspeech_mini.export(str(tmp_path), str(tmp_path))
    assert network.width_of(graph_files.weights_of_pb(pb)) == 12
