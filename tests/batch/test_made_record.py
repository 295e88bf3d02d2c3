"""The record beside a sound's files: what counts as done, and what never does."""
import json
import os

import pytest

import run_voca
from utils.batch.made_record import (DONE, NEW, OTHER_SETTINGS, RECORD_NAME, recorded, settings_of,
                                     state_of)
from utils.batch.sounds import Sound
from utils.common.errors import UserError

SETTINGS = {"fps": 30}


@pytest.fixture
def sound(tmp_path):
    (tmp_path / "a.wav").write_text("sound")
    return Sound(str(tmp_path / "a.wav"), "a.wav", str(tmp_path / "out" / "a"))


def make(sound, settings, fail=None):
    with recorded(sound, settings) as files:
        path = os.path.join(sound.out_path, "face.npz")
        if fail is not None and not fail.startswith("late"):
            raise UserError(fail)
        with open(path, "w") as stream:
            stream.write("face")
        if fail is not None:
            raise UserError(fail)
        files.append(path)


def test_done_is_done(sound):
    assert state_of(sound, SETTINGS) == NEW
    make(sound, SETTINGS)
    assert state_of(sound, SETTINGS) == DONE
    assert state_of(sound, {"fps": 60}) == OTHER_SETTINGS


def test_a_changed_sound_and_a_lost_file_are_not_done(sound):
    make(sound, SETTINGS)
    os.utime(sound.path, ns=(1, 1))                     # older than what was made, yet another
    assert state_of(sound, SETTINGS) == NEW
    make(sound, SETTINGS)
    os.remove(os.path.join(sound.out_path, "face.npz"))
    assert state_of(sound, SETTINGS) == NEW


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"files": 3, "sound": "a"}']
                         + ['{"files": %s, "sound": %s, "bytes": 1, "changed_ns": 1, "settings": {}}'
                            % names for names in (('[]', '"\\ud800"'), ('["\\ud800"]', '"a"'),
                                                  ('["\\u0000"]', '"\\u0000"'))])
def test_a_record_that_is_none_is_not_done(sound, text):
    make(sound, SETTINGS)
    with open(os.path.join(sound.out_path, RECORD_NAME), "w") as stream:
        stream.write(text)
    assert state_of(sound, SETTINGS) == NEW


def test_a_run_that_broke_off_is_not_done_though_an_earlier_one_was(sound):
    make(sound, SETTINGS)
    with pytest.raises(UserError):
        make(sound, {"fps": 60}, "late")
    assert state_of(sound, SETTINGS) == state_of(sound, {"fps": 60}) == NEW


def test_a_failure_leaves_nothing_and_a_killed_run_no_parts(sound):
    with pytest.raises(UserError):
        make(sound, SETTINGS, "bad sound")
    assert not os.path.exists(os.path.dirname(sound.out_path))
    os.makedirs(sound.out_path)
    part = os.path.join(sound.out_path, ".part-77-preview.mp4")
    with open(part, "w"):
        pass
    make(sound, SETTINGS)
    assert sorted(os.listdir(sound.out_path)) == ["face.npz", RECORD_NAME]


def test_two_workers_are_never_at_one_sound(sound):
    with recorded(sound, SETTINGS):
        with pytest.raises(UserError, match="is in use: run_voca.py .*another --out_path"):
            make(sound, {"fps": 60})
    make(sound, {"fps": 60})
    assert sorted(os.listdir(sound.out_path)) == ["face.npz", RECORD_NAME]


def test_a_folder_of_another_sound_is_refused(sound, tmp_path):
    make(sound, SETTINGS)
    other = Sound(str(tmp_path / "b" / "a.wav"), "a.wav", sound.out_path)
    os.makedirs(os.path.dirname(other.path))
    with open(other.path, "w"):
        pass
    with pytest.raises(UserError, match="give another --out_path"):
        state_of(other, SETTINGS)
    os.remove(sound.path)                               # moved, say: its files may go
    assert state_of(other, SETTINGS) == NEW


def settings(*flags):
    return settings_of(run_voca.get_parser().parse_args(flags))


def test_the_settings_are_what_decides_on_the_files(tmp_path):
    plain = settings()
    assert json.loads(json.dumps(plain)) == plain
    assert settings("--audio_fname", "x", "--out_path", "y", "--jobs", "3",
                    "--scheduler", "local", "--modified_only") == plain
    for flags in (("--fps", "60"), ("--no_preview",), ("--seed", "1"), ("--gain", "jawOpen=2"),
                  ("--formats", "csv"), ("--page",), ("--tta_copies", "3")):
        assert settings(*flags) != plain, flags
    for flag, name in (("--ds_fname", "graph.tflite"), ("--avatar", "head.glb"),
                       ("--tf_model_fname", "my.model.index")):
        found = []
        for content in ("one", "two"):
            (tmp_path / name).write_text(content)
            found.append(settings(flag, str(tmp_path / name)))
        assert plain != found[0] != found[1] != plain, flag
    with pytest.raises(UserError, match="cannot read .*absent.glb"):
        settings("--avatar", str(tmp_path / "absent.glb"))


def test_a_checkpoint_is_told_by_its_index_however_it_is_named(tmp_path):
    for suffix in (".index", ".json", ".data-00000-of-00001"):
        (tmp_path / ("my.model" + suffix)).write_text(suffix)
    found = [settings("--tf_model_fname", str(path))["tf_model_fname"] for path in (
        tmp_path, tmp_path / "my.model", tmp_path / "my.model.index")]
    assert sorted(found[0]) == ["my.model.index", "my.model.json"]
    assert found[0] == found[1] == found[2]
