"""training_config.cfg: written with comments, read with every mistake named, never destroyed."""
import os
import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY
from utils.common.errors import UserError
from utils.training.config import (CONFIG, REMOVED, Config, config_text, read_config,
                                   write_config, write_default_config)

PUBLISHED_FILE = """[Input Output]
checkpoint_dir = ./training
deepspeech_graph_fname = ./ds_graph/deepspeech-0.5.0-models/output_graph.tflite
verts_mmaps_path = ./training_data/data_verts.npy
raw_audio_path = ./training_data/raw_audio_fixed.pkl
processed_audio_path =
templates_path = ./training_data/templates.pkl
data2array_verts_path = ./training_data/subj_seq_to_idx.pkl

[Audio Parameters]
audio_feature_type = deepspeech
num_audio_features = 29
audio_window_size = 16
audio_window_stride = 1
condition_speech_features = False
speech_encoder_size_factor = 1.0

[Model Parameters]
num_vertices = 52
expression_dim = 50
init_expression = False
num_consecutive_frames = 2
absolute_reconstruction_loss = False
velocity_weight = 10.0
acceleration_weight = 0.0
verts_regularizer_weight = 0.0

[Data Setup]
subject_for_training = 1.mp4 2.mp4 3.mp4 4.mp4 5.mp4 6.mp4 7.mp4 8.mp4 9.mp4 10.mp4
subject_for_validation = 11.mp4

[Learning Parameters]
batch_size = 64
learning_rate = 1e-4
decay_rate = 1.0
epoch_num = 30
adam_beta1_value = 0.9

[Visualization Parameters]
num_render_sequences = 3
"""


def read_text(tmp_path, text):
    path = tmp_path / "training_config.cfg"
    path.write_text(text)
    return read_config(str(path))


def edited(name, value):
    """The default file with the line of `name` replaced (value None: removed)."""
    lines = config_text().split("\n")
    found = [number for number, line in enumerate(lines) if line.split(" =")[0] == name]
    assert len(found) == 1
    lines[found[0]] = "" if value is None else "%s = %s" % (name, value)
    return "\n".join(lines)


def test_published_file_loads(tmp_path):
    config = read_text(tmp_path, PUBLISHED_FILE)
    assert config.deepspeech_graph_fname.endswith("deepspeech-0.5.0-models/output_graph.tflite")
    assert (config.learning_rate, config.epoch_num, config.batch_size) == (1e-4, 30, 64)
    assert config.subject_for_training == ["%d.mp4" % n for n in range(1, 11)]
    assert config.processed_audio_path == ""
    assert (config.feature_profile, config.training_data_path) == ("deepspeech",
                                                                    "./training_data")
    assert not hasattr(config, "templates_path")


def test_published_file_with_its_processed_cache_gets_the_published_profile(tmp_path):
    text = PUBLISHED_FILE.replace("processed_audio_path =", "processed_audio_path = ./cache.pkl")
    assert read_text(tmp_path, text).feature_profile == "reference"
    said = text.replace("num_audio_features", "feature_profile = deepspeech\nnum_audio_features")
    assert read_text(tmp_path, said).feature_profile == "deepspeech"


def test_paths_may_be_missing(tmp_path):
    """The published writer's own file lacks one that its reader wanted."""
    lines = [line for line in PUBLISHED_FILE.split("\n") if "verts_mmaps_path" not in line]
    assert read_text(tmp_path, "\n".join(lines)).verts_mmaps_path.endswith("data_verts.npy")


def test_default_file_reads_back_as_the_defaults(tmp_path):
    assert read_text(tmp_path, config_text()).to_dict() == Config().to_dict()


def test_published_defaults_hold():
    published = {line.split(" =")[0]: line.split("=")[1].strip()
                 for line in PUBLISHED_FILE.split("\n") if "=" in line}
    ours = {"deepspeech_graph_fname", "epoch_num"}     # the embedded graph; the published 100
    for key in CONFIG:
        if key.name in published and key.name not in ours and key.kind not in ("names", "old"):
            assert type(key.default)(published[key.name] != "False"
                                     if key.kind == "bool" else published[key.name]) == key.default
    assert set(published) <= {key.name for key in CONFIG}


def test_each_key_has_a_comment_above_it():
    lines = config_text().split("\n")
    for number, line in enumerate(lines):
        if " =" in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ") and len(lines[number - 1]) > 12


def test_other_values_round_trip(tmp_path):
    config = Config(batch_size=8, learning_rate=3e-3, absolute_reconstruction_loss=True,
                    subject_for_training=["my first take", "b%20"], checkpoint_dir="a #1; 100%")
    path = str(tmp_path / "c.cfg")
    write_config(path, config)
    assert read_config(path).to_dict() == config.to_dict()


@pytest.mark.parametrize("name, value, allowed", [
    ("batch_size", "many", "a whole number from 1 to 65536"),
    ("batch_size", "0", "a whole number from 1"),
    ("batch_size", "1.5", "a whole number"),
    ("learning_rate", "-1", "a number from"),
    ("learning_rate", "nan", "a number from"),
    ("velocity_weight", "inf", "a number from"),
    ("decay_rate", "1.5", "to 1"),
    ("absolute_reconstruction_loss", "maybe", "True or False"),
    ("audio_feature_type", "mel", "deepspeech"),
    ("feature_profile", "fast", "deepspeech or reference"),
    ("window_future_frames", "8", "a whole number from -5 to 7"),
    ("num_audio_features", "28", "29"),
    ("num_vertices", "5023", "52"),
    ("subject_for_training", "", "one or more names"),
    ("checkpoint_dir", "", "a path"),
])
def test_bad_values_name_file_section_key_value_and_allowed(tmp_path, name, value, allowed):
    with pytest.raises(UserError) as error:
        read_text(tmp_path, edited(name, value))
    section = [key.section for key in CONFIG if key.name == name][0]
    for part in ("training_config.cfg", "[%s]" % section, "%s = %s" % (name, value or "(empty)"),
                 allowed):
        assert part in str(error.value)


def test_missing_keys_are_named_with_the_line_to_add(tmp_path):
    for key in CONFIG:
        if not key.required:
            read_text(tmp_path, edited(key.name, None))
            continue
        with pytest.raises(UserError) as error:
            read_text(tmp_path, edited(key.name, None))
        for part in ("training_config.cfg", "[%s]" % key.section, key.name + " is missing",
                     "add the line: %s = " % key.name):
            assert part in str(error.value)


def test_missing_section_is_an_error(tmp_path):
    text = PUBLISHED_FILE[:PUBLISHED_FILE.index("[Learning")]
    with pytest.raises(UserError, match=r"\[Learning Parameters\]: the key batch_size is missing"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("text, message", [
    (config_text() + "[Extras]\na = 1\n", r"unknown section \[Extras\]; allowed: \[Input Output\]"),
    (config_text() + "learning_rat = 1\n", r"unknown key learning_rat = 1; allowed: num_render"),
    (config_text().replace("batch_size", "batch_sise"), "did you mean batch_size"),
    (config_text() + "num_render_sequences = 2\n", "already exists"),
    ("batch_size = 3\n", "is not a config file"),
    (edited("num_consecutive_frames", 1), "velocity_weight = 10"),
    (edited("acceleration_weight", 1), "num_consecutive_frames = 2; allowed: 3 or more"),
    (edited("subject_for_validation", "3.mp4"), "3.mp4 in both"),
    (edited("subject_for_training", "a b a"), "names a twice"),
])
def test_other_mistakes(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        read_text(tmp_path, text)
    assert "training_config.cfg" in str(error.value)


def test_missing_or_binary_file(tmp_path):
    with pytest.raises(UserError, match="python config_parser.py"):
        read_config(str(tmp_path / "none.cfg"))
    (tmp_path / "b.cfg").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="b.cfg"):
        read_config(str(tmp_path / "b.cfg"))


# ---- keys that were removed

def with_removed_keys(**values):
    """The default file as an earlier version wrote it, with these values."""
    off = {"dropout_rate": "0.0", "time_mask_rate": "0.0", "feature_noise": "0.0",
           "region_weights": ""}
    values = dict(off, **values)
    text = config_text()
    for name, section in REMOVED.items():
        head = "[%s]\n" % section
        text = text.replace(head, "%s%s = %s\n" % (head, name, values[name]))
    return text


@pytest.mark.parametrize("name, value", [
    ("dropout_rate", "0"), ("dropout_rate", ""), ("feature_noise", "0.000"),
    ("region_weights", "lips 1, eyes 1.0"), ("region_weights", "")])
def test_a_removed_key_that_is_off_still_loads(tmp_path, name, value):
    found = read_text(tmp_path, with_removed_keys(**{name: value}))
    assert found.to_dict() == Config().to_dict()


@pytest.mark.parametrize("name, value", [
    ("dropout_rate", "0.1"), ("time_mask_rate", "0.5"), ("feature_noise", "x"),
    ("region_weights", "lips 2"), ("region_weights", "lips 1, eyes 0.5")])
def test_a_removed_key_that_did_something_is_named(tmp_path, name, value):
    with pytest.raises(UserError) as error:
        read_text(tmp_path, with_removed_keys(**{name: value}))
    assert "training_config.cfg, section [%s]: the key %s = %s was removed" % (
        REMOVED[name], name, value) in str(error.value)


def test_keys_without_a_choice_stand_last_in_their_published_sections():
    for block in config_text().split("\n[")[1:]:
        chosen, _, kept = block.partition("# ---- kept for published files")
        for key in CONFIG:
            if key.section == block.split("]")[0]:
                is_kept = key.kind == "old" or key.allowed in (("deepspeech",), (29,), (16,), (1,),
                                                               (52,))
                assert ("\n%s =" % key.name in kept, "\n%s =" % key.name in chosen) == (
                    is_kept, not is_kept), key.name


def test_windows_file_with_byte_order_mark_loads(tmp_path):
    path = tmp_path / "w.cfg"
    path.write_bytes(b"\xef\xbb\xbf" + config_text().replace("\n", "\r\n").encode("utf-8"))
    assert read_config(str(path)).to_dict() == Config().to_dict()
    assert write_default_config(str(tmp_path / "w2.cfg")) == "written"


def test_a_zero_byte_is_refused(tmp_path):
    path = tmp_path / "c.cfg"
    path.write_text(config_text().replace("checkpoint_dir =", "checkpoint_dir = a\0b"))
    with pytest.raises(UserError, match="holds a zero byte"):
        read_config(str(path))


def test_an_edited_file_is_kept(tmp_path):
    path = str(tmp_path / "c.cfg")
    assert write_default_config(path) == "written"
    assert write_default_config(path) == "unchanged"
    with open(path, "a") as stream:
        stream.write("# mine\n")
    with pytest.raises(UserError, match="--force"):
        write_default_config(path)
    with open(path) as stream:
        assert stream.read().endswith("# mine\n")
    assert write_default_config(path, force=True) == "replaced"
    with open(path) as stream:
        assert stream.read() == config_text()


def test_script(tmp_path):
    def run(*flags):
        return subprocess.run([sys.executable, os.path.join(REPOSITORY, "config_parser.py")]
                              + list(flags), cwd=str(tmp_path), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)

    assert "wrote training_config.cfg" in run().stdout
    read_config(str(tmp_path / "training_config.cfg"))
    assert "left as it is" in run().stdout
    (tmp_path / "training_config.cfg").write_text("[mine]\n")
    refused = run()
    assert refused.returncode == 1 and refused.stderr.startswith("error: ")
    assert len(refused.stderr.strip().split("\n")) == 1 and refused.stdout == ""
    assert (tmp_path / "training_config.cfg").read_text() == "[mine]\n"
    assert "replaced" in run("--force").stdout
