"""Which sounds a folder or a pattern means, and that no two of them share a folder."""
import os

import pytest

from utils.batch.made_record import RECORD_NAME
from utils.batch.sounds import find_sounds, folders_of, means_many
from utils.common.errors import UserError


def put(folder, *names):
    for name in names:
        path = os.path.join(str(folder), *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as stream:
            stream.write(name)


def found(text, out_root):
    """{name: folder below out_root} of the sounds."""
    def warn(line):
        raise AssertionError(line)
    sounds = find_sounds(str(text), str(out_root), warn)
    assert all(os.path.isfile(sound.path) for sound in sounds)
    return {sound.name: os.path.relpath(sound.out_path, str(out_root)) for sound in sounds}


def test_a_folder_and_all_below_it(tmp_path):
    put(tmp_path, "in/b.wav", "in/a.MP3", "in/one/a.wav", "in/two/a.wav", "in/two/film.mp4",
        "in/notes.txt", "in/._a.wav", "in/.hidden/c.wav")
    assert found(tmp_path / "in", tmp_path / "out") == {
        "a.MP3": "a", "b.wav": "b", "one/a.wav": "one/a", "two/a.wav": "two/a",
        "two/film.mp4": "two/film"}


def test_a_link_in_a_circle_ends(tmp_path):
    put(tmp_path, "in/a.wav", "else/b.wav")
    os.symlink(str(tmp_path / "in"), str(tmp_path / "in" / "again"))
    os.symlink(str(tmp_path / "else"), str(tmp_path / "in" / "linked"))
    assert sorted(found(tmp_path / "in", tmp_path / "out")) == ["a.wav", "linked/b.wav"]


def test_a_pattern(tmp_path, monkeypatch):
    put(tmp_path, "a.wav", "b.wav", "c.mp3", "d.voc", "notes.txt", "one/a.wav", "two/a.wav")
    monkeypatch.chdir(tmp_path)
    assert found("*.wav", "out") == {"a.wav": "a", "b.wav": "b"}
    assert found("[cd].*", "out") == {"c.mp3": "c"}
    assert found("*.voc", "out") == {"d.voc": "d"}          # named by its extension: taken
    assert found("*/a.wav", "out") == {"one/a.wav": "one/a", "two/a.wav": "two/a"}
    assert sorted(found(str(tmp_path / "**" / "*.wav"), "out")) == [
        "a.wav", "b.wav", "one/a.wav", "two/a.wav"]


@pytest.mark.parametrize("names, folders", [
    (["a.mp3", "a.wav", "b.wav"], ["a.mp3", "a.wav", "b"]),
    (["one/a.flac", "one/a.wav", "two/a.wav"], ["one/a.flac", "one/a.wav", "two/a"]),
    (["A.wav", "a.wav"], ["A.wav", "a.wav-2"]),             # one name on some disks
    (["a.mp3", "a.wav", "a.wav.ogg"], ["a.mp3", "a.wav", "a.wav-2"]),
    (["\u00e9.wav", "e\u0301.wav"], ["\u00e9.wav", "e\u0301.wav-2"])])
def test_no_two_sounds_share_a_folder(names, folders):
    assert folders_of(names) == folders


@pytest.mark.parametrize("out", ["animation_output", ".", "../elsewhere"])
def test_what_was_made_is_no_sound(tmp_path, monkeypatch, out):
    """Nor is a user's sound taken for one of ours, though it lies beside our files."""
    put(tmp_path, "in/a.wav", "in/a/b.wav")
    put(tmp_path / "in" / out / "a", "preview.mp4", "face.wav", RECORD_NAME)
    monkeypatch.chdir(tmp_path / "in")
    assert sorted(found(".", out)) == ["a.wav", "a/b.wav"]
    assert sorted(found("**", out)) == ["a.wav", "a/b.wav"]


def test_no_sound_at_all_is_told(tmp_path):
    put(tmp_path, "notes.txt")
    for text, told in ((str(tmp_path), "no sound and no video"), (str(tmp_path / "*.wav"),
                                                                 "no file that fits")):
        with pytest.raises(UserError, match=told):
            found(text, tmp_path / "out")


def test_one_file_is_not_many(tmp_path):
    put(tmp_path, "take[1].wav")
    assert not means_many(str(tmp_path / "take[1].wav"))
    assert not means_many(str(tmp_path / "absent.wav"))
    assert means_many(str(tmp_path)) and means_many(str(tmp_path / "*.wav"))
