"""Training: exact resuming, any death survived, NaN stopped, batches and tables by hand."""
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

import run_training
from tests.helpers import training_runs
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here, run_process
from tests.helpers.training_runs import small_config, small_subject, small_subjects, start
from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import NUM_BLENDSHAPES
from utils.common.errors import UserError
from utils.common.folder_lock import folder_lock
from utils.network import checkpoint
from utils.network.voca_model import SILENT_LOGIT, VocaModel
from utils.training import run_folder, trainer, validation
from utils.training.batches import Batches
from utils.training.config import Config, read_config, write_config
from utils.training.label_statistics import label_means
from utils.training.progress_line import ProgressLine, duration_text


def folder_of(config):
    return run_folder.checkpoints_folder(config)


# ---- batches

def numbered_subject(name, first, num_frames, mask=None):
    """Frame f's windows and targets are all first + f."""
    subject = small_subject(name, num_frames, 0, mask)
    numbers = first + np.arange(num_frames, dtype=np.float32)
    subject.windows[:] = numbers[:, None, None]
    subject.targets[:] = numbers[:, None]
    return subject


def test_batches_hold_consecutive_frames_of_one_subject():
    subjects = [numbered_subject("a", 0, 5), numbered_subject("b", 100, 2),
                numbered_subject("c", 200, 7)]
    batches = Batches(subjects, 3, 3, seed=1)
    assert batches.num_indices == 3 + 0 + 5 and batches.steps_per_epoch == 2
    first_frames = []
    for step in range(batches.steps_per_epoch):
        windows, targets, mask = batches.of_step(step)
        assert windows.shape == (9, 16, 29) and targets.shape == (9, 52) and mask is None
        frames = targets[:, 0].reshape(3, 3)
        np.testing.assert_array_equal(np.diff(frames), 1.0)
        np.testing.assert_array_equal(windows[:, 7, 3], targets[:, 40])
        first_frames += list(frames[:, 0])
    assert len(set(first_frames)) == 6
    assert set(first_frames) <= {0, 1, 2, 200, 201, 202, 203, 204}


def test_batches_carry_each_subjects_mask():
    half = np.arange(NUM_BLENDSHAPES) < 26
    batches = Batches([numbered_subject("a", 0, 4), numbered_subject("b", 100, 4, half)], 6, 2)
    _, targets, mask = batches.of_step(0)
    assert batches.any_masked and len(targets) == 12
    np.testing.assert_array_equal(mask[targets[:, 0] < 100], 1.0)
    np.testing.assert_array_equal(mask[targets[:, 0] >= 100], np.tile(half, [6, 1]))


def test_shuffling_follows_from_seed_and_step():
    subjects = [numbered_subject("a", 0, 41)]
    first = Batches(subjects, 10, 2, seed=5)
    straight = [first.of_step(step)[1] for step in range(8)]
    second = Batches(subjects, 10, 2, seed=5)           # begins in the middle of an epoch
    np.testing.assert_array_equal(second.of_step(6)[1], straight[6])
    assert not np.array_equal(straight[0], straight[4])         # another order each epoch
    assert not np.array_equal(Batches(subjects, 10, 2, seed=6).of_step(0)[1], straight[0])
    of_epoch = np.concatenate([targets[::2, 0] for targets in straight[:4]])
    assert sorted(of_epoch) == list(range(40))
    # the very order: a run that began with an earlier release goes on alike
    order = np.random.RandomState([5, 1]).permutation(40)
    np.testing.assert_array_equal(straight[5][::2, 0], order[10:20])


def test_few_frames_make_one_small_batch_and_too_few_an_error():
    assert Batches([numbered_subject("a", 0, 4)], 64, 2).of_step(3)[0].shape[0] == 6
    with pytest.raises(UserError, match="subjects a have no 3 consecutive frames that are valid"):
        Batches([numbered_subject("a", 0, 2)], 64, 3)


def test_only_runs_of_valid_frames_are_learnt():
    """Frames 3, 7 and 8 of ten are not valid: pairs begin at 0, 1, 4 and 5."""
    subject = numbered_subject("a", 0, 10)
    subject.valid[[3, 7, 8]] = False
    subject.targets[~subject.valid] = -1.0
    batches = Batches([subject, numbered_subject("b", 100, 3)], 6, 2)
    assert batches.num_indices == 6
    assert sorted(batches.of_step(0)[1][::2, 0]) == [0, 1, 4, 5, 100, 101]
    (_, targets, _, num_indices), = batches.in_order()
    assert num_indices == 6 and targets[:, 0].tolist() == [0, 1, 1, 2, 4, 5, 5, 6,
                                                           100, 101, 101, 102]
    assert Batches([subject], 6, 3).gather([0, 1])[1][:, 0].tolist() == [0, 1, 2, 4, 5, 6]
    with pytest.raises(UserError, match="a have no 4 consecutive frames that are valid"):
        Batches([subject], 6, 4)


def test_hours_on_disk_stay_on_disk(tmp_path):
    """Two hours are 400 MB of windows and 45 MB of targets; an index of them takes a few."""
    subject = small_subject("a", 4, 0)
    num_frames = 2 * 3600 * 30
    subject.windows, subject.targets = [
        np.lib.format.open_memmap(str(tmp_path / name), "w+", np.float32, (num_frames,) + shape)
        for name, shape in (("windows.npy", (16, 29)), ("targets.npy", (NUM_BLENDSHAPES,)))]
    subject.valid = np.ones(num_frames, bool)
    tracemalloc.start()
    try:
        batches = Batches([subject], 64, 2)
        windows, _, _ = batches.of_step(0)
        mean = label_means([subject])
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert batches.num_indices == num_frames - 1 and windows.shape == (128, 16, 29)
    assert peak_bytes < 8e6 and not mean.any()


# ---- runs

def test_a_run_learns_and_leaves_what_it_should(tmp_path):
    config = small_config(tmp_path, epoch_num=12, learning_rate=5e-3)
    stream = io.StringIO()
    result = start(config, stream=stream).run()
    assert not result.interrupted and result.step == 12 * 15
    steps = [step for step, _ in checkpoint.list_checkpoints(folder_of(config))]
    assert steps == list(range(90, 181, 10))                    # the last ten
    assert read_config(os.path.join(folder_of(config), "training_config.cfg")).to_dict() \
        == config.to_dict()
    assert "step 180/180" in stream.getvalue() and "0:00 left" in stream.getvalue()
    # the best is apart, alone, with its loss, and is what the result names
    (best_step, best), = checkpoint.list_checkpoints(run_folder.best_folder(config))
    info = checkpoint.read_checkpoint_info(best)
    assert result.checkpoint == best and info["step"] == best_step
    assert info["config"] == config.to_dict() and info["channels"] == list(MODEL_CHANNELS)
    assert info["data_fingerprint"] == "data 1" and info["acoustic_graph"] == training_runs.GRAPH
    assert not [name for name in os.listdir(folder_of(config)) if name.startswith(".part")]
    assert result.best_loss == pytest.approx(info["validation_loss"])
    assert result.best_loss < 0.5 * result.first_loss == 0.5 * info["first_validation_loss"]
    # it learnt: better than the training mean, and the scores are those of the best checkpoint
    mean_of = {field: np.mean([getattr(score, field) for score in result.scores])
               for field in ("mae", "mean_mae")}
    assert len(result.scores) == 52 and mean_of["mae"] < 0.8 * mean_of["mean_mae"]
    subject = small_subjects()[1][0]
    predicted = VocaModel.from_checkpoint(best).predict(subject.windows)
    errors = np.abs(predicted - subject.targets).mean(axis=0)
    np.testing.assert_allclose([score.mae for score in result.scores], errors, rtol=1e-5)


def test_the_best_is_the_one_with_the_lowest_validation_loss(tmp_path, monkeypatch):
    """Validated each epoch, with losses that go up and down; the first is of the first weights."""
    losses = iter([0.1, 0.8, 0.5, 0.6, 0.3, 0.4, 0.7])

    def given(*args):
        return dict(validation_losses(*args), loss=next(losses))

    validation_losses = validation.validation_losses
    monkeypatch.setattr(validation, "validation_losses", given)
    monkeypatch.setattr(trainer, "VALIDATION_INTERVAL_STEPS", 1)
    config = small_config(tmp_path, epoch_num=6, checkpoint_interval=1000)
    result = start(config).run()
    assert next(losses, None) is None and result.best_loss == 0.3
    (best_step, best), = checkpoint.list_checkpoints(run_folder.best_folder(config))
    assert best_step == 15 * 4 and result.checkpoint == best


def weights_of(prefix):
    return checkpoint.load_variables(prefix, checkpoint.variable_shapes(prefix))


def test_resuming_is_exact(tmp_path):
    """60 steps at once, or 20 and after a restart 40 more: the same weights and Adam slots."""
    straight, halves = small_config(tmp_path / "a"), small_config(tmp_path / "b")
    start(straight).run()
    first = start(halves)
    for _ in range(20):                         # killed in the second epoch: nothing is closed
        first._train_step(NoSummaries(), ProgressLine(io.StringIO(), 0, 60, 4))
    assert checkpoint.list_checkpoints(folder_of(halves))[-1][0] == 20
    resumed = start(halves, resume=True)
    assert resumed.step == 20
    resumed.run()
    ours, theirs = [weights_of(os.path.join(folder_of(config), "gstep_60.model"))
                    for config in (straight, halves)]
    assert len(ours) == 53
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


class NoSummaries(object):
    def add_losses(self, *_):
        pass

    add_region_errors = add_scorecard = add_picture = add_losses


def test_an_existing_run_wants_a_word(tmp_path):
    config = small_config(tmp_path, epoch_num=1)
    with pytest.raises(UserError, match="no run to resume"):
        start(config, resume=True)
    start(config).run()
    before = sorted(os.listdir(folder_of(config)))
    with pytest.raises(UserError, match="--resume.*--overwrite"):
        start(config)
    assert sorted(os.listdir(folder_of(config))) == before
    # a finished run goes on when there are more epochs
    stream = io.StringIO()
    assert start(config, resume=True, stream=stream).run().scores is not None
    assert "raise epoch_num" in stream.getvalue()
    longer = small_config(tmp_path, epoch_num=2)
    assert start(longer, resume=True).run().step == 30


def test_overwrite_removes_the_run_and_nothing_else(tmp_path):
    config = small_config(tmp_path, epoch_num=1)
    start(config).run()
    for place in (tmp_path, tmp_path / "checkpoints", tmp_path / "summaries" / "train"):
        (place / "mine.txt").write_text("keep")
    start(config, overwrite=True)
    assert checkpoint.list_checkpoints(folder_of(config)) == []
    assert checkpoint.list_checkpoints(run_folder.best_folder(config)) == []
    assert os.listdir(str(tmp_path / "summaries" / "train")) == ["mine.txt"]
    assert (tmp_path / "mine.txt").exists() and (tmp_path / "checkpoints" / "mine.txt").exists()


def test_resuming_something_else_is_refused(tmp_path):
    config = small_config(tmp_path, epoch_num=1)
    start(config).run()
    with pytest.raises(UserError, match="trained with batch_size = 4, the config has 8"):
        start(small_config(tmp_path, batch_size=8), resume=True)
    training, validation_subjects = small_subjects()
    with pytest.raises(UserError, match="training data is not what it was"):
        trainer.start(config, training, validation_subjects, training_runs.GRAPH, "data 2", True)
    other = {"name": "other", "sha256": {"output_graph.pb": "cd"}}
    with pytest.raises(UserError, match="features of none, but deepspeech_graph_fname is other"):
        trainer.start(config, training, validation_subjects, other, "data 1", True)


def test_a_run_with_a_removed_option_goes_on_and_says_so(tmp_path):
    config = small_config(tmp_path, epoch_num=1)
    prefix = start(config).run().checkpoint
    with open(prefix + ".json") as stream:
        record = json.load(stream)
    last = checkpoint.list_checkpoints(folder_of(config))[-1][1]
    for value, said in ((0.0, ""), (0.2, "trained with dropout_rate = 0.2, an option that was")):
        record["config"].update(dropout_rate=value, region_weights={})
        with open(last + ".json", "w") as stream:
            json.dump(record, stream)
        stream = io.StringIO()
        start(config, resume=True, stream=stream)
        assert stream.getvalue().count("warning") == bool(said) and said in stream.getvalue()


def test_published_checkpoint_goes_on_with_its_own_features(tmp_path, reference_vectors):
    """It has no record: its features were of the reference profile, its losses start there."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for suffix in (checkpoint.INDEX_SUFFIX, checkpoint.DATA_SUFFIX):
        shutil.copy(os.path.join(reference_vectors, "gstep_199800.model" + suffix), str(folder))
    values = dict(speech_encoder_size_factor=1.0, expression_dim=50)
    with pytest.raises(UserError, match="feature_profile = reference, the config has deepspeech"):
        start(small_config(tmp_path, **values), resume=True)
    run = start(small_config(tmp_path, feature_profile="reference", **values), resume=True)
    assert run.last_good == str(folder / "gstep_199800.model")


def test_validation_on_nothing_is_refused(tmp_path):
    run = start(small_config(tmp_path))
    with pytest.raises(UserError, match="subjects v have no 2 consecutive valid frames"):
        validation.validation_losses(run.model, [small_subject("v", 1, 0)], 2)


def test_nan_stops_with_step_and_last_good_checkpoint(tmp_path):
    config = small_config(tmp_path)
    training, validation_subjects = small_subjects()
    run = start(config, subjects=(training, validation_subjects))
    summaries, line = NoSummaries(), ProgressLine(io.StringIO(), 0, 60, 4)
    for _ in range(12):
        run._train_step(summaries, line)
    for subject in training:
        subject.targets[:] = np.nan
    with pytest.raises(UserError, match=r"loss is nan at step 12 of 60.*gstep_10\.model"):
        run.run()
    assert checkpoint.list_checkpoints(folder_of(config))[-1][0] == 10


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    run = start(small_config(tmp_path))
    bias = [variable for variable in run.model.variables if variable.op.name.endswith("fc1/biases")]
    run.model.session.run(bias[0].initializer, {
        bias[0].initializer.inputs[1]: np.full([128], np.inf, np.float32)})
    with pytest.raises(UserError, match="weight is no longer a finite number.*no checkpoint yet"):
        run._save()
    assert checkpoint.list_checkpoints(folder_of(run.config)) == []


def test_masked_training_leaves_a_channel_at_rest(tmp_path):
    """A channel that no subject has is silenced and stays so; the table leaves it out."""
    mask = np.ones(NUM_BLENDSHAPES)
    mask[5] = 0.0
    subjects = ([small_subject("1.mp4", 40, 1, mask)], [small_subject("11.mp4", 30, 3, mask)])
    config = small_config(tmp_path, epoch_num=1)
    result = start(config, subjects=subjects).run()
    weights = weights_of(result.checkpoint)
    biases = weights["VOCA/ExpressionLayer/expression_offset/biases"]
    assert biases[5] == SILENT_LOGIT and (np.delete(biases, 5) != 0.0).all()
    assert not weights["VOCA/ExpressionLayer/expression_offset/weights"][:, 5].any()
    assert MODEL_CHANNELS[5] not in [score.name for score in result.scores]
    assert len(result.scores) == 51


def test_learning_rate_is_a_staircase():
    config = small_config("x", learning_rate=1e-3, decay_rate=0.5)
    assert [trainer.learning_rate_of_step(config, step, 10) for step in (0, 9, 10, 29)] \
        == [1e-3, 1e-3, 5e-4, 2.5e-4]


# ---- death

def spawn(folder, how):
    return subprocess.Popen([sys.executable, "-m", "tests.helpers.training_runs", str(folder),
                             "100000", how], cwd=REPOSITORY,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True)


def wait_for_step(process, config, step):
    deadline = time.time() + 90
    while time.time() < deadline:
        found = checkpoint.list_checkpoints(folder_of(config))
        if found and found[-1][0] >= step:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    process.kill()
    pytest.fail("no checkpoint of step %d came: %s" % (step, process.communicate()[0]))


def test_kill_9_then_resume_then_a_stop(tmp_path):
    config = small_config(tmp_path)
    process = spawn(tmp_path, "new")
    wait_for_step(process, config, 30)
    process.kill()                                              # SIGKILL
    process.communicate()
    for folder in (folder_of(config), run_folder.best_folder(config)):
        for _, prefix in checkpoint.list_checkpoints(folder):   # each is whole, with its record
            assert all(np.isfinite(value).all() for value in weights_of(prefix).values())
            assert checkpoint.read_checkpoint_info(prefix)["data_fingerprint"] == "data 1"

    for number, name in ((signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")):
        last_step = checkpoint.list_checkpoints(folder_of(config))[-1][0]
        process = spawn(tmp_path, "resume")
        wait_for_step(process, config, last_step + 20)
        process.send_signal(number)
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 130 and "Traceback" not in output
        stopped = re.search(r"stopped by %s at step (\d+) of \d+; saved (\S+); go on" % name,
                            output)
        assert int(stopped.group(1)) == checkpoint.list_checkpoints(folder_of(config))[-1][0]
        assert os.path.isfile(stopped.group(2) + ".index")


# ---- tables and lines

def test_scores_by_hand():
    mask = np.zeros(NUM_BLENDSHAPES)
    mask[:2] = 1.0
    subject = small_subject("v", 4, 0, mask)
    subject.targets[:] = 0.0
    subject.targets[:, 0] = [0.0, 1.0, 0.0, 1.0]
    predicted = np.zeros([4, NUM_BLENDSHAPES], np.float32)
    predicted[:, 0] = [0.1, 0.9, 0.1, 0.9]                      # right, but 0.1 short
    predicted[:, 1] = 0.25                                      # still
    mean_weights = np.zeros(NUM_BLENDSHAPES)
    mean_weights[0] = 0.5
    moving, still = validation.channel_scores([predicted], [subject], mean_weights)
    assert moving.name == MODEL_CHANNELS[0]
    assert moving.mae == pytest.approx(0.1, rel=1e-5) and moving.r == pytest.approx(1.0)
    assert moving.mean_mae == pytest.approx(0.5)
    assert still.mae == pytest.approx(0.25) and still.r is None and still.mean_mae == 0.0
    # browInnerUp is a brow, browDownLeft too
    assert validation.region_errors([moving, still]) == {"brows": pytest.approx(0.175)}
    lines = validation.score_table([moving, still]).split("\n")
    assert lines[1].split() == ["browInnerUp", "brows", "0.1000", "1.00", "0.5000"]
    assert lines[2].split() == ["browDownLeft", "brows", "0.2500", "still", "0.0000"]
    assert lines[3].split() == ["mean", "0.1750", "1.00", "0.2500"]


def test_training_mean_leaves_out_who_lacks_the_channel():
    first, second = small_subject("a", 2, 0), small_subject("b", 6, 0)
    first.targets[:], second.targets[:] = 0.2, 0.6
    second.mask[3] = 0.0
    mean = label_means([first, second])
    assert mean[3] == pytest.approx(0.2) and mean[4] == pytest.approx(0.5)


def test_validation_losses_are_those_of_one_big_batch(tmp_path, monkeypatch):
    run = start(small_config(tmp_path))
    subject = run.validation_subjects[0]
    whole = validation.validation_losses(run.model, [subject], 2)
    monkeypatch.setattr(validation, "BATCH_INDICES", 7)
    parts = validation.validation_losses(run.model, [subject], 2)
    windows, targets, _ = Batches([subject], 10 ** 6, 2).gather(np.arange(29))
    for name, value in run.model.evaluate(windows, targets).items():
        assert whole[name] == pytest.approx(value, rel=1e-5)
        assert parts[name] == pytest.approx(value, rel=1e-5)


def test_measures_leave_out_invalid_frames(tmp_path):
    """Nonsense in the labels of invalid frames changes no measure."""
    run = start(small_config(tmp_path))
    clean, degraded = small_subject("v", 80, 5), small_subject("v", 80, 5)
    for subject in (clean, degraded):
        subject.valid[[10, 11, 40]] = False
    degraded.targets[~degraded.valid] = 50.0
    silent = [np.zeros(80, bool)]
    measured = []
    for subject in (clean, degraded):
        predicted = validation.predictions(run.model, [subject])
        mean = label_means([subject])
        measured.append((validation.validation_losses(run.model, [subject], 2), mean.tolist(),
                         validation.channel_scores(predicted, [subject], mean),
                         validation.scorecard_measures(predicted, [subject], silent)))
    for number, (ours, theirs) in enumerate(zip(*measured)):
        assert ours == theirs, number
    assert clean.targets[clean.valid].mean(axis=0) == pytest.approx(measured[0][1], abs=1e-6)
    assert measured[0][2][0].mae == pytest.approx(np.mean(np.abs(
        predicted[0][:, 0] - clean.targets[:, 0])[clean.valid]), rel=1e-5)


# ---- the scorecard of a validation

def talking_subject(num_frames=120):
    """A jaw that opens and shuts once in 12 frames; no other shape is known but mouthClose."""
    mask = [float(name in ("jawOpen", "mouthClose")) for name in MODEL_CHANNELS]
    subject = small_subject("v", num_frames, 0, mask)
    subject.targets[:] = 0.0
    jaw = 0.3 - 0.3 * np.cos(2 * np.pi * (np.arange(num_frames) % 12) / 12.0)
    subject.targets[:, MODEL_CHANNELS.index("jawOpen")] = jaw
    return subject


def card_of(predicted, subject, silent=None):
    silent = np.zeros(len(predicted), bool) if silent is None else silent
    return validation.scorecard_measures([predicted], [subject], [silent])


def test_scorecard_of_a_perfect_a_late_and_a_still_face():
    subject = talking_subject()
    perfect = card_of(subject.targets, subject)
    assert perfect == {"opening_r": pytest.approx(1.0), "opening_lag_ms": 0.0,
                       "mouth_jitter_ratio": pytest.approx(1.0), "closure_recall": 1.0,
                       "false_closure_rate": 0.0}
    late = card_of(np.roll(subject.targets, 3, axis=0), subject)
    assert late["opening_lag_ms"] == pytest.approx(100.0)
    assert late["opening_r"] == pytest.approx(0.0, abs=0.05)    # a quarter of a period
    opposite = card_of(np.roll(subject.targets, 6, axis=0), subject)
    assert opposite["opening_r"] < -0.9 and opposite["mouth_jitter_ratio"] == pytest.approx(1.0)
    assert opposite["closure_recall"] < 0.2 and opposite["false_closure_rate"] == 1.0
    still = card_of(np.full_like(subject.targets, 0.3), subject)
    assert "opening_r" not in still and "opening_lag_ms" not in still
    assert still["mouth_jitter_ratio"] == still["closure_recall"] == 0.0
    assert still["false_closure_rate"] == 0.0


def test_scorecard_in_silence_and_over_subjects():
    subject, long_subject = talking_subject(60), talking_subject(180)
    silent = np.arange(60) >= 54                            # from where the mouth is widest
    subject.targets[silent] = 0.0
    open_in_silence = subject.targets.copy()
    open_in_silence[silent, MODEL_CHANNELS.index("jawOpen")] = 0.3
    leak = card_of(open_in_silence, subject, silent)["silence_leak"]
    wide = np.percentile(open_in_silence[:, MODEL_CHANNELS.index("jawOpen")], 95)
    assert leak == pytest.approx(0.3 / wide, rel=1e-5)
    assert card_of(subject.targets, subject, silent)["silence_leak"] == 0.0
    # rest in silence is no closure to be found: that would be one the face misses here
    assert card_of(open_in_silence, subject, silent)["closure_recall"] == 1.0
    # the mean over subjects is one over their seconds: 0.1 s late in a quarter of them
    late = np.roll(talking_subject(60).targets, 3, axis=0)
    both = validation.scorecard_measures(
        [late, long_subject.targets], [talking_subject(60), long_subject],
        [np.zeros(60, bool), np.zeros(180, bool)])
    assert both["opening_lag_ms"] == pytest.approx(25.0)
    # half a second is too short to be scored
    assert card_of(talking_subject(15).targets, talking_subject(15)) == {}


def test_silences_are_those_of_the_sound():
    """Noise, then nothing: told in blocks, found by the frame."""
    noise = np.random.RandomState(0).uniform(-0.5, 0.5, 32000).astype(np.float32)
    samples = np.concatenate([noise, np.zeros(24000, np.float32)])
    told, mute = small_subject("v", 100, 0), small_subject("w", 100, 0)
    told.sound = lambda profile: (iter([samples[:20000], samples[20000:]]), 16000)
    silent, unknown = validation.silences([told, mute])
    assert not unknown.any() and len(silent) == 100             # 105 frames of sound
    assert not silent[:59].any() and silent[63:].all()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream, num_lines", [(Terminal(), 1), (io.StringIO(), 3)])
def test_progress_line(stream, num_lines):
    """100 steps, one second each, from step 50 of 150."""
    now = [0.0]
    line = ProgressLine(stream, 50, 80, 3, clock=lambda: now[0])
    for step in range(51, 81):
        now[0] += 1.0
        line.update(step, 2, 0.5)
    line.close()
    text = stream.getvalue()
    assert text.count("\n") == num_lines
    assert "epoch 2/3  step 60/80  loss 0.50000  1 steps/s  0:20 left" in text
    assert text.rstrip().endswith("step 80/80  loss 0.50000  1 steps/s  0:00 left")


def test_durations():
    assert [duration_text(seconds) for seconds in (5, 75, 3700)] == ["0:05", "1:15", "1:01:40"]


# ---- the script

def test_script_trains_the_embedded_set(tmp_path):
    """One subject, two epochs: a table of 52 channels and a command that names what is there."""
    config = Config(checkpoint_dir="training", epoch_num=2, subject_for_training=["1.mp4"],
                    num_render_sequences=1,
                    training_data_path=os.path.join(REPOSITORY, "training_data"),
                    deepspeech_graph_fname=os.path.join(
                        REPOSITORY, "ds_graph", "deepspeech-mini", "output_graph.tflite"))
    write_config(str(tmp_path / "training_config.cfg"), config)
    status, out, err = run_process("run_training.py", folder=tmp_path)
    assert (status, err) == (0, "")
    lines = out.split("\n")
    table = lines[[line.startswith("channel ") for line in lines].index(True) + 1:]
    assert [line.split()[0] for line in table[:53]] == list(MODEL_CHANNELS) + ["mean"]
    command = re.search(r"\npython (\S+) --tf_model_fname (\S+)\n$", out)
    assert command.group(1) == os.path.join(REPOSITORY, "run_voca.py")
    prefix = checkpoint.resolve_checkpoint(str(tmp_path / command.group(2)))
    info = checkpoint.read_checkpoint_info(prefix)
    assert info["feature_profile"] == "deepspeech"
    assert info["acoustic_graph"]["name"] == "deepspeech-mini/output_graph.tflite"
    assert set(info["acoustic_graph"]["sha256"]) >= {"output_graph.tflite"}
    assert str(tmp_path) not in info["acoustic_graph"]["name"]

    status, _, err = run_here("run_training.py", folder=tmp_path)
    assert status == 1 and err.startswith("error: ")
    assert "--resume" in err and "--overwrite" in err and err.count("\n") == 1


def tree_of(folder):
    """{path: (size, time of change)} of all files in a folder and below."""
    return {os.path.join(place, name): os.stat(os.path.join(place, name))[6:9:2]
            for place, _, names in os.walk(str(folder)) for name in names}


def test_script_refuses_a_folder_in_use(tmp_path):
    """Another run holds it: nothing is removed, nothing is written, by whatever flag."""
    config = small_config(tmp_path / "training", epoch_num=1)
    start(config).run()
    write_config(str(tmp_path / "training_config.cfg"), config)
    with folder_lock(config.checkpoint_dir, "run_training.py", "wait"):
        before = tree_of(tmp_path)
        for flags in ([], ["--overwrite"], ["--resume"]):
            status, out, err = run_process("run_training.py", *flags, folder=tmp_path)
            assert (status, out) == (1, "")
            assert re.match(r"error: \S+training is in use: run_training.py \(process %d on .*, "
                            r"since [-0-9]+ [:0-9]+\) is writing there; wait for it, .*\n$"
                            % os.getpid(), err), err
        assert tree_of(tmp_path) == before


def test_script_that_fails_leaves_no_folder(tmp_path):
    write_config(str(tmp_path / "training_config.cfg"), Config(
        checkpoint_dir="training", deepspeech_graph_fname="none.pb"))
    status, _, _ = run_here("run_training.py", folder=tmp_path)
    assert status == 1 and os.listdir(str(tmp_path)) == ["training_config.cfg"]


def test_the_command_names_a_graph_that_is_not_the_default():
    command = run_training.command_that_runs("a b", Config(deepspeech_graph_fname="x/y.pb"))
    assert command.endswith('run_voca.py --tf_model_fname "a b" --ds_fname %s'
                            % os.path.join("x", "y.pb"))


def test_script_names_what_is_wrong_with_its_flags(tmp_path):
    status, _, err = run_here("run_training.py", folder=tmp_path)
    assert status == 1
    assert err == ("error: the config training_config.cfg is missing; write one with: "
                   "python config_parser.py\n")
    status, _, err = run_here("run_training.py", "--resume", "--overwrite", folder=tmp_path)
    assert status == 2 and "not allowed with" in err
