"""The network: its names and shapes, the published vectors, masks, and every op in use."""
import os

import numpy as np
import pytest

from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf
from utils.network.layers import filters_of_size_factor, halving_convolution
from utils.network.losses import DEFAULT_TRAINING
from utils.network.voca_model import VocaModel

# Variables of the published network at size factor 1 and expression_dim 50.
PUBLISHED_SHAPES = {
    "SpeechEncoder/batch_norm/beta": [1], "SpeechEncoder/batch_norm/gamma": [1],
    "SpeechEncoder/conv1/weights": [3, 1, 29, 32], "SpeechEncoder/conv1/biases": [32],
    "SpeechEncoder/conv2/weights": [3, 1, 32, 32], "SpeechEncoder/conv2/biases": [32],
    "SpeechEncoder/conv3/weights": [3, 1, 32, 64], "SpeechEncoder/conv3/biases": [64],
    "SpeechEncoder/conv4/weights": [3, 1, 64, 64], "SpeechEncoder/conv4/biases": [64],
    "SpeechEncoder/fc1/weights": [64, 128], "SpeechEncoder/fc1/biases": [128],
    "SpeechEncoder/fc2/weights": [128, 50], "SpeechEncoder/fc2/biases": [50],
    "ExpressionLayer/expression_offset/weights": [50, 52],
    "ExpressionLayer/expression_offset/biases": [52]}


def random_batch(num_windows, seed=1):
    random = np.random.RandomState(seed)
    return (random.standard_normal([num_windows, WINDOW_FRAMES, NUM_LETTERS]).astype(np.float32),
            random.uniform(size=[num_windows, NUM_BLENDSHAPES]).astype(np.float32))


@pytest.fixture
def model():
    model = VocaModel(training=DEFAULT_TRAINING, num_threads=1)
    model.initialize()
    yield model
    model.close()


def test_variables_are_the_published_ones(model):
    expected = {"VOCA/global_step": [], "VOCA/beta1_power": [], "VOCA/beta2_power": [],
                "VOCA/SpeechEncoder/batch_norm/moving_mean": [1],
                "VOCA/SpeechEncoder/batch_norm/moving_variance": [1]}
    for name, shape in PUBLISHED_SHAPES.items():
        expected["VOCA/" + name] = shape
        expected["VOCA/VOCA/%s/Adam" % name] = shape
        expected["VOCA/VOCA/%s/Adam_1" % name] = shape
    found = {variable.op.name: variable.shape.as_list() for variable in model.variables}
    assert found == expected


def test_tensors_have_the_published_names_and_shapes(model):
    tensors = {"VOCA/Inputs_encoder/speech_features:0": [None, 16, 29, 1],
               "VOCA/Target/target_vertices:0": [None, 52, 1, 1],
               "VOCA/Target/channel_mask:0": [None, 52, 1, 1],
               "VOCA/ExpressionLayer/output_decoder:0": [None, 52, 1, 1],
               "VOCA/Inputs_encoder/is_training:0": []}
    for name, shape in tensors.items():
        assert model.graph.get_tensor_by_name(name).shape.as_list() == shape


def test_every_op_is_used_by_training_saving_or_initialising(model):
    """A layer that nothing depends on would be dead weight in each checkpoint."""
    saver = model.saver.saver_def
    waiting = [model.train_op, model._initializer, model.output.op]
    waiting += [loss.op for losses in (model.losses, model.step_losses)
                for loss in losses.values()]
    waiting += [model.graph.get_operation_by_name(saver.restore_op_name),
                model.graph.get_tensor_by_name(saver.save_tensor_name).op]
    waiting += [variable.op for variable in model.variables]
    waiting += [variable.value().op for variable in model.variables]   # each variable's own read
    reached = set()
    while waiting:
        op = waiting.pop()
        if op not in reached:
            reached.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    # gradients() also makes the gradients of what no variable asks for
    unused = [op.name for op in model.graph.get_operations()
              if op not in reached and "/gradients/" not in op.name]
    assert unused == []


def test_published_output(reference_vectors):
    vectors = np.load(os.path.join(reference_vectors, "vectors.npz"))
    model = VocaModel.from_checkpoint(os.path.join(reference_vectors, "gstep_199800.model"))
    predicted = model.predict(vectors["windows"][:len(vectors["blendshapes"])])
    assert np.abs(predicted - vectors["blendshapes"]).max() < 1e-5


@pytest.mark.parametrize("batch_size", [None, 16])
def test_published_losses_and_ten_steps(batch_size, reference_vectors):
    """Of a graph for any batch, and of the quicker one for this batch size."""
    vectors = np.load(os.path.join(reference_vectors, "vectors.npz"))
    windows, targets = vectors["windows"][..., 0], vectors["targets"][..., 0, 0]
    model = VocaModel(training=DEFAULT_TRAINING._replace(batch_size=batch_size))
    model.restore(os.path.join(reference_vectors, "gstep_199800.model"))

    pairs = vectors["batch_index"]
    for mask in (None, np.ones_like(targets[pairs])):
        losses = model.evaluate(windows[pairs], targets[pairs], mask)
        for name, key in (("reconstruction_loss", "reconstruction_loss"),
                          ("velocity_loss", "velocity_loss"), ("loss", "total_loss")):
            assert losses[name] == pytest.approx(float(vectors[key]), rel=1e-5), key

    batches = [slice(32 * number, 32 * number + 32) for number in range(10)]
    step_losses = [model.train_step(windows[batch], targets[batch], 1e-3)["loss"]
                   for batch in batches]
    np.testing.assert_allclose(step_losses, vectors["train_losses"], rtol=1e-3)
    assert np.abs(model.predict(windows[:32]) - vectors["after_training"]).max() < 1e-3
    for statistic in ("moving_mean", "moving_variance"):
        value = model.session.run("VOCA/SpeechEncoder/batch_norm/%s:0" % statistic)
        np.testing.assert_allclose(value, vectors[statistic], rtol=1e-3)
    assert model.step == 10


@pytest.mark.parametrize("num_indices", [1, 5])
def test_a_graph_for_one_batch_size_learns_the_same(num_indices, tmp_path):
    """Styles and masks included, and a half that is larger than the other."""
    options = DEFAULT_TRAINING._replace(num_consecutive_frames=3)
    windows, targets = random_batch(3 * num_indices)
    mask = np.random.RandomState(3).uniform(size=targets.shape).astype(np.float32)
    styles = np.eye(2, dtype=np.float32)[np.arange(3 * num_indices) % 2]
    found = []
    for batch_size in (None, num_indices):
        model = VocaModel(training=options._replace(batch_size=batch_size), num_styles=2)
        path = str(tmp_path / "first")
        if batch_size is None:
            model.initialize()
            model.saver.save(model.session, path, write_meta_graph=False)
        else:
            model.saver.restore(model.session, path)
        losses = [model.train_step(windows, targets, 1e-2, mask, styles)["loss"]
                  for _ in range(5)]
        found.append(losses + model.predict(windows).ravel().tolist())
        assert losses[-1] < losses[0]
        model.close()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_letter_masks_leave_predictions_and_validation_losses_alone(tmp_path):
    masking = DEFAULT_TRAINING._replace(letter_mask_rate=0.9, batch_size=4)
    windows, targets = random_batch(8)
    path, found, last_losses = str(tmp_path / "first"), [], []
    for options in (DEFAULT_TRAINING, masking):
        model = VocaModel(training=options)
        if options is DEFAULT_TRAINING:
            model.initialize()
            model.saver.save(model.session, path, write_meta_graph=False)
        else:
            model.saver.restore(model.session, path)
        found.append(np.append(model.predict(windows), model.evaluate(windows, targets)["loss"]))
        last_losses.append([model.train_step(windows, targets, 1e-2)["loss"]
                            for _ in range(10)][-1])
        model.close()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert abs(last_losses[0] - last_losses[1]) > 1e-3


def test_moving_statistics_by_hand(model):
    """One step from mean 0, variance 1: a tenth of the way to the batch's own, Bessel-corrected."""
    windows, targets = random_batch(2)
    windows = windows * 3.0 + 2.0
    model.evaluate(windows, targets)
    names = ["VOCA/SpeechEncoder/batch_norm/moving_mean:0",
             "VOCA/SpeechEncoder/batch_norm/moving_variance:0"]
    assert [float(value[0]) for value in model.session.run(names)] == [0.0, 1.0]
    model.train_step(windows, targets, 1e-4)
    mean, variance = model.session.run(names)
    assert mean[0] == pytest.approx(0.1 * windows.mean(), rel=1e-5)
    assert variance[0] == pytest.approx(0.9 + 0.1 * windows.var(ddof=1), rel=1e-5)


def test_a_masked_channel_is_not_trained(model):
    """Its bias, which only its own error moves, stays; the others move."""
    windows, targets = random_batch(8)
    mask = np.ones_like(targets)
    mask[:, 5] = 0.0
    biases = "VOCA/ExpressionLayer/expression_offset/biases:0"
    before = model.session.run(biases)
    for _ in range(3):
        model.train_step(windows, targets, 1e-2, mask)
    moved = model.session.run(biases) != before
    assert not moved[5] and moved[np.arange(NUM_BLENDSHAPES) != 5].all()


def test_a_masked_target_changes_nothing(model):
    windows, targets = random_batch(8)
    mask = np.ones_like(targets)
    mask[:, 5] = 0.0
    other = targets.copy()
    other[:, 5] = 100.0
    assert model.evaluate(windows, targets, mask) == model.evaluate(windows, other, mask)
    assert model.evaluate(windows, targets)["loss"] != model.evaluate(windows, other)["loss"]


def test_same_seed_same_weights_and_loss_falls():
    windows, targets = random_batch(8)
    first, second = [VocaModel(training=DEFAULT_TRAINING, seed=3) for _ in range(2)]
    for model in (first, second):
        model.initialize()
    np.testing.assert_array_equal(first.predict(windows), second.predict(windows))
    losses = [first.train_step(windows, targets, 1e-2)["loss"] for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_prediction_does_not_depend_on_the_batch(model, monkeypatch):
    windows, _ = random_batch(7)
    whole = model.predict(windows)
    monkeypatch.setattr("utils.network.voca_model.PREDICT_BATCH_WINDOWS", 3)
    np.testing.assert_allclose(model.predict(windows), whole, atol=1e-6)
    assert model.predict(windows[:0]).shape == (0, NUM_BLENDSHAPES)
    assert (0 < whole).all() and (whole < 1).all()


def test_size_factor_and_acceleration():
    assert filters_of_size_factor(0.5) == (16, 16, 32, 32)
    options = DEFAULT_TRAINING._replace(num_consecutive_frames=3, acceleration_weight=2.0,
                                        verts_regularizer_weight=0.5)
    model = VocaModel(filters_of_size_factor(0.5), 20, options)
    model.initialize()
    windows, targets = random_batch(6)
    losses = model.evaluate(windows, targets)
    errors = (model.predict(windows) - targets).reshape(2, 3, NUM_BLENDSHAPES)
    acceleration = 2.0 * np.square(errors[:, 0] - 2 * errors[:, 1] + errors[:, 2]).mean()
    assert losses["acceleration_loss"] == pytest.approx(acceleration, rel=1e-5)
    parts = [losses[name + "_loss"] for name in ("reconstruction", "velocity", "acceleration")]
    regularizer = 0.5 * model.predict(windows).mean()
    assert losses["loss"] == pytest.approx(sum(parts) + regularizer, rel=1e-5)


def test_halving_convolution_is_conv2d():
    """By value and by both gradients, at each number of frames that the network has."""
    random = np.random.RandomState(2)
    for frames, channels, filters in ((16, 29, 32), (8, 32, 32), (4, 32, 64), (2, 64, 64)):
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.constant(random.standard_normal([5, frames, channels]), tf.float32)
            weights = tf.constant(random.standard_normal([3, 1, channels, filters]), tf.float32)
            factors = tf.constant(random.standard_normal([5, frames // 2, filters]), tf.float32)
            ours = halving_convolution(x, weights)
            true = tf.nn.conv2d(x[:, :, tf.newaxis], weights, strides=[1, 2, 1, 1],
                                padding="SAME")[:, :, 0]
            pairs = session.run([(ours, true)] + list(zip(
                tf.gradients(ours * factors, [x, weights]),
                tf.gradients(true * factors, [x, weights]))))
        for found, expected in pairs:
            assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_batch_norm_inside_conv1_is_batch_norm_before_it(model):
    """In training and not, with a scale and an offset that are not 1 and 0."""
    windows, targets = random_batch(6)
    windows = 4.0 * windows - 7.0
    values = {"gamma": 1.7, "beta": -0.4, "moving_mean": -6.0, "moving_variance": 9.0}
    with model.graph.as_default():
        session, encoder = model.session, "VOCA/SpeechEncoder/"
        for variable in model.variables:
            name = variable.op.name.replace(encoder + "batch_norm/", "")
            if name in values:
                session.run(variable.initializer, {
                    variable.initializer.inputs[1]: np.float32([values[name]])})
        weights, biases = session.run([encoder + "conv1/weights:0", encoder + "conv1/biases:0"])
        first_layer = model.graph.get_tensor_by_name(encoder + "conv1/Relu:0")
        for is_training, mean, variance in ((False, -6.0, 9.0),
                                            (True, windows.mean(), windows.var())):
            normalised = (windows - mean) / np.sqrt(variance + 1e-5) * 1.7 - 0.4
            padded = np.pad(normalised, [(0, 0), (0, 1), (0, 0)], "constant")   # [6, 17, 29]
            expected = biases + sum(padded[:, tap:tap + 15:2].dot(weights[tap, 0])
                                    for tap in range(3))                        # [6, 8, 32]
            found = session.run(first_layer, model._feed(windows, targets, None, is_training))
            np.testing.assert_allclose(found, np.maximum(expected, 0.0), atol=1e-6)
