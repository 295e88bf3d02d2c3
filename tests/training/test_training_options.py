"""Options of training, through the trainer: rates, averages, styles, weights, the first output."""
import json

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tf
from utils.network import checkpoint
from utils.network.layers import filters_of_size_factor
from utils.network.losses import DEFAULT_TRAINING, total_loss
from utils.network.voca_model import UNAVERAGED, VocaModel
from utils.training import trainer
from utils.training.batches import Batches
from utils.training.config import Config, read_config, write_config
from utils.training.label_statistics import label_means
from utils.training.styles import style_of_subject

from tests.helpers.training_runs import small_config, small_subjects, start

EVERYTHING = dict(
    label_standardisation=True, start_at_mean=True, closure_weight=3.0, opening_weight=1.0,
    subject_styles=["1", "2"], letter_mask_rate=0.2, weight_average_decay=0.9,
    learning_rate_schedule="cosine", warmup_steps=5, num_consecutive_frames=3,
    acceleration_weight=0.5)


@pytest.fixture(scope="module")
def run_with_everything(tmp_path_factory):
    """(Trainer, its Result, config) of a run of 16 epochs with every option on.

    In four of them what is learnt is a matter of the seed.
    """
    config = small_config(tmp_path_factory.mktemp("everything"), learning_rate=1e-2, epoch_num=16,
                          **EVERYTHING)
    run = start(config)
    return run, run.run(), config


# ---- the config

def test_options_are_off_by_default_and_round_trip(tmp_path):
    on = {name for name, value in EVERYTHING.items()
          if getattr(Config(), name) == value} - {"num_consecutive_frames"}
    assert not on
    path = str(tmp_path / "c.cfg")
    config = Config(augmented_copies=2, **EVERYTHING)
    write_config(path, config)
    assert read_config(path).to_dict() == config.to_dict()


# ---- the learning rate

def test_cosine_falls_to_nothing_over_all_epochs():
    config = small_config("x", learning_rate=1e-3, learning_rate_schedule="cosine", epoch_num=4)
    rates = [trainer.learning_rate_of_step(config, step, 10) for step in (0, 20, 40, 41)]
    assert rates == pytest.approx([1e-3, 5e-4, 0.0, 0.0], abs=1e-12)


def test_warm_up_is_a_straight_line():
    config = small_config("x", learning_rate=1e-3, warmup_steps=4)
    rates = [trainer.learning_rate_of_step(config, step, 10) for step in (0, 1, 3, 4, 25)]
    assert rates == pytest.approx([2.5e-4, 5e-4, 1e-3, 1e-3, 1e-3])


# ---- the loss

def loss_of(predicted, targets, mask=None, **options):
    """total_loss of [2, 52] arrays, without a velocity term."""
    arrays = [np.asarray(array, np.float32)[:, :, np.newaxis, np.newaxis] for array in
              (predicted, targets, np.ones([2, NUM_BLENDSHAPES]) if mask is None else mask)]
    options = DEFAULT_TRAINING._replace(**dict({"velocity_weight": 0.0}, **options))
    with tf.Graph().as_default(), tf.Session() as session:
        return float(session.run(total_loss(*(list(map(tf.constant, arrays)) + [options]))["loss"]))


def errors(**by_channel):
    found = np.zeros([2, NUM_BLENDSHAPES])
    for name, value in by_channel.items():
        found[:, MODEL_CHANNELS.index(name)] = value
    return found


def test_standardised_errors_are_in_deviations():
    deviations = np.full(NUM_BLENDSHAPES, 0.1)
    deviations[MODEL_CHANNELS.index("mouthPucker")] = 0.01
    for channel, error in (("mouthPucker", 0.02), ("jawLeft", 0.2)):        # two deviations each
        value = loss_of(errors(**{channel: error}), errors(), channel_deviations=tuple(deviations))
        assert value == pytest.approx(4.0 / 52, rel=1e-5)


def test_the_opening_counts_besides_its_channels():
    predicted = errors(jawOpen=0.3, mouthClose=0.1)
    plain = loss_of(predicted, errors())
    assert loss_of(predicted, errors(), opening_weight=3.0) - plain == pytest.approx(
        3.0 * 0.2 ** 2, rel=1e-4)
    deviations = (0.1,) * NUM_BLENDSHAPES
    assert (loss_of(predicted, errors(), opening_weight=3.0, channel_deviations=deviations)
            - loss_of(predicted, errors(), channel_deviations=deviations)) == pytest.approx(
                3.0 * 2.0 ** 2, rel=1e-4)


def test_closures_weigh_in_the_batches():
    training, _ = small_subjects()
    weights = [np.linspace(1.0, 4.0, len(subject.targets)) for subject in training]
    batches = Batches(training, 4, 2, frame_weights=weights)
    _, _, mask = batches.gather(np.array([5, 39]))        # 39 runs in the first, of 40 frames
    np.testing.assert_allclose(mask[:, 7], np.concatenate([weights[0][5:7], weights[1][:2]]),
                               rtol=1e-6)


# ---- the first output

def test_start_at_the_mean(tmp_path):
    training, _ = small_subjects()
    training[0].mask[4] = training[1].mask[4] = 0.0
    means = label_means(training)
    run = trainer.start(small_config(tmp_path, start_at_mean=True), training, small_subjects()[1],
                        {"name": "n", "sha256": {"a": "b"}}, "data")
    outputs = run.model.predict(training[0].windows).mean(axis=0)
    known = np.arange(NUM_BLENDSHAPES) != 4
    np.testing.assert_allclose(outputs[known], means[known], atol=0.05)
    assert outputs[4] < 1e-3                            # untrained, whatever the mean


# ---- the average of the weights

def test_the_average_follows_the_weights():
    options = DEFAULT_TRAINING._replace(weight_average_decay=0.6)
    model = VocaModel(filters_of_size_factor(0.25), 8, options, seed=1)
    model.initialize()
    random = np.random.RandomState(0)
    windows = random.uniform(-9, 0, [4, WINDOW_FRAMES, NUM_LETTERS]).astype("f4")
    targets = random.uniform(size=[4, NUM_BLENDSHAPES]).astype("f4")
    name = "VOCA/ExpressionLayer/expression_offset/biases"
    variable = [variable for variable in model.variables if variable.op.name == name][0]
    expected = model.session.run(variable)
    for step in range(1, 8):
        model.train_step(windows, targets, 1e-2)
        # decay 2/11, 3/12 ... for a young average, 0.6 at most: (1 + step) / (10 + step)
        decay = min(0.6, (1.0 + step) / (10.0 + step))
        expected = decay * expected + (1.0 - decay) * model.session.run(variable)
    trained = model.session.run(variable)
    with model.averaged():
        np.testing.assert_allclose(model.session.run(variable), expected, atol=1e-6)
    np.testing.assert_array_equal(model.session.run(variable), trained)
    assert np.abs(trained - expected).max() > 1e-4


def test_a_checkpoint_runs_the_average_and_resumes_the_weights(run_with_everything):
    run, _, config = run_with_everything
    name = "VOCA/SpeechEncoder/fc2/weights"
    shapes = checkpoint.variable_shapes(run.last_good)
    assert name + UNAVERAGED in shapes and not [other for other in shapes if "Average" in other]
    saved = checkpoint.load_variables(run.last_good, {other: shapes[other] for other in
                                                      (name, name + UNAVERAGED)})
    assert np.abs(saved[name] - saved[name + UNAVERAGED]).max() > 0
    runs = VocaModel.from_checkpoint(run.last_good)
    variable = [variable for variable in runs.variables if variable.op.name == name][0]
    np.testing.assert_array_equal(runs.session.run(variable), saved[name])
    resumed = start(config, resume=True)
    variable = [variable for variable in resumed.model.variables if variable.op.name == name][0]
    np.testing.assert_array_equal(resumed.model.session.run(variable), saved[name + UNAVERAGED])


# ---- styles

@pytest.mark.parametrize("name, style", [("1.mp4", [1, 0, 0]), ("s1_a", [0, 1, 0]),
                                         ("s12", [0, 0, 1]), ("x", [1 / 3.0] * 3)])
def test_a_subject_has_the_longest_style_that_its_name_begins_with(name, style):
    np.testing.assert_allclose(style_of_subject(name, ["1", "s1", "s12"]), style, rtol=1e-6)


def test_no_styles_is_none():
    assert style_of_subject("1", []) is None


def test_batches_tell_the_style_of_each_frame():
    training, _ = small_subjects()
    batches = Batches(training, 4, 2, styles=[np.float32([1, 0]), np.float32([0, 1])])
    windows, _, _ = batches.of_step(3)
    styles = batches.styles_of_step(3)
    assert styles.shape == (8, 2)
    for window, style in zip(windows, styles):
        is_first = (training[0].windows == window).all(axis=(1, 2)).any()
        assert style.tolist() == ([1, 0] if is_first else [0, 1])
    assert len({tuple(style) for style in styles.tolist()}) == 2 and batches.any_masked is False


def test_style_chooses_and_the_mean_is_the_default(run_with_everything):
    run, result, _ = run_with_everything
    windows = small_subjects()[0][0].windows
    model = VocaModel.from_checkpoint(result.checkpoint)
    by_style = [VocaModel.from_checkpoint(result.checkpoint, style).predict(windows)
                for style in ("1", "2")]
    assert np.abs(by_style[0] - by_style[1]).max() > 1e-4
    np.testing.assert_allclose(model.predict(windows), model.predict(windows, [0.5, 0.5]),
                               atol=1e-6)
    np.testing.assert_allclose(by_style[1], model.predict(windows, [0.0, 1.0]), atol=1e-6)
    assert model.session.run("VOCA/SpeechEncoder/conv1/weights:0").shape[2] == NUM_LETTERS + 2


def test_an_unknown_style_is_told_in_one_line(run_with_everything, tmp_path):
    _, result, _ = run_with_everything
    with pytest.raises(UserError, match="has the styles 1, 2, and none called anna: give one"):
        VocaModel.from_checkpoint(result.checkpoint, "anna")
    plain = start(small_config(tmp_path, epoch_num=1))
    with pytest.raises(UserError, match="has no styles, and none called anna: leave out --style"):
        VocaModel.from_checkpoint(plain.run().checkpoint, "anna")


# ---- all together

def test_everything_at_once_learns_and_is_recorded(run_with_everything):
    run, result, config = run_with_everything
    assert result.best_loss < result.first_loss
    with open(result.checkpoint + ".json") as stream:
        recorded = json.load(stream)["config"]
    assert all(recorded[name] == value for name, value in EVERYTHING.items())


def test_a_resumed_run_with_everything_goes_on_alike(tmp_path):
    """Chance in the network too is drawn from the step, not from how often it was asked."""
    whole = start(small_config(tmp_path / "whole", epoch_num=2, **EVERYTHING))
    whole.run()
    config = small_config(tmp_path / "parts", epoch_num=2, **EVERYTHING)
    first = start(config)
    first.total_steps = first.batches.steps_per_epoch       # as if it was stopped there
    first.run()
    second = start(config, resume=True)
    second.run()
    windows = small_subjects()[1][0].windows
    np.testing.assert_allclose(second.model.predict(windows), whole.model.predict(windows),
                               atol=1e-6)


@pytest.mark.parametrize("name, value", [("subject_styles", ["1"]), ("augmented_copies", 3),
                                         ("weight_average_decay", 0.0)])
def test_resuming_with_another_network_or_data_is_refused(run_with_everything, name, value):
    _, _, config = run_with_everything
    other = Config(**dict(config.to_dict(), **{name: value}))
    with pytest.raises(UserError, match="it was trained with %s = " % name):
        start(other, resume=True)
