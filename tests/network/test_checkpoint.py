"""Checkpoints: found by any of their names, whole or absent, refused in one line."""
import contextlib
import json
import os
import re
import shutil

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import NUM_LETTERS, WINDOW_FRAMES
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tf
from utils.network import checkpoint
from utils.network.losses import DEFAULT_TRAINING
from utils.network.voca_model import VocaModel

INFO = {"feature_profile": "deepspeech",
        "acoustic_graph": {"name": "mini", "sha256": {"output_graph.pb": "00"}},
        "channels": list(MODEL_CHANNELS), "fps": 30, "window_frames": 16, "config": {},
        "data_fingerprint": "f", "package_versions": {}, "step": 7}
WINDOWS = np.random.RandomState(0).standard_normal([5, WINDOW_FRAMES, NUM_LETTERS])


@pytest.fixture(scope="module")
def model():
    """A small network in training, a few steps old."""
    model = VocaModel((4, 4, 8, 8), 6, DEFAULT_TRAINING, seed=2, num_threads=1)
    model.initialize()
    targets = np.full([4, 52], 0.3, np.float32)
    for _ in range(3):
        model.train_step(WINDOWS[:4], targets, 1e-2)
    yield model
    model.close()


def save(model, folder, step=7):
    prefix = os.path.join(str(folder), "gstep_%d.model" % step)
    checkpoint.save_checkpoint(model.session, model.saver, prefix, dict(INFO, step=step))
    return prefix


def write_foreign(prefix, shapes):
    """A checkpoint of other variables: {name: shape}."""
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [tf.get_variable(name, shape) for name, shape in shapes.items()]
        session.run(tf.global_variables_initializer())
        tf.train.Saver(variables).save(session, prefix, write_meta_graph=False)


def test_saved_then_restored_predicts_the_same(model, tmp_path):
    prefix = save(model, tmp_path)
    assert sorted(os.listdir(str(tmp_path))) == sorted(
        "gstep_7.model" + suffix for suffix in (".data-00000-of-00001", ".index", ".json"))
    restored = VocaModel.from_checkpoint(prefix)      # sizes come from the variables' shapes
    np.testing.assert_array_equal(restored.predict(WINDOWS), model.predict(WINDOWS))
    training = VocaModel((4, 4, 8, 8), 6, DEFAULT_TRAINING)
    training.restore(prefix)
    assert training.step == 3
    for first, second in zip(model.session.run(model.variables),
                             training.session.run(training.variables)):
        np.testing.assert_array_equal(first, second)


def test_any_name_of_a_checkpoint_means_its_prefix(model, tmp_path):
    save(model, tmp_path, 9)
    prefix = save(model, tmp_path, 10)
    for path in (prefix, prefix + ".index", prefix + ".json", prefix + ".data-00000-of-00001",
                 str(tmp_path), str(tmp_path) + os.sep):
        assert checkpoint.resolve_checkpoint(path) == prefix
    assert [step for step, _ in checkpoint.list_checkpoints(str(tmp_path))] == [9, 10]


def test_folder_with_one_checkpoint_of_another_name(tmp_path):
    write_foreign(str(tmp_path / "own.ckpt"), {"a": [1]})
    assert checkpoint.resolve_checkpoint(str(tmp_path)) == str(tmp_path / "own.ckpt")
    write_foreign(str(tmp_path / "two.ckpt"), {"a": [1]})
    with pytest.raises(UserError, match="several checkpoints: own.ckpt.index, two.ckpt.index"):
        checkpoint.resolve_checkpoint(str(tmp_path))


def test_missing_checkpoints_say_what_to_do(tmp_path):
    with pytest.raises(UserError, match="published VOCA-52 release.*leave out --tf_model_fname"):
        checkpoint.resolve_checkpoint("./model/gstep_199800.model.absent/../gstep_199800.model")
    with pytest.raises(UserError, match="there is no nowhere.model.index"):
        checkpoint.resolve_checkpoint("nowhere.model")
    with pytest.raises(UserError, match="holds no checkpoint"):
        checkpoint.resolve_checkpoint(str(tmp_path))


def test_index_without_data_is_named(model, tmp_path):
    prefix = save(model, tmp_path)
    os.remove(prefix + checkpoint.DATA_SUFFIX)
    with pytest.raises(UserError, match="data-00000-of-00001 is missing"):
        checkpoint.resolve_checkpoint(prefix)


def test_foreign_checkpoint_names_the_variable_it_lacks(tmp_path):
    prefix = str(tmp_path / "other.ckpt")
    write_foreign(prefix, {"dense/kernel": [3, 4]})
    with pytest.raises(UserError) as error:
        VocaModel.from_checkpoint(prefix)
    assert "VOCA/SpeechEncoder/conv1/weights" in str(error.value)
    assert "dense/kernel" in str(error.value)


def test_wrong_shape_names_variable_expected_and_found(model, tmp_path):
    prefix = save(model, tmp_path)
    with pytest.raises(UserError) as error:
        VocaModel((4, 4, 8, 8), 5).restore(prefix)
    for part in ("VOCA/ExpressionLayer/expression_offset/weights", "[6, 52]", "expected [5, 52]"):
        assert part in str(error.value)


def test_wrong_rank_is_named(tmp_path):
    prefix = str(tmp_path / "flat.ckpt")
    write_foreign(prefix, {"VOCA/SpeechEncoder/conv1/weights": [3, 32]})
    with pytest.raises(UserError, match=r"conv1/weights has shape \[3, 32\], expected 4 axes"):
        VocaModel.from_checkpoint(prefix)


@pytest.mark.parametrize("suffix", [checkpoint.INDEX_SUFFIX, checkpoint.DATA_SUFFIX])
def test_truncated_files_are_refused(model, tmp_path, suffix):
    prefix = save(model, tmp_path)
    with open(prefix + suffix, "r+b") as stream:
        stream.truncate(40)
    with pytest.raises(UserError, match="cut short"):
        VocaModel.from_checkpoint(prefix)


def test_text_in_place_of_an_index(model, tmp_path):
    prefix = save(model, tmp_path)
    with open(prefix + ".index", "w") as stream:
        stream.write("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="no TensorFlow checkpoint"):
        VocaModel.from_checkpoint(prefix)


def test_a_death_between_any_two_steps_leaves_a_whole_checkpoint_or_none(
        model, tmp_path, monkeypatch):
    """Die (an exception that nothing catches) at the n-th rename, with n = 1, 2, 3."""
    class Died(BaseException):
        pass

    rename = os.replace
    save(model, tmp_path, 5)
    for deadly in (1, 2, 3):
        renames = []

        def dying(source, target):
            if "gstep_6" in target and os.path.dirname(target) == str(tmp_path):
                renames.append(target)
                if len(renames) == deadly:
                    raise Died()
            rename(source, target)

        monkeypatch.setattr(os, "replace", dying)
        with pytest.raises(Died):
            save(model, tmp_path, 6)
        monkeypatch.setattr(os, "replace", rename)
        assert [step for step, _ in checkpoint.list_checkpoints(str(tmp_path))] == [5]
        os.mkdir(str(tmp_path / (checkpoint.ASIDE_PREFIX + "1-gstep_6.model")))   # as kill -9 does
        checkpoint.remove_torn_checkpoints(str(tmp_path))
        assert len(os.listdir(str(tmp_path))) == 3
    save(model, tmp_path, 6)
    assert [step for step, _ in checkpoint.list_checkpoints(str(tmp_path))] == [5, 6]


def test_saving_over_a_checkpoint_never_mixes_two(model, tmp_path, monkeypatch):
    """Die when the new data is in place and the new index is not: there is no checkpoint then."""
    prefix = save(model, tmp_path)
    rename = os.replace

    def dying(source, target):
        if target == prefix + checkpoint.INDEX_SUFFIX:
            raise KeyboardInterrupt()
        rename(source, target)

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        save(model, tmp_path)
    assert checkpoint.list_checkpoints(str(tmp_path)) == []
    monkeypatch.setattr(os, "replace", rename)
    assert checkpoint.resolve_checkpoint(save(model, tmp_path)) == prefix


def test_unwritable_place_is_one_line(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="in the way"):
        save(model, tmp_path / "file")


@contextlib.contextmanager
def file_size_limit(num_bytes):
    """Writing more than this to a file fails, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_keeps_the_checkpoint_before(model, tmp_path):
    prefix = save(model, tmp_path, 5)
    assert os.path.getsize(prefix + checkpoint.DATA_SUFFIX) > 15000
    with file_size_limit(10000):
        with pytest.raises(UserError) as error:
            save(model, tmp_path, 6)
    assert re.search(r"cannot write the checkpoint \S+gstep_6.model: File too large; free the",
                     str(error.value))
    assert [step for step, _ in checkpoint.list_checkpoints(str(tmp_path))] == [5]
    assert len(os.listdir(str(tmp_path))) == 3


def test_record_reads_back_and_defaults_to_the_published_system(model, tmp_path):
    prefix = save(model, tmp_path)
    # INFO is as an older record, without how far the window looks ahead.
    assert checkpoint.read_checkpoint_info(prefix) == dict(INFO, window_future_frames=7)
    os.remove(prefix + ".json")
    info = checkpoint.read_checkpoint_info(prefix)
    assert (info["feature_profile"], info["channels"], info["fps"], info["window_frames"],
            info["acoustic_graph"]) == ("reference", list(MODEL_CHANNELS), 30, 16, None)
    assert set(info) == set(checkpoint.RECORD_KEYS)


@pytest.mark.parametrize("key, value", [
    ("feature_profile", "mel"), ("channels", list(MODEL_CHANNELS[:-1])), ("fps", 25),
    ("channels", list(MODEL_CHANNELS[:-1]) + ["jawOpen"]), ("window_frames", 8),
    ("window_future_frames", 8), ("window_future_frames", "7"),
    ("acoustic_graph", "mini"), ("channels", None), ("fps", "30")])
def test_bad_records_name_the_key(tmp_path, key, value):
    prefix = str(tmp_path / "gstep_1.model")
    with open(prefix + ".json", "w") as stream:
        json.dump(dict(INFO, **{key: value}), stream)
    with pytest.raises(UserError, match="gstep_1.model.json: %s is" % key):
        checkpoint.read_checkpoint_info(prefix)
    with pytest.raises(UserError, match=key):
        checkpoint.write_checkpoint_info(prefix, dict(INFO, **{key: value}))


@pytest.mark.parametrize("text, message", [
    ("{", "cannot be read"), ("[]", "lacks feature_profile"), ('{"fps": 30}', "lacks feature")])
def test_broken_records_are_refused(tmp_path, text, message):
    (tmp_path / "gstep_1.model.json").write_text(text)
    with pytest.raises(UserError, match=message):
        checkpoint.read_checkpoint_info(str(tmp_path / "gstep_1.model"))


def test_published_training_checkpoint_resumes(reference_vectors, tmp_path):
    """Its Adam slots and global step load by name, without a .meta."""
    for name in os.listdir(reference_vectors):
        if name.startswith("gstep"):
            shutil.copy(os.path.join(reference_vectors, name), str(tmp_path))
    prefix = checkpoint.resolve_checkpoint(str(tmp_path))
    assert os.path.basename(prefix) == checkpoint.PUBLISHED_CHECKPOINT
    model = VocaModel(training=DEFAULT_TRAINING)
    model.restore(prefix)
    reader = tf.train.load_checkpoint(prefix)
    for variable in model.variables:
        np.testing.assert_array_equal(model.session.run(variable),
                                      reader.get_tensor(variable.op.name))
