"""utils/acoustic_training/network.py: weights, their gradient, and unknown letters."""
import os

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from utils.acoustic_training import graph_files, network, training_graph
from utils.acoustic_training.letter_alignment import UNKNOWN_LETTER
from utils.common.constants import BLANK_INDEX, PROBABILITY_FLOOR
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.mfcc import mfcc_of_samples
from utils.deepspeech.vtlp import STRETCHES, VtlpAveragedGraph
from utils.media.audio import read_audio
from utils.speech.phones import PHONES

MINI_PB = os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini", "output_graph.pb")


def test_the_weights_of_a_graph_can_be_trained_on():
    weights = graph_files.weights_to_train(MINI_PB)
    held = graph_files.weights_of_pb(MINI_PB)
    with tf.Graph().as_default(), tf.Session() as session:
        plain = session.run(network.plain_weights(
            {name: tf.constant(value) for name, value in weights.items()}))
    assert set(plain) == set(network.weight_shapes(network.width_of(weights)))
    for name, value in plain.items():
        np.testing.assert_allclose(value, held[name], atol=1e-4, err_msg=name)


def test_the_mean_of_two_networks_lies_between_them_on_the_grid():
    weights = graph_files.weights_to_train(MINI_PB)
    held = graph_files.weights_of_pb(MINI_PB)
    same = network.mean_weights(weights, weights)
    for name in held:
        np.testing.assert_allclose(same[name], held[name], atol=1e-4, err_msg=name)
    name = "layer_5/weights"
    smaller = dict(weights, **{name: weights[name] / np.float32(2.0)})
    mean = network.mean_weights(weights, smaller)[name]
    grid = np.abs(mean).max() / 127.0
    np.testing.assert_allclose(mean, 0.75 * held[name], atol=0.51 * grid)
    np.testing.assert_allclose(mean / grid, np.round(mean / grid), atol=1e-3)
    with pytest.raises(ValueError, match="networks of 400 and 32 units have no mean"):
        network.mean_weights(weights, network.random_weights(32, seed=1))


def scores_of(weights, mfccs):
    """Letter scores [steps, 29] of contexts [steps, 494]: the network in numpy."""
    def dense(inputs, layer):
        return np.clip(inputs.dot(weights["layer_%d/weights" % layer])
                       + weights["layer_%d/bias" % layer], 0.0, 20.0)

    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    hidden = mfccs
    for layer in (1, 2, 3):
        hidden = dense(hidden, layer)
    width = hidden.shape[1]
    cell, state, outputs = np.zeros(width), np.zeros(width), []
    for row in hidden:
        gates = np.concatenate([row, state]).dot(
            weights[network.LSTM_KERNEL]) + weights[network.LSTM_BIAS]
        gate_in, candidate, forget, out = np.split(gates, 4)
        cell = cell * sigmoid(forget + 1.0) + sigmoid(gate_in) * np.tanh(candidate)
        state = np.tanh(cell) * sigmoid(out)
        outputs.append(state)
    return (dense(np.array(outputs), 5).dot(weights["layer_6/weights"])
            + weights["layer_6/bias"])


def test_a_wider_network_says_at_first_almost_the_same():
    weights = network.random_weights(32, seed=1)
    wide = network.widened(weights, 48, seed=2)
    assert {name: value.shape for name, value in wide.items()} == dict(
        network.weight_shapes(48))
    contexts = np.random.RandomState(3).randn(30, network.CONTEXT_SIZE)
    before, after = scores_of(weights, contexts), scores_of(wide, contexts)
    assert np.abs(after - before).std() < 0.15 * before.std()
    unrelated = scores_of(network.random_weights(48, seed=2), contexts)
    assert np.abs(unrelated - before).std() > 0.5 * before.std()
    same = network.widened(weights, 32, seed=2)
    np.testing.assert_allclose(scores_of(same, contexts), before, atol=1e-5)


def test_a_pb_holds_what_is_on_the_grid_in_eight_bits(tmp_path):
    variables = network.random_weights(64, seed=1)
    on_grid = network.mean_weights(variables, variables)
    paths = [str(tmp_path / name) for name in ("eight.pb", "floats.pb")]
    graph_files.write_pb(paths[0], on_grid)
    graph_files.write_pb(paths[1], variables)
    assert os.path.getsize(paths[0]) < 0.4 * os.path.getsize(paths[1])
    contexts = 10.0 * np.random.RandomState(3).randn(16, 19, 26).astype(np.float32)
    for path, weights in zip(paths, (on_grid, variables)):
        held = graph_files.weights_of_pb(path)
        assert set(held) == set(weights)
        for name, value in weights.items():
            np.testing.assert_allclose(held[name], value, rtol=1e-5, err_msg=name)
        graph = load_acoustic_graph(path)
        probabilities, _ = graph.run(contexts, graph.zero_state())
        expected = np.exp(scores_of(weights, contexts.reshape(16, -1)))
        np.testing.assert_allclose(probabilities, expected / expected.sum(1, keepdims=True),
                                   rtol=1e-4, atol=1e-5)
    assert "layer_2/weights_eight_bits".encode() in (tmp_path / "eight.pb").read_bytes()


def test_unknown_letters_have_no_spelling_loss():
    width, num_frames, blank = 8, 12, BLANK_INDEX
    random = np.random.RandomState(0)
    initial = network.random_weights(width, seed=1)
    initial.update(training_graph.random_phone_weights(len(PHONES), seed=1))
    letters = np.full((3, num_frames), blank)
    letters[0, 3:6], letters[1, 3:6], letters[1, 8:10] = 2, 4, UNKNOWN_LETTER
    letters[2] = UNKNOWN_LETTER
    frame_weights = random.randint(1, 5, letters.shape)
    with tf.Graph().as_default(), tf.Session() as session:
        graph = training_graph.training_graph(width, num_frames, initial)
        session.run(tf.global_variables_initializer())

        def losses(chosen):
            lanes = len(chosen)
            return session.run(
                [graph.letter_loss, graph.ctc_loss, graph.logits, graph.letter_accuracy,
                 graph.train], {
                    graph.mfccs: random.randn(lanes, num_frames + 18, 26), graph.letters: chosen,
                    graph.phones: np.zeros((lanes, num_frames), int), graph.ctc_weight: 1.0,
                    graph.frame_weights: frame_weights[:lanes],
                    graph.learning_rate: 1e-3, graph.letter_weight: 1.0,
                    graph.states[0]: (np.zeros((lanes, width)), np.zeros((lanes, width)))})
        letter_loss, ctc_loss, logits, accuracy, _ = losses(letters)
        # The first lane alone is spelled from end to end.
        spelled = session.run(training_graph.spelling_loss(
            tf.constant(letters[:1], tf.int32), tf.constant(logits[:, :1])))
        unknown = losses(letters[2:])
        weights = session.run(graph.plain)
    known = letters.T != UNKNOWN_LETTER
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    said = np.take_along_axis(probabilities, np.maximum(letters.T, 0)[..., np.newaxis], 2)[..., 0]
    assert letter_loss == pytest.approx(
        np.average(-np.log(said[known]), weights=frame_weights.T[known]), rel=1e-4)
    assert accuracy == pytest.approx((logits.argmax(-1) == letters.T)[known].mean())
    assert ctc_loss == pytest.approx(spelled / 3.0, rel=1e-4) and ctc_loss > 0.0
    assert unknown[0] == unknown[1] == 0.0
    assert all(np.isfinite(value).all() for value in weights.values())


def test_teachers_give_the_mean_of_their_files_over_three_vtlp_copies():
    num_frames, teacher = 32, graph_files.weights_of_pb(MINI_PB)
    samples = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
    mfccs = np.pad(mfcc_of_samples(samples), ((9, 9), (0, 0)), "constant")
    expected = letter_probabilities(VtlpAveragedGraph(load_acoustic_graph(MINI_PB)), samples)
    with tf.Graph().as_default(), tf.Session() as session:
        fed = tf.placeholder(tf.float32, [1, num_frames + 18, 26])
        states = [tuple(tf.placeholder(tf.float32, [1, 400]) for _ in "ch") for _ in STRETCHES]
        said, new_states = training_graph.mean_of_teachers(fed, num_frames, [teacher], states)
        state, found = [(np.zeros((1, 400)),) * 2] * len(STRETCHES), []
        for first in (0, num_frames):
            values = dict(zip(states, state))
            values[fed] = mfccs[np.newaxis, first:first + num_frames + 18]
            scores, state = session.run([said, new_states], values)
            found.append(np.exp(scores[:, 0]))
    np.testing.assert_allclose(np.concatenate(found), expected[:2 * num_frames], atol=1e-3)


def test_what_mean_of_teachers_is_learnt():
    width, num_frames, lanes = 8, 12, 4
    random = np.random.RandomState(0)
    initial = network.random_weights(width, seed=1)
    initial.update(training_graph.random_phone_weights(len(PHONES), seed=1))
    teachers = [network.random_weights(units, seed=units) for units in (6, 10)]
    with tf.Graph().as_default(), tf.Session() as session:
        graph = training_graph.training_graph(width, num_frames, initial, teachers)
        session.run(tf.global_variables_initializer())
        fed = {part: np.zeros((lanes, int(part.shape[-1]))) for state in graph.states
               for part in state}
        assert len(graph.states) == 1 + 2 * len(STRETCHES)
        fed.update({
            graph.mfccs: random.randn(lanes, num_frames + 18, 26), graph.learning_rate: 1e-2,
            graph.letters: np.full((lanes, num_frames), UNKNOWN_LETTER), graph.ctc_weight: 0.0,
            graph.phones: np.zeros((lanes, num_frames), int), graph.letter_weight: 1.0,
            graph.frame_weights: np.ones((lanes, num_frames))})
        losses = [session.run([graph.teacher_loss, graph.train], fed)[0] for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]


def test_the_distillation_loss_by_hand():
    random = np.random.RandomState(0)
    logits, other = random.randn(2, 3, 5, 29) * 6.0
    counts = random.randint(1, 5, (3, 5))
    log_p, log_q = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (other, logits))
    floor = np.log(PROBABILITY_FLOOR)
    assert log_p.min() < floor and log_q.min() < floor
    squares = np.square(np.maximum(log_p, floor) - np.maximum(log_q, floor)).mean(-1)
    expected = np.average((np.exp(log_p) * (log_p - log_q)).sum(-1) + 0.1 * squares,
                          weights=counts)
    with tf.Graph().as_default(), tf.Session() as session:
        found, nothing = session.run([
            training_graph.distillation_loss(*(tf.constant(x, tf.float32) for x in parts))
            for parts in ((logits, log_p, counts), (log_p, log_p, counts))])
    assert found == pytest.approx(expected, rel=1e-4) and abs(nothing) < 1e-5


@pytest.mark.parametrize("in_bfloat16, tolerance", [(False, 1e-5), (True, 0.03)])
def test_the_trained_lstm_and_its_gradient_are_tensorflows(in_bfloat16, tolerance):
    width, num_steps, lanes = 7, 5, 3
    weights = network.random_weights(width, seed=1)

    def outputs_and_gradients(lstm):
        random = np.random.RandomState(0)

        def constant(*shape):
            return tf.constant(random.randn(*shape), tf.float32)

        with tf.Graph().as_default(), tf.Session() as session:
            inputs, state_c, state_h = (constant(num_steps, lanes, width), constant(lanes, width),
                                        constant(lanes, width))
            learnt = {name: tf.constant(weights[name]) for name in (
                network.LSTM_KERNEL, network.LSTM_BIAS)}
            cells, outputs = lstm(inputs, state_c, state_h, learnt)
            loss = (tf.reduce_sum(cells * constant(num_steps, lanes, width))
                    + tf.reduce_sum(outputs * constant(num_steps, lanes, width)))
            return session.run([cells, outputs] + tf.gradients(
                loss, [inputs, state_c, state_h] + list(learnt.values())))

    ours = outputs_and_gradients(lambda *given: network.trained_lstm(*given, in_bfloat16))
    theirs = outputs_and_gradients(
        lambda inputs, *given: network.block_lstm(inputs, num_steps, *given))
    for found, expected in zip(ours, theirs):
        assert np.abs(expected).max() > 0.5
        np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())
