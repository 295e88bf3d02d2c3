"""convert.py as a user runs it."""
import json
import os

import numpy as np
import pytest

from tests.formats.golden_clip import can_hold, golden_clip
from tests.helpers.scripts import run_here, run_process
from utils.common.channels import reorder
from utils.formats.exporters import FORMATS
from utils.formats.npz import read_npz, write_npz


def run(folder, *arguments):
    """(exit status, stdout, stderr) of the script, for a user who stands in `folder`."""
    # The default head's path is one for the folder in which the process was started.
    needs_head = any(str(argument).endswith(".glb") for argument in arguments)
    return (run_process if needs_head else run_here)("convert.py", *arguments, folder=folder)


@pytest.fixture
def clip(tmp_path):
    """A folder with in.npz, the golden clip at 30 fps."""
    weights, names = golden_clip()
    write_npz(tmp_path / "in.npz", weights, names, 30)
    return tmp_path


@pytest.mark.parametrize("fps", [29.97, 30])
def test_every_format_there_and_back(clip, fps):
    weights, names = golden_clip()
    write_npz(clip / "in.npz", weights, names, fps)
    for name in [name for name in FORMATS if name != "npz" and can_hold(name, fps)]:
        between = FORMATS[name].file_name
        assert run(clip, "in.npz", between) == (
            0, "wrote %s: 150 frames at %g a second\n" % (between, fps), "")
        assert run(clip, between, "back.npz")[::2] == (0, "")
        found, found_names, found_fps = read_npz(clip / "back.npz")
        assert found_fps == fps
        np.testing.assert_allclose(reorder(found, found_names, names), weights, rtol=0, atol=2e-7)


def test_flags(clip):
    status, out, err = run_process(
        "convert.py", "in.npz", "a.json", "--to", "audio2face", "--fps", 60,
        "--gain", "mouthSmile*=0", "--gain", "jawOpen=0.5", "--offset", "-1", folder=clip)
    assert (status, out, err) == (0, "wrote a.json: 240 frames at 60 a second\n", "")
    content = json.loads((clip / "a.json").read_text())
    matrix, (weights, names) = np.array(content["weightMat"]), golden_clip()
    assert content["exportFps"] == 60
    assert not matrix[:, content["facsNames"].index("mouthSmileLeft")].any()
    for name, factor in (("jawOpen", 0.5), ("jawLeft", 1.0)):
        np.testing.assert_allclose(matrix[::2, content["facsNames"].index(name)],
                                   factor * weights[30:, names.index(name)], atol=1e-6)


def test_all_changes_at_once(clip):
    """In the order of the help, whatever their order in the command; recorded in the file."""
    weights, names = golden_clip()
    write_npz(clip / "rest.npz", np.full((3, 52), 0.02), names, 30)
    capture = weights[::-1]
    write_npz(clip / "capture.npz", capture, names, 30)
    status, out, err = run(
        clip, "in.npz", "a.npz", "--gain", "brow*=0.5", "--symmetric", "--smooth", 5,
        "--merge", "capture.npz", "--merge_offset", 0, "--neutral", "rest.npz", "--offset", 1,
        "--eye_motion", "--seed", 3)
    assert (status, err) == (0, "")
    assert out == ("merged brows, eyes, cheeks, nose of capture.npz, which begins at +0.00 s of "
                   "the speech (given)\nwrote a.npz: 180 frames at 30 a second\n")
    assert json.loads(str(np.load(str(clip / "a.npz"))["edits"])) == {
        "neutral": "rest.npz", "eye_motion": 3, "smooth_frames": 5, "symmetric": True,
        "gain": ["brow*=0.5"], "offset_s": 1.0, "merge": {
            "capture": "capture.npz", "groups": ["brows", "eyes", "cheeks", "nose"],
            "method": "given", "start_s": 0.0, "confidence": None}}
    found, found_names, _ = read_npz(clip / "a.npz")
    brow = 0.5 * (capture[:, names.index("browInnerUp")] - 0.02) / 0.98
    jaw = weights[:, names.index("jawOpen")]
    for name, expected in (("browInnerUp", brow), ("jawOpen", jaw)):
        np.testing.assert_allclose(found[70:100, found_names.index(name)], expected[40:70],
                                   atol=0.03)


def test_a_capture_is_not_written_over(clip):
    write_npz(clip / "b.npz", *(golden_clip() + (30,)))
    before = (clip / "b.npz").read_bytes()
    for flag in ("--merge", "--neutral"):
        status, out, err = run(clip, "in.npz", "b.npz", flag, "b.npz")
        assert (status, out) == (1, "") and "b.npz would be written over itself" in err
    assert (clip / "b.npz").read_bytes() == before


@pytest.mark.parametrize("arguments, told", [
    (["in.npz", "a.csv"], "a.csv: which format? give one of --to csv, audio2face_csv, table"),
    (["in.npz", "a.json"], "a.json: which format? give one of --to json, audio2face, beat"),
    (["in.npz", "a.txt"], "a.txt: no format ends so; name OUT .csv, .json, .npz, .vmd, .vrma or .glb"),
    (["in.npz", "a"], "a: no format ends so"),
    (["in.npz", "a.npz", "--to", "vmd"], "a.npz is no name for --to vmd; as blendshapes.vmd"),
    (["in.npz", "a.npz", "--to", "fbx"], "invalid choice: 'fbx'"),
    (["in.npz", "a.npz", "--fps", "0"], "0 is not from 1 to 240"),
    (["in.npz", "a.npz", "--fps", "nan"], "nan is not from 1 to 240"),
    (["in.npz", "a.npz", "--fps", "x"], "invalid rate value: 'x'"),
    (["in.npz", "a.npz", "--gain", "smile*=0.8"], "'smile*' is the name of none of the 52 shapes"),
    (["in.npz", "a.npz", "--gain", "0.8"], "'0.8'; expected NAME=FACTOR"),
    (["in.npz", "a.npz", "--offset", "4000"], "4000 is not from -3600 to 3600"),
    (["in.npz", "a.npz", "--offset", "nan"], "nan is not from -3600 to 3600"),
    (["in.npz"], "the following arguments are required: OUT"),
    (["in.npz", "a.npz", "--smooth", "3"], "3 is not an odd number from 5 to 61"),
    (["in.npz", "a.npz", "--smooth", "8"], "8 is not an odd number from 5 to 61"),
    (["in.npz", "a.npz", "--merge_offset", "1"], "--merge_offset is of --merge CAPTURE; give both"),
    (["in.npz", "a.npz", "--merge", "in.npz", "--merge_offset", "inf"], "inf is not from -3600"),
    (["in.npz", "a.npz", "--start_timecode", "1:00:00:00"], "npz has no time of day"),
    (["in.npz", "a.csv", "--to", "csv", "--start_timecode", "10:20:30"],
     "'10:20:30' is no timecode; expected HH:MM:SS:FF, as 10:20:30:12"),
    (["in.npz", "a.npz", "--eye_motion", "--no_eye_motion"], "not allowed with argument"),
    (["in.npz", "a.npz", "--eye_motion", "--seed", "-1"], "-1 is not from 0 to 2**32 - 1"),
])
def test_bad_flags_end_with_status_2(clip, arguments, told):
    status, out, err = run(clip, *arguments)
    assert (status, out) == (2, "") and told in err and "Traceback" not in err
    assert os.listdir(str(clip)) == ["in.npz"]


@pytest.mark.parametrize("arguments, told", [
    (["none.npz", "a.npz"], "there is no file none.npz"),
    (["none.csv", "a.npz"], "cannot read none.csv"),
    (["words.json", "a.npz"], "words.json is not JSON"),
    (["words.csv", "a.npz"], "words.csv line 1: expected a Live Link Face header"),
    (["words.vmd", "a.npz"], "words.vmd is not MikuMikuDance's motion"),
    (["words.txt", "a.npz"], "words.txt: a face is read from .csv, .json, .npz, .vmd, .vrma or .glb"),
    (["words.npz", "a.npz"], "words.npz is not an .npz of weights"),
    (["in.npz", "in.npz"], "in.npz would be written over itself"),
    (["in.npz", "a.npz", "--offset", "-5"], "in.npz lasts 5.00 s; --offset -5 leaves nothing"),
    (["in.npz", "a.npz", "--merge", "none.csv"], "cannot read none.csv"),
    (["in.npz", "a.npz", "--merge", "words.txt"], "words.txt: a face is read from"),
    (["in.npz", "a.npz", "--merge", "in.npz", "--merge_offset", "60"], "which is outside"),
    (["in.npz", "a.npz", "--neutral", "words.json"], "words.json is not JSON"),
    (["in.npz", "blendshapes.csv", "--start_timecode", "10:00:00:30"],
     "--start_timecode 10:00:00:30: FF is 30, and there are 30 frames a second"),
    (["in.npz", "blendshapes.csv", "--start_timecode", "10:00:00;10"], "drop-frame"),
    (["in.npz", "a.vmd", "--fps", "60"], ".vmd counts 30 frames a second, and these are 60; give "
                                         "--fps 30"),
    (["in.npz", "audio2face.json", "--fps", "29.97"],
     "a whole number of frames a second, and these are 29.97; give a whole rate, as --fps 30"),
])
def test_bad_input_is_one_line_and_leaves_nothing(clip, arguments, told):
    for ending in ("json", "csv", "vmd", "txt", "npz"):
        (clip / ("words." + ending)).write_text("words, not a face")
    before = sorted(os.listdir(str(clip)))
    status, out, err = run(clip, *arguments)
    assert (status, out, err.count("\n")) == (1, "", 1) and err.startswith("error: ")
    assert told in err
    assert sorted(os.listdir(str(clip))) == before


def test_the_help_names_every_format(clip):
    status, out, err = run(clip, "--help")
    assert (status, err) == (0, "")
    listed = out[out.index("Formats by"):out.index("What is read")]
    for name, exporter in FORMATS.items():
        assert "\n    %s " % name in listed
        assert exporter.file_name in listed or "*" + exporter.file_name[-4:] in listed
