"""utils/formats/live_link_csv.py against the app's real files, Unreal's rule, and hostile files."""
import glob
import os

import numpy as np
import pytest

from tests.helpers.faces import random_weights
from utils.common.channels import LIVE_LINK_CSV_CHANNELS, MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.formats.live_link_csv import (read_live_link_csv, read_live_link_take, timecode,
                                         write_live_link_csv, write_live_link_take)

# Copied by hand from an iPhone's file, not built from the code's own names.
APP_HEADER = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,"
    "NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,"
    "LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll")


def unreal_import(path):
    """Unreal's importer, as its source has it: (times in s, {column: values}).

    Cells are split at commas and EMPTY ONES DROPPED; columns 0 and 1 are compared without
    regard to case; every row must have the header's count; the timecode's fourth part is
    divided by 60 always.
    """
    with open(path) as stream:
        rows = [[cell for cell in line.split(",") if cell] for line in stream.read().split("\n")]
    rows = [row for row in rows if row]
    keys = rows[0]
    assert keys[0].lower() == "timecode" and keys[1].lower() == "blendshapecount"
    assert len(keys) >= 3
    times_s, columns = [], {key: [] for key in keys[2:]}
    for row in rows[1:]:
        assert len(row) == len(keys), "Unreal stops here"
        hours, minutes, seconds, frames = row[0].split(":")
        times_s.append(int(hours) * 3600 + int(minutes) * 60 + int(seconds)
                       + float(frames) / 60.0)
        for key, cell in zip(keys[2:], row[2:]):
            columns[key].append(float(cell))
    return np.array(times_s), columns


def test_header_and_first_rows_verbatim(tmp_path):
    weights = np.zeros((3, 52)) * -1.0                                  # -0.0 is written as 0
    weights[1, UNREAL_CHANNELS.index("jawLeft")] = 0.25
    weights[2, UNREAL_CHANNELS.index("tongueOut")] = 1.0
    write_live_link_csv(tmp_path / "a.csv", weights, UNREAL_CHANNELS, 30)
    zero = "0.0000000000"
    expected = "\n".join([
        APP_HEADER,
        ",".join(["00:00:00:00.000", "61"] + [zero] * 61),
        ",".join(["00:00:00:02.000", "61"] + [zero] * 16 + ["0.2500000000"] + [zero] * 44),
        ",".join(["00:00:00:04.000", "61"] + [zero] * 51 + ["1.0000000000"] + [zero] * 9),
        ""])
    assert (tmp_path / "a.csv").read_bytes() == expected.encode("ascii")


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 59.94, 60])
def test_unreal_imports_what_is_written(tmp_path, fps):
    weights = random_weights(95)
    write_live_link_csv(tmp_path / "a.csv", weights, MODEL_CHANNELS, fps)
    times_s, columns = unreal_import(tmp_path / "a.csv")
    np.testing.assert_allclose(times_s, np.arange(95) / float(fps), atol=0.5 / 60000 + 1e-9)
    assert len(columns) == 61
    for channel, values in zip(MODEL_CHANNELS, weights.T):
        key = channel[0].upper() + channel[1:]
        np.testing.assert_allclose(columns[key], values, atol=1e-9)
    for key in ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "RightEyeRoll"):
        assert not any(columns[key])


@pytest.mark.parametrize("time_s, text", [
    (0, "00:00:00:00.000"), (1 / 30.0, "00:00:00:02.000"), (1 / 25.0, "00:00:00:02.400"),
    (1 / 24.0, "00:00:00:02.500"), (59.9999999, "00:01:00:00.000"),
    (3599 + 59.0 / 60, "00:59:59:59.000"), (3600, "01:00:00:00.000"),
    (0.999999, "00:00:01:00.000"), (36 * 3600 + 1, "12:00:01:00.000"),
    (69389 + 35.273 / 60, "19:16:29:35.273")])
def test_timecode(time_s, text):
    assert timecode(time_s) == text


def test_round_trip_of_our_own(tmp_path):
    weights = random_weights(40)
    write_live_link_csv(tmp_path / "a.csv", weights, MODEL_CHANNELS, 25)
    times_s, read, names = read_live_link_csv(tmp_path / "a.csv")
    assert names == LIVE_LINK_CSV_CHANNELS and read.dtype == np.float32
    np.testing.assert_allclose(reorder(read, names, MODEL_CHANNELS), weights, rtol=0, atol=1e-10)
    np.testing.assert_allclose(times_s, np.arange(40) / 25.0, atol=1e-5)


def test_the_apps_files_come_back_to_the_byte(realdata, tmp_path):
    paths = glob.glob(os.path.join(realdata, "livelink_csv", "*.csv"))
    assert paths
    for path in paths:
        take = read_live_link_take(path)
        assert len(take.weights) == 1200 and take.names == LIVE_LINK_CSV_CHANNELS
        np.testing.assert_allclose(np.diff(take.times_s), 1.002 / 60, atol=1e-4)
        write_live_link_take(tmp_path / "again.csv", take)
        with open(path, "rb") as stream:
            assert (tmp_path / "again.csv").read_bytes() == stream.read()


def test_weights_of_another_range_are_a_mistake_of_ours(tmp_path):
    for wrong in (-0.01, 1.01, np.nan):
        with pytest.raises(ValueError):
            write_live_link_csv(tmp_path / "a.csv", np.full((2, 52), wrong), MODEL_CHANNELS, 30)
    with pytest.raises(ValueError, match="tongueOut"):
        write_live_link_csv(tmp_path / "a.csv", np.zeros((2, 51)),
                            [name for name in MODEL_CHANNELS if name != "tongueOut"], 30)
    assert not os.listdir(str(tmp_path))


# ---- other forms

def test_other_spellings_and_fewer_columns(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b"\xef\xbb\xbfTimecode,BlendShapeCount,JawOpen,MouthClose,HeadYaw\r\n"
        b"10:00:00:58.5,3,0.5,0.25,-0.1\r\n10:00:01:00.0,3,0.75,0,0\r\n\r\n")
    times_s, weights, names = read_live_link_csv(tmp_path / "a.csv")
    assert names == ("jawOpen", "mouthClose")
    np.testing.assert_allclose(times_s, [0, 1.5 / 60], atol=1e-9)
    np.testing.assert_array_equal(weights, np.float32([[0.5, 0.25], [0.75, 0.0]]))
    take = read_live_link_take(tmp_path / "a.csv")
    assert take.angle_names == ("HeadYaw",) and take.angles[0, 0] == np.float32(-0.1)


def test_the_old_unreal_form_counts_frames_of_its_own_rate(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b"Timecode, FrameRate, EyeBlinkLeft, JawOpen\r\n"
        b"1:2:3:29, 30, 0.100, 0.200\r\n1:2:4:0, 30, 0.300, 0.400\r\n")
    take = read_live_link_take(tmp_path / "a.csv")
    assert take.names == ("eyeBlinkLeft", "jawOpen")
    assert take.start_s == pytest.approx(3723 + 29 / 30.0)
    np.testing.assert_allclose(take.times_s, [0, 1 / 30.0], atol=1e-9)


def test_midnight(tmp_path):
    (tmp_path / "a.csv").write_text("Timecode,BlendshapeCount,JawOpen\n23:59:59:59.0,1,0\n"
                                    "00:00:00:00.0,1,0\n00:00:00:01.0,1,0\n")
    times_s, _, _ = read_live_link_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(times_s, [0, 1 / 60.0, 2 / 60.0], atol=1e-6)


# ---- what cannot be read

@pytest.mark.parametrize("content, told", [
    (b"", "not a Live Link Face CSV"),
    (b"time,jawOpen\n0,1\n", "line 1: not a Live Link Face CSV"),
    (b"\x00\x01\x02binary\xff\xfe" * 30, "not a Live Link Face CSV"),
    (b"Timecode;BlendshapeCount;JawOpen\n", "no rows"),
    (b"Timecode,BlendshapeCount\n00:00:00:00,0\n", "not a Live Link Face CSV"),
    (b"Timecode,BlendshapeCount,JawOpen\n", "no rows"),
    (b"Timecode,BlendshapeCount,JawOpn\n00:00:00:00,1,0\n", "line 1: the column 'JawOpn'"),
    (b"Timecode,BlendshapeCount,JawOpen,jawopen\n", "line 1: the column jawopen"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,0\n00:00:00:02,1\n", "line 3: 2 cells"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,0\n00:00:00:02,1,\n",
     "line 3: column JawOpen is ''; expected a finite number"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,half\n", "line 2: column JawOpen"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,nan\n", "line 2: column JawOpen is 'nan'"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,inf\n", "line 2: column JawOpen is 'inf'"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,1e999\n", "line 2: a number is too large"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:00,1,0\n", "line 2: '00:00:00' is not a timecode"),
    (b"Timecode,BlendshapeCount,JawOpen\n0.033,1,0\n", "line 2: '0.033' is not a timecode"),
    (b"Timecode,BlendshapeCount,JawOpen\n0:0:0:nan,1,0\n", "line 2: '0:0:0:nan' is not a timecode"),
    (b"Timecode,FrameRate,JawOpen\n00:00:00:00,0,0\n", "line 2: a FrameRate of 0"),
    (b"Timecode,BlendshapeCount,JawOpen\n00:00:01:00,1,0\n00:00:00:59,1,0\n", "backwards"),
])
def test_hostile_files(tmp_path, content, told):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_live_link_csv(path)
    assert told in str(caught.value) and str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            read_live_link_csv(path)


# ---- files of other programs: FF of their own rate, frame numbers, seconds

def put_rows(path, timecodes, header="Timecode,BlendshapeCount,JawOpen,MouthClose"):
    path.write_text(header + "\n" + "".join("%s,61,0.5,0\n" % text for text in timecodes))
    return path


def take_of(path):
    """(take, its warnings)."""
    warnings = []
    return read_live_link_take(path, warnings.append), warnings


def clock(second):
    return "%02d:%02d:%02d" % (second // 3600 % 24, second // 60 % 60, second % 60)


FRACTIONS = {                   # what programs write of frame `count`, `frame` of its second
    "whole": lambda count, frame, rate: "%02d" % frame,
    "zeros": lambda count, frame, rate: "%02d.000" % frame,
    "rows": lambda count, frame, rate: "%02d.%03d" % (frame, count % 1000),
    "milliseconds": lambda count, frame, rate: "%02d.%03d" % (frame, frame * 1000 // rate),
    "constant": lambda count, frame, rate: "%02d.250" % frame,
}


@pytest.mark.parametrize("fraction", sorted(FRACTIONS))
@pytest.mark.parametrize("rate", [10, 15, 24, 25, 30, 48, 50, 120])
def test_ff_of_the_files_own_rate(tmp_path, rate, fraction):
    first = rate * (23 * 3600 + 59 * 60 + 50) + rate // 3       # midnight comes 10 s later
    counts = range(first, first + 40 * rate)
    path = put_rows(tmp_path / "a.csv", [
        "%s:%s" % (clock(count // rate), FRACTIONS[fraction](count, count % rate, rate))
        for count in counts])
    take, warnings = take_of(path)
    np.testing.assert_allclose(take.times_s, np.arange(40 * rate) / float(rate), atol=1e-6)
    assert len(warnings) == 1 and "taken as %d a second" % rate in warnings[0]
    assert "a.csv" in warnings[0]


def test_ff_of_its_own_rate_with_frames_lost(tmp_path):
    kept = np.random.RandomState(0).rand(600) > 0.05
    kept[0] = True
    path = put_rows(tmp_path / "a.csv", [
        "%s:%02d" % (clock(count // 30), count % 30) for count in np.flatnonzero(kept)])
    take, warnings = take_of(path)
    np.testing.assert_allclose(take.times_s, np.flatnonzero(kept) / 30.0, atol=1e-9)
    assert len(warnings) == 1


def test_drop_frame_timecode_tells_the_time(tmp_path):
    counts = [count for count in range(50 * 30, 200 * 30)
              if not (count % 1800 < 2 and count // 1800 % 10)]
    path = put_rows(tmp_path / "a.csv", [
        "%s;%02d" % (clock(count // 30), count % 30) for count in counts])
    take, warnings = take_of(path)
    np.testing.assert_allclose(take.times_s, np.arange(len(counts)) * 1001 / 30000.0, atol=1e-6)
    assert take.start_s == 50.0 and len(warnings) == 1


@pytest.mark.parametrize("form", ["%06.3f", "rounded", "cut off"])
@pytest.mark.parametrize("fps", [1, 2, 5, 10, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_sixtieths_stay_sixtieths(tmp_path, fps, form):
    """At any frame rate, with times that waver by a third of a frame and frames lost."""
    random = np.random.RandomState(int(fps))
    for wavering, lost in ((0.0, 0.0), (0.3, 0.0), (0.3, 0.2)):
        times_s = np.arange(int(12 * fps)) / fps + 100.2
        times_s = times_s + random.uniform(-wavering, wavering, len(times_s)) / fps
        times_s = times_s[random.rand(len(times_s)) >= lost]
        units = times_s % 1.0 * 60
        units = {"rounded": np.minimum(np.round(units), 59.0), "cut off": np.floor(units)}.get(
            form, np.minimum(units, 59.999))
        path = put_rows(tmp_path / "a.csv", ["%s:%06.3f" % (clock(int(time_s)), unit)
                                             for time_s, unit in zip(times_s, units)])
        take, warnings = take_of(path)
        expected_s = np.floor(times_s) + units / 60
        np.testing.assert_allclose(take.start_s + take.times_s, expected_s, atol=1e-3)
        assert warnings == []


def test_a_frame_lost_at_every_second_is_no_rate(tmp_path):
    path = put_rows(tmp_path / "a.csv", ["00:00:%02d:%02d" % (second, frame)
                                         for second in range(5) for frame in range(2, 51, 6)])
    take, warnings = take_of(path)
    assert warnings == [] and take.times_s[-1] == pytest.approx(4 + 48 / 60.0)


def test_too_short_to_tell(tmp_path):
    """One new second is no proof: a capture may have halted there."""
    path = put_rows(tmp_path / "a.csv", ["%s:%02d" % (clock(count // 30), count % 30)
                                         for count in range(50)])
    take, warnings = take_of(path)
    assert take.times_s[29] == pytest.approx(29 / 60.0) and take.times_s[30] == 1.0
    assert len(warnings) == 1 and "too short to tell and is read as sixtieths" in warnings[0]


EMOTIONS = ",Angry,Disgusted,Fearful,Happy,Neutral,Sad,Surprised"


def test_neurosyncs_frame_numbers_and_emotions(tmp_path):
    (tmp_path / "a.csv").write_text(
        APP_HEADER + EMOTIONS + "\n" + "".join(
            ",".join(["%.1f" % row, "68.0"] + ["-0.003"] * 52 + ["0.1"] * 9 + ["31.0"] * 7) + "\n"
            for row in range(180)))
    take, warnings = take_of(tmp_path / "a.csv")
    np.testing.assert_allclose(take.times_s, np.arange(180) / 60.0, atol=1e-9)
    assert take.names == LIVE_LINK_CSV_CHANNELS and take.weights.max() == np.float32(-0.003)
    assert take.angles.shape == (180, 9)
    assert len(warnings) == 1 and "the number of the frame: taken as 60 a second" in warnings[0]


def test_a_timecode_of_seconds(tmp_path):
    path = put_rows(tmp_path / "a.csv", ["%.4f" % (row / 30.0) for row in range(60)])
    take, warnings = take_of(path)
    np.testing.assert_allclose(take.times_s, np.arange(60) / 30.0, atol=1e-4)
    assert len(warnings) == 1 and "taken as seconds" in warnings[0]
    with pytest.raises(UserError, match="line 3: '00:00:01:00' is a timecode and those above"):
        read_live_link_csv(put_rows(path, ["0.0", "00:00:01:00"]))
    with pytest.raises(UserError, match="line 2: '0.0' is not a timecode"):
        read_live_link_csv(put_rows(path, ["0.0", "2.5"]))
