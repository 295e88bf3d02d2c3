"""The dataset's page: complete in itself, right in what it says, whatever the dataset holds."""
import base64
import collections
import html.parser
import os
import re

import cv2
import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.dataset.store import Arrays, Dataset, mask_of, write_manifest, write_subject
from utils.pages import dataset_page
from utils.pages.dataset_page import BAD, GOOD, LOOK, remarks, thumbnail_times, write_dataset_page

VOID = ("meta", "img", "path")
GRADIENT = np.tile(np.arange(0, 240, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 320, 3))


def made_record(num_frames, **changes):
    record = collections.OrderedDict([
        ("frames", num_frames), ("duration_s", num_frames / float(ANIMATION_FPS)),
        ("media", {"name": "clip.mp4", "sha256": "0"}),
        ("labels", {"kind": "tracker", "name": "clip.mp4", "sha256": "0", "notes": {}}),
        ("alignment", {"method": "in step", "start_s": 0.0, "confidence": None}),
        ("offset", {"offset_s": 0.004, "confidence": 0.99, "r": 0.71, "corrected": False}),
        ("mask", collections.OrderedDict([("tongueOut", "absent"), ("cheekPuff", "still")])),
        ("neutral", collections.OrderedDict([("eyeSquintLeft", 0.4), ("jawOpen", 0.003)])),
        ("valid", {"share": 1.0, "counts": {"no face": 0, "jump": 0}}),
        ("sides", []), ("warnings", [])])
    record.update(changes)
    return record


def made_arrays(num_frames, record=None, valid=None):
    """A talking, blinking face with its sound."""
    times_s = np.arange(num_frames) / float(ANIMATION_FPS)
    targets = np.zeros((num_frames, len(MODEL_CHANNELS)), np.float32)
    loudness = np.maximum(np.sin(2 * np.pi * 2.1 * times_s), 0) * (times_s % 4 < 3)
    for name, curve in (("jawOpen", 0.5 * loudness), ("mouthClose", 0.1 * loudness),
                        ("mouthPucker", 0.3 * np.sin(times_s) ** 2),
                        ("mouthSmileLeft", 0.2 * np.cos(times_s) ** 2),
                        ("mouthSmileRight", 0.2 * np.cos(times_s) ** 2),
                        ("eyeBlinkLeft", 0.9 * (times_s % 3 < 0.15)),
                        ("eyeBlinkRight", 0.9 * (times_s % 3 < 0.15))):
        targets[:, MODEL_CHANNELS.index(name)] = curve
    samples = np.repeat(loudness, SAMPLE_RATE_HZ // ANIMATION_FPS + 1)
    samples = samples[:num_frames * SAMPLE_RATE_HZ // ANIMATION_FPS]
    audio = (8000 * samples * np.random.RandomState(0).uniform(-1, 1, len(samples))).astype("<i2")
    return Arrays(targets, mask_of(record or made_record(num_frames)),
                  np.ones(num_frames, bool) if valid is None else valid, audio)


def made_dataset(path, subjects):
    """The Dataset at `path` of {name: (record, arrays)}."""
    records = collections.OrderedDict()
    for number, (name, (record, arrays)) in enumerate(subjects.items()):
        records[name] = write_subject(str(path), "subject%d" % number, record, arrays.targets,
                                      arrays.valid, arrays.audio)
    write_manifest(str(path), records, 1)
    return Dataset(str(path))


class Page(html.parser.HTMLParser):
    """The page's tags, checked to be closed in order, its pictures and its text."""

    def __init__(self, path):
        html.parser.HTMLParser.__init__(self)
        with open(path, encoding="utf-8") as stream:
            self.source = stream.read()
        self.open_tags, self.attributes, self.words, self.tags = [], [], [], []
        self.feed(self.source)
        self.close()
        assert self.open_tags == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open_tags:
            self.words.append(data)

    def pictures(self, kind):
        head = "data:image/%s;base64," % kind
        return [cv2.imdecode(np.frombuffer(base64.b64decode(value[len(head):]), np.uint8), 1)
                for key, value in self.attributes if key == "src" and value.startswith(head)]


# ---- the stills

def test_stills_are_taken_where_each_pose_is_strongest_worked_out_by_hand():
    names = ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft")
    weights = np.zeros((3000, 5))
    weights[30, 0], weights[60, 0], weights[90, 0] = 0.5, 0.8, 0.9
    weights[15, 1] = 0.019                                  # never a pucker
    weights[2400, 2:4] = 0.3, 0.5
    weights[100, 2] = 0.7                                   # the mean of both sides is 0.35
    valid = np.ones(3000, bool)
    valid[90] = False
    assert thumbnail_times(weights, names, valid) == [
        ("mouth open 0.80 at 2.0 s", 60), ("smile 0.40 at 1:20.0", 2400)]
    assert thumbnail_times(weights, names, np.zeros(3000, bool)) == []
    assert thumbnail_times(weights[:, :1], names[:1], np.ones(3000, bool)) == [
        ("mouth open 0.90 at 3.0 s", 90)]


# ---- what it says

def said(record, arrays):
    verdict, words = remarks(record, arrays)
    return verdict, " | ".join(words)


def test_a_good_subject_is_good():
    assert remarks(made_record(1800), made_arrays(1800)) == (GOOD, [])
    # Shortness alone is told and no fault.
    verdict, words = said(made_record(300), made_arrays(300))
    assert verdict == GOOD and "short" in words


@pytest.mark.parametrize("changes, verdict, words", [
    (dict(valid={"share": 0.8, "counts": {"no face": 300, "jump": 60}}), LOOK,
     "20 % of the frames cannot be used (no face: 300 rows, jump: 60 rows)"),
    (dict(valid={"share": 0.4, "counts": {"two faces": 1000}}), BAD, "60 % of the frames"),
    (dict(valid={"share": 0.7, "counts": {}}), LOOK, "do not reach"),
    (dict(mask={"jawOpen": "absent"}), BAD, "the jaw is not in the labels"),
    (dict(mask={"jawOpen": "still"}), BAD, "the jaw does not move"),
    (dict(mask=dict.fromkeys(MODEL_CHANNELS[:43], "still")), BAD, "only 9 of 52 channels"),
    (dict(offset={"offset_s": 0.12, "confidence": 0.99, "r": 0.7, "corrected": False}), LOOK,
     "the face runs 120 ms behind the sound: process again with --fix_offset"),
    (dict(offset={"offset_s": -0.12, "confidence": 0.99, "r": 0.7, "corrected": False}), LOOK,
     "120 ms ahead of the sound"),
    (dict(offset={"offset_s": 0.12, "confidence": 0.6, "r": 0.2, "corrected": False}), LOOK,
     "could not be told"),
    (dict(alignment={"method": "searched", "start_s": 3.0, "confidence": 0.2}), BAD,
     "may not belong together"),
    (dict(warnings=["left and right of jaw or of mouth look swapped"]), LOOK, "look swapped"),
])
def test_each_fault_is_told_in_words(changes, verdict, words):
    found = said(made_record(1800, **changes), made_arrays(1800))
    assert found[0] == verdict and words in found[1], found


@pytest.mark.parametrize("changes", [
    dict(offset={"offset_s": 0.12, "confidence": 0.99, "r": 0.7, "corrected": True}),
    dict(offset={"offset_s": 0.049, "confidence": 0.99, "r": 0.7, "corrected": False}),
    dict(offset=None), dict(neutral=None),
    dict(alignment={"method": "searched", "start_s": 3.0, "confidence": 0.99})])
def test_what_is_no_fault_is_not_told(changes):
    assert remarks(made_record(1800, **changes), made_arrays(1800)) == (GOOD, [])


def test_a_small_mouth_and_eyes_that_never_blink_are_told():
    arrays = made_arrays(1800)
    targets = arrays.targets.copy()
    targets[:, MODEL_CHANNELS.index("jawOpen")] *= 0.1
    assert "opens very little" in said(made_record(1800), arrays._replace(targets=targets))[1]
    targets = arrays.targets.copy()
    targets[:, MODEL_CHANNELS.index("eyeBlinkLeft")] = 0.1
    targets[:, MODEL_CHANNELS.index("eyeBlinkRight")] = 0.1
    assert "never blink" in said(made_record(1800), arrays._replace(targets=targets))[1]
    masked = made_record(1800, mask={"eyeBlinkLeft": "still", "eyeBlinkRight": "still"})
    assert said(masked, arrays._replace(targets=targets)) == (GOOD, "")


# ---- the page

def test_the_page_needs_nothing_beside_it(tmp_path):
    nasty = "<b>\"1\" & 'co'</b>"
    valid = np.ones(900, bool)
    valid[300:500] = False
    record = made_record(900, valid={"share": 7 / 9.0, "counts": {"two faces": 200}},
                         warnings=["<b>odd</b>"],
                         sides=[{"pair": "jaw", "against": "mouth", "r": -0.5,
                                 "words": "jaw < mouth"}])
    dataset = made_dataset(tmp_path / "data", collections.OrderedDict([
        (nasty, (record, made_arrays(900, valid=valid))),
        ("good", (made_record(1800), made_arrays(1800)))]))
    path = str(tmp_path / "report.html")
    write_dataset_page(path, dataset, {nasty: [("mouth open 0.50 at <1> s", GRADIENT)] * 2})
    page = Page(path)
    # Nothing is fetched, nothing is run.
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for key, value in page.attributes:
        if key in ("src", "href"):
            assert value.startswith("data:image/") or re.match(r"#s\d+$", value), value
    assert "http" not in page.source and "url(" not in page.source and "<b>" not in page.source
    # Each link leads somewhere.
    ids = [value for key, value in page.attributes if key == "id"]
    assert ids == [value[1:] for key, value in page.attributes if key == "href"] == ["s0", "s1"]
    # It says what there is to say.
    for words in (nasty, "2 subjects, 90.0 s of sound", "looks good", "please look", "78 %",
                  "mouth open 0.50 at <1> s", "two faces: 200 rows", "jaw < mouth", "<b>odd</b>",
                  "not in the source: tongueOut", "do not move: cheekPuff",
                  "eyeSquintLeft 0.40; of all others less than 0.02", "in step",
                  "4 ms behind the sound (confidence 0.99, r 0.71): less than two frames"):
        assert words in page.text, words
    stills, curves = page.pictures("jpeg"), page.pictures("png")
    assert [still.shape for still in stills] == [(165, 220, 3)] * 2
    assert np.abs(stills[0].mean() - GRADIENT.mean()) < 3
    assert len(curves) == 4                     # of each subject the whole and a close-up
    # The red of what is left out: a good share of one subject's overview, none of the other's.
    red = [np.mean((picture[:, :, 2].astype(int) - picture[:, :, 0] > 20)
                   & (picture[:, :, 1] > 190)) for picture in curves]
    assert 0.08 < red[0] < 0.25 and red[2] < 0.005, red
    histograms = re.findall("<path d='M0 44(V[^Z]*)Z'", page.source)
    assert len(histograms) == 2 * len(MODEL_CHANNELS)


def test_histograms_count_valid_frames_worked_out_by_hand():
    arrays = made_arrays(100)
    targets = np.zeros_like(arrays.targets)
    jaw = MODEL_CHANNELS.index("jawOpen")
    targets[:50, jaw] = 1.0                                 # 30 of 80 valid frames
    valid = np.arange(100) >= 20
    drawn = dataset_page._histograms(arrays._replace(targets=targets, valid=valid), {})
    cell = [cell for cell in drawn.split("<g ") if ">jawOpen<" in cell][0]
    heights = [44.0 - float(at) for at in re.findall(r"V([\d.]+)h", cell)]
    expected = np.zeros(25)
    expected[[0, -1]] = 30.0, 30.0 * np.log1p(30) / np.log1p(50)
    np.testing.assert_allclose(heights, expected, atol=0.06)
    assert ">1.00<" in cell                                 # the 95th percentile


def test_loudness_is_each_frames_own():
    loudness = np.repeat([0, 1000, 0, 3000], 16000).astype("<i2")       # a second each
    found = dataset_page._loudness(loudness, 121)
    np.testing.assert_allclose(found, np.repeat([0, 1000, 0, 3000, 0], [30, 30, 30, 30, 1]))
    # In blocks as whole.
    sound = (np.random.RandomState(0).uniform(-1, 1, 3900 * 1600 // 3) * 9000).astype("<i2")
    whole = dataset_page._loudness(sound, 3900)
    np.testing.assert_allclose(whole[1800:1830],
                               dataset_page._loudness(sound[960000:], 2100)[:30])


def test_a_long_subject_stays_small_and_is_shown_whole(tmp_path):
    num_frames = 10 * 60 * ANIMATION_FPS
    valid = np.random.RandomState(0).rand(num_frames) > 0.02
    arrays = made_arrays(num_frames, valid=valid)
    arrays.targets[:, 3] = np.random.RandomState(1).rand(num_frames)
    dataset = made_dataset(tmp_path / "data", {
        "long": (made_record(num_frames), arrays)})
    path = str(tmp_path / "report.html")
    write_dataset_page(path, dataset, {"long": [("x", GRADIENT)] * 4})
    assert os.path.getsize(path) < 1000000
    assert "10.0 min" in Page(path).text


@pytest.mark.parametrize("num_frames, valid", [(1, True), (3, True), (40, False), (450, True)])
def test_subjects_of_next_to_nothing(tmp_path, num_frames, valid):
    record = made_record(num_frames, offset=None, neutral=None,
                         valid={"share": float(valid), "counts": {}},
                         mask=dict.fromkeys(MODEL_CHANNELS, "absent") if num_frames == 3 else {})
    dataset = made_dataset(tmp_path / "data", {
        "bit": (record, made_arrays(num_frames, valid=np.full(num_frames, valid)))})
    path = str(tmp_path / "report.html")
    write_dataset_page(path, dataset, {})
    page = Page(path)
    assert len(page.pictures("png")) == 1 and "bit" in page.text
    assert ("not in the source" in page.text) == (num_frames == 3)
    # A channel that is not there has neither curve nor legend.
    picture = page.pictures("png")[0].astype(int)
    coloured = np.ptp(picture, axis=2) > 80
    assert coloured.any() == (num_frames != 3)


def test_many_subjects_are_folded(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_page, "MAX_OPEN_SECTIONS", 1)
    dataset = made_dataset(tmp_path / "data", collections.OrderedDict(
        ("%d" % number, (made_record(60), made_arrays(60))) for number in range(2)))
    path = str(tmp_path / "report.html")
    write_dataset_page(path, dataset, {})
    page = Page(path)
    assert page.tags.count("details") == page.tags.count("summary") == 2


def test_no_subjects_and_no_folder(tmp_path):
    dataset = made_dataset(tmp_path / "data", {})
    path = str(tmp_path / "report.html")
    write_dataset_page(path, dataset, {})
    assert "0 subjects" in Page(path).text
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError):
        write_dataset_page(str(tmp_path / "file" / "report.html"), dataset, {})
