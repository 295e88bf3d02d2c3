"""evaluate.py, its scorecard and the face files of other systems."""
import base64
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from tests.helpers.faces import random_weights
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here, run_process
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.formats.face_files import read_face
from utils.formats.live_link_csv import write_live_link_csv
from utils.formats.npz import write_npz
from utils.formats.timings import Timings
from utils.pages.scorecard_page import LINES, write_page
from utils.scoring import scorecard

VIDEO = os.path.join(REPOSITORY, "training_data", "11.mp4")
LABELS = os.path.join(REPOSITORY, "training_data", "11.csv")


def evaluate(*arguments):
    """(exit status, stdout, stderr) of the script in the repository."""
    return run_here("evaluate.py", *arguments)


# ---- face files

def audio2face(weights):
    return {"exportFps": 30, "trackPath": "a.wav", "numPoses": 52, "numFrames": len(weights),
            "facsNames": list(UNREAL_CHANNELS), "weightMat": weights.tolist()}


def beat(weights, fps):
    return {"names": list(UNREAL_CHANNELS), "frames": [
        {"weights": row.tolist(), "time": i / float(fps), "rotation": []}
        for i, row in enumerate(weights)]}


def nim_csv(weights):
    lines = [",timeCode," + ",".join("blendShapes." + name[0].upper() + name[1:]
                                     for name in UNREAL_CHANNELS)
             + ",blendShapes.HeadRoll,blendShapes.TongueTipUp"]
    for i, row in enumerate(weights):
        lines.append(",".join(["%d" % i, "%.6f" % (i / 30.0)] + ["%.8f" % value for value in row]
                              + ["0.5", "0.7"]))
    return "\n".join(lines) + "\n"


def test_every_format_gives_the_same_face(tmp_path):
    weights = random_weights(12)                            # [12, 52] in Unreal's order
    paths = [tmp_path / name for name in ("a.csv", "b.npz", "c.json", "d.json", "e.csv", "f.csv")]
    write_live_link_csv(str(paths[0]), weights, UNREAL_CHANNELS, 30)
    write_npz(str(paths[1]), weights, UNREAL_CHANNELS, 30)
    paths[2].write_text(json.dumps(audio2face(weights)))
    paths[3].write_text(json.dumps(beat(weights, 30)))
    paths[4].write_text(nim_csv(weights))
    paths[5].write_text("time,_neutral," + ",".join(UNREAL_CHANNELS) + "\n" + "".join(
        "%.6f,0.1," % (i / 30.0) + ",".join("%.8f" % value for value in row) + "\n"
        for i, row in enumerate(weights)))
    for path in paths:
        times_s, read, names = read_face(str(path))
        assert np.allclose(times_s, np.arange(12) / 30.0, atol=1e-4), path
        assert sorted(names) == sorted(MODEL_CHANNELS), path
        assert np.allclose(reorder(read, names, UNREAL_CHANNELS), weights, atol=1e-6), path


def test_frame_rates_meet_at_thirty(tmp_path):
    ramp = np.linspace(0, 0.59, 60)[:, np.newaxis] * np.ones((1, 52))      # 0.01 a frame, 60 fps
    path = tmp_path / "beat.json"
    path.write_text(json.dumps(beat(ramp, 60)))
    face = scorecard.load_face(str(path))
    assert face.weights.shape == (30, 52)
    assert np.allclose(face.weights[:, 0], 0.02 * np.arange(30), atol=1e-6)
    without_times = beat(ramp, 60)
    for frame in without_times["frames"]:
        del frame["time"]                                   # BEAT is 60 fps by definition
    path.write_text(json.dumps(without_times))
    assert np.allclose(scorecard.load_face(str(path)).weights, face.weights)


@pytest.mark.parametrize("name, text, told", [
    ("a.json", "{", "not JSON"), ("a.json", "{}", "neither Audio2Face"),
    ("a.json", '{"facsNames": ["jawOpen"], "weightMat": [[1, 2]], "exportFps": 30}', "1 names"),
    ("a.json", '{"facsNames": ["jawOpen"], "weightMat": [[NaN]], "exportFps": 30}', "NaN"),
    ("a.json", '{"facsNames": ["jawUp"], "weightMat": [[0]], "exportFps": 30}', "'jawUp'"),
    ("a.json", '{"facsNames": ["jawOpen"], "weightMat": [[0]], "exportFps": 0}',
     "not Audio2Face's JSON"),
    ("a.json", "[]", "neither"),
    ("a.csv", "time,jawOpen\n0,0.1\n0.03,x\n", "line 3"),
    ("a.csv", "time,jawOpen,JawOpen\n0,0.1,0.1\n", "twice"),
    ("a.csv", "time,jawOpen\n1,0.1\n0,0.1\n", "backwards"),
    ("a.csv", "time,jawOpen\n", "a row for each frame"), ("a.csv", "", "line 1"),
    ("a.csv", "time,headYaw\n0,0\n", "none of the 52"),
    ("a.mp4", "", ".csv, .json, .npz, .vmd, .vrma or .glb")])
def test_bad_face_files_are_told(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError) as failure:
        read_face(str(path))
    assert told in str(failure.value) and name in str(failure.value)


# ---- the scorecard on a face made for it

NAMES = ("jawOpen", "mouthClose", "mouthPucker", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp")


@pytest.fixture(scope="module")
def clip():
    """(labels Face, samples, Timings): ten syllables `m a`, 0.5 s each, then two silent seconds.

    The jaw does not follow the loudness in each: every other syllable is as loud and half as wide.
    """
    num_frames = 7 * ANIMATION_FPS
    time_s = np.arange(num_frames) / float(ANIMATION_FPS)
    speaking = time_s < 5.0
    wave = np.where(speaking, 0.5 - 0.5 * np.cos(2 * np.pi * time_s / 0.5), 0.0)
    weights = np.zeros((num_frames, len(NAMES)), np.float32)
    weights[:, 0] = wave * np.where((time_s / 0.5).astype(int) % 2, 0.8, 0.4)
    weights[:, 2] = np.where((time_s > 2) & (time_s < 3), 0.6, 0.0)
    weights[100:105, 3:5] = 0.9
    loud = np.repeat(wave, SAMPLE_RATE_HZ // ANIMATION_FPS + 1)[:7 * SAMPLE_RATE_HZ]
    samples = 0.2 * loud * np.sin(2 * np.pi * 200 * np.arange(len(loud)) / SAMPLE_RATE_HZ)
    phones = []
    for i in range(10):
        phones += [("M", 0.5 * i, 0.5 * i + 0.05), ("L", 0.5 * i + 0.05, 0.5 * i + 0.15),
                   ("AA", 0.5 * i + 0.15, 0.5 * i + 0.35), ("L", 0.5 * i + 0.35, 0.5 * i + 0.5)]
    return scorecard.Face(weights, NAMES), samples.astype(np.float32), Timings(phones, [])


def test_a_perfect_face_scores_as_the_labels(clip):
    labels, samples, timings = clip
    card, curves = scorecard.score(labels, labels, samples, timings)
    found = card["systems"]
    assert found["system"] == found["labels"]
    ours = found["system"]
    assert ours["opening_r"] == pytest.approx(1.0) and ours["opening_lag_ms"] == 0.0
    assert ours["mouth_jitter_ratio"] == 1.0 and ours["silence_leak"] == pytest.approx(0.0)
    assert ours["closure_recall"] == 1.0 and ours["closure_recall_of"] == 10
    assert ours["false_closure_rate"] == 0.0 and ours["false_closure_rate_of"] == 10
    assert ours["blinks_a_minute"] == pytest.approx(60 / 7.0)
    assert card["regions"]["system"]["jaw"] == {"mae": 0.0, "r": pytest.approx(1.0)}
    assert card["scored_channels"] == ["eyeBlinkLeft", "jawOpen", "mouthPucker", "eyeBlinkRight"]
    assert "browInnerUp" in card["still_channels"] and len(card["still_channels"]) == 48
    assert 1.5 < card["silent_s"] < 2.1 and card["scored_s"] == 7.0
    assert sorted(curves) == ["labels", "loudness", "mean", "system"]
    mean = labels.weights[:, 0].mean()
    assert card["channels"]["jawOpen"]["mean"]["mae"] == pytest.approx(
        np.mean(np.abs(labels.weights[:, 0] - mean)), abs=1e-6)
    assert found["mean"]["opening_r"] is None and found["mean"]["silence_leak"] == pytest.approx(1)
    assert 0.7 < found["loudness"]["opening_r"] < 0.97


def test_bad_faces_score_badly(clip):
    labels, samples, timings = clip
    still = scorecard.Face(np.full_like(labels.weights, 0.5), NAMES)
    random = np.random.RandomState(0)
    noise = scorecard.Face(random.rand(*labels.weights.shape).astype(np.float32), NAMES)
    late = scorecard.Face(np.roll(labels.weights, 3, axis=0), NAMES)
    half_a_syllable_late = scorecard.Face(np.roll(labels.weights, 7, axis=0), NAMES)
    scores = [scorecard.score(face, labels, samples, timings)[0]["systems"]["system"]
              for face in (still, noise, late, half_a_syllable_late)]
    assert scores[0]["opening_r"] is None and scores[0]["closure_recall"] == 0.0
    assert abs(scores[1]["opening_r"]) < 0.2 and scores[1]["mouth_jitter_ratio"] > 5.0
    assert scores[1]["silence_leak"] > 0.2 and scores[1]["false_closure_rate"] > 0.5
    assert scores[2]["opening_lag_ms"] == pytest.approx(100.0)
    assert scores[2]["opening_r"] < 0.7
    assert scores[3]["closure_recall"] < 0.2 and scores[3]["false_closure_rate"] > 0.8


def test_a_channel_that_the_face_lacks_counts_as_rest(clip):
    labels, samples, _ = clip
    jaw_only = scorecard.Face(labels.weights[:, :1], NAMES[:1])
    card, _ = scorecard.score(jaw_only, labels, samples)
    pucker = card["channels"]["mouthPucker"]["system"]
    assert pucker["r"] is None and pucker["mae"] == pytest.approx(
        labels.weights[:, 2].mean(), abs=1e-6)
    assert card["systems"]["system"]["opening_r"] == pytest.approx(1.0)
    assert card["systems"]["system"]["rounding_r"] is None
    assert card["systems"]["system"]["blinks_a_minute"] is None
    assert "closure_recall" not in card["systems"]["system"]            # no times were given
    assert "rounding_r" in scorecard.table(card)


def test_the_mean_of_other_labels(clip):
    labels, samples, _ = clip
    other = scorecard.Face(np.full((10, 1), 0.3, np.float32), ("jawOpen",))
    longer = scorecard.Face(np.full((30, 1), 0.7, np.float32), ("jawOpen",))
    mean = scorecard.mean_baseline(labels, [other, longer])
    assert np.allclose(mean.weights[:, 0], 0.6)             # by frames, not by files
    assert np.allclose(mean.weights[:, 1:], 0.0)


def test_too_short_and_still_labels_are_refused(clip):
    labels, samples, _ = clip
    with pytest.raises(UserError, match="only 0.50 s are common"):
        scorecard.score(labels, labels, samples[:SAMPLE_RATE_HZ // 2])
    resting = scorecard.Face(np.zeros_like(labels.weights), NAMES)
    with pytest.raises(UserError, match="no channel of the mouth moves"):
        scorecard.score(labels, resting, samples)


class PageReader(HTMLParser):
    """The cells of a page's tables, its pictures as arrays, and what it would load."""

    def __init__(self, text):
        HTMLParser.__init__(self)
        self.rows, self.pictures, self.loaded, self.open_tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "img"):
            self.open_tags.append(tag)
        source = attributes.get("src", attributes.get("href", ""))
        if source.startswith("data:image/png;base64,"):
            png = np.frombuffer(base64.b64decode(source.split(",")[1]), np.uint8)
            self.pictures.append(cv2.imdecode(png, cv2.IMREAD_COLOR))
        elif source or tag in ("script", "link"):
            self.loaded.append(source)

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if self.open_tags and self.open_tags[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_page_is_whole_and_says_what_the_card_says(clip, tmp_path):
    labels, samples, timings = clip
    long_labels = scorecard.Face(np.tile(labels.weights, (3, 1)), NAMES)        # 21 s: a close-up
    system = scorecard.Face(0.5 * long_labels.weights[:, :2], NAMES[:2])
    card, curves = scorecard.score(system, long_labels, np.tile(samples, 3), timings)
    card.update(system="<b>&co", audio="a.wav", labels="a.csv", mean_of=["a.csv"])
    write_page(str(tmp_path / "page.html"), card, curves)
    page = PageReader((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not page.open_tags and not page.loaded
    rows = {row[0]: row[1:] for row in page.rows}
    assert rows["measure"] == ["system", "loudness", "mean", "labels"]
    assert rows["opening_r"] == ["1.00", "%.2f" % card["systems"]["loudness"]["opening_r"],
                                 u"\u2013", "1.00"]
    assert rows["mouthPucker"][0] == u"\u2013"              # the last table is of r
    assert len(page.pictures) == 2
    whole, close_up = page.pictures
    assert whole.shape == close_up.shape and whole.shape[1] == 990
    assert not np.array_equal(whole, close_up)
    for kind, colour in LINES:                      # more than its sample in the legend
        blue_green_red = [int(colour[at:at + 2], 16) for at in (5, 3, 1)]
        for picture in page.pictures:
            drawn = np.abs(picture.astype(int) - blue_green_red).sum(axis=2) < 30
            assert drawn.sum() > 500, kind


# ---- the script

def test_the_default_checkpoint_on_an_embedded_subject(tmp_path):
    path, page_path = tmp_path / "card.json", tmp_path / "card.html"
    status, output, errors = run_process("evaluate.py", "--json", path, "--html", page_path)
    assert status == 0, errors
    assert page_path.read_text(encoding="utf-8").count("data:image/png;base64,") == 1
    card = json.loads(path.read_text())
    assert set(card["systems"]) == {"system", "loudness", "mean", "labels"}
    ours, loudness = card["systems"]["system"], card["systems"]["loudness"]
    # The default was trained on labels of this kind, but a frame later, as real faces are.
    assert ours["opening_r"] > loudness["opening_r"] + 0.05
    assert abs(ours["opening_lag_ms"]) <= 34.0 and 0.7 < ours["mouth_jitter_ratio"] < 1.3
    assert ours["silence_leak"] < 0.1 and len(card["scored_channels"]) > 20
    assert ours["blinks_a_minute"] > 5.0 and loudness["blinks_a_minute"] == 0.0
    for part in ("jaw", "lips"):
        errors_of = {kind: card["regions"][kind][part]["mae"] for kind in card["regions"]}
        assert errors_of["system"] < errors_of["loudness"] < errors_of["mean"]
    lines = dict((line.split()[0], line.split()[1:]) for line in output.split("\n") if line)
    assert lines["measure"] == ["system", "loudness", "mean", "labels"]
    assert lines["opening_r"][0] == "%.2f" % ours["opening_r"] and lines["opening_r"][2] == "-"


def test_a_file_of_another_system_needs_no_tensorflow(tmp_path):
    weights = scorecard.load_face(LABELS)
    path = tmp_path / "a2f.json"
    path.write_text(json.dumps(audio2face(
        reorder(weights.weights, weights.names, UNREAL_CHANNELS))))
    times = tmp_path / "words.csv"
    times.write_text("start_s,end_s,word\n1.0,1.4,place\n1.5,1.9,at\n")
    card_path = tmp_path / "card.json"
    code = ("import sys; sys.argv[0] = 'evaluate.py'; import evaluate; evaluate.main(); "
            "assert 'tensorflow' not in sys.modules")
    done = subprocess.run(
        [sys.executable, "-c", code, "--audio_fname", VIDEO, "--prediction", str(path),
         "--timings", str(times), "--mean_of", LABELS, "--json", str(card_path)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    card = json.loads(card_path.read_text())
    assert card["systems"]["system"]["opening_r"] == pytest.approx(1.0, abs=1e-4)
    assert card["systems"]["system"]["closure_recall_of"] == 1
    assert card["system"] == str(path) and card["mean_of"] == [LABELS]


@pytest.mark.parametrize("arguments, told", [
    (["--labels", "nowhere.csv"], "there are no labels nowhere.csv"),
    (["--audio_fname", "nowhere.wav", "--labels", LABELS, "--prediction", LABELS], "nowhere.wav"),
    (["--prediction", "nowhere.json"], "cannot read nowhere.json"),
    (["--timings", "nowhere.TextGrid"], "cannot read nowhere.TextGrid")])
def test_what_is_missing_is_told_in_one_line(arguments, told):
    status, output, errors = evaluate(*arguments)
    assert status == 1 and told in errors
    assert errors.startswith("error: ") and errors.count("\n") == 1 and not output


def test_invalid_frames_are_cut_out_with_the_phones_they_touch(clip):
    labels, samples, timings = clip
    whole, _ = scorecard.score(labels, labels, samples, timings)
    # A face that is right but for the frames from 1 to 2 s, which do not count.
    wrong = labels.weights.copy()
    wrong[ANIMATION_FPS:2 * ANIMATION_FPS] = 1.0
    valid = np.ones(len(wrong) + 5, bool)
    valid[ANIMATION_FPS:2 * ANIMATION_FPS] = False
    wrong = scorecard.Face(wrong, labels.names)
    card, _ = scorecard.score(wrong, labels, samples, timings, valid=valid)
    assert card["frames"] == whole["frames"] - ANIMATION_FPS
    assert card["systems"]["system"]["opening_r"] == pytest.approx(1.0)
    counted, _ = scorecard.score(wrong, labels, samples, timings)
    assert counted["systems"]["system"]["opening_r"] < 0.9


def test_phones_move_with_the_frames_that_are_cut_out():
    keep = np.ones(90, bool)
    keep[30:45] = False                                         # 1.0 to 1.5 s
    spans = [(0.2, 0.3), (0.9, 0.98), (1.2, 1.3), (1.7, 1.8), (5.0, 5.1)]
    found = scorecard._in_kept_time(spans, keep)
    # The second is nearer than 0.04 s to the cut, the third within it, the last behind the end.
    np.testing.assert_allclose(found, [(0.2, 0.3), (1.2, 1.3)], atol=1e-9)


def test_a_subject_of_a_dataset_is_scored_by_its_own_labels(tmp_path):
    for extension in (".mp4", ".csv"):
        shutil.copy(os.path.join(REPOSITORY, "training_data", "11" + extension), str(tmp_path))
    status, _, err = run_here("process_data.py", "--training_data_path", tmp_path,
                              "--hold_out", "0.5", "--processes", "1")
    assert status == 0, err
    dataset_path = str(tmp_path / "dataset")
    status, out, err = evaluate("--subject", dataset_path, "11_held_out")
    assert status == 0, err
    measured = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.strip()}
    assert float(measured["opening_r"]) > 0.7
    status, _, err = evaluate("--subject", dataset_path, "12")
    assert (status, err.count("\n")) == (1, 1) and "it has 11, 11_held_out" in err
