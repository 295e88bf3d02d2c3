"""run_voca.py as a user runs it, on the files that come with the repository."""
import csv
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from scipy.io import wavfile

from tests.helpers.graphs import write_random_graph
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here, run_process
from utils.animation.animator import SpeechAnimator
from utils.animation.audio_file import animate_audio, animate_file
from utils.animation.eye_motion import EyeMotion
from utils.common.channels import LIVE_LINK_CSV_CHANNELS, mouth_opening, reorder
from utils.common.constants import (DEFAULT_AUDIO, DEFAULT_CHECKPOINT, DEFAULT_GRAPH,
                                    SAMPLE_RATE_HZ, TTA_COPIES)
from utils.common.errors import UserError
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.vtlp import VtlpAveragedGraph
from utils.deepspeech.windows import speech_windows
from utils.formats.glb import read_glb
from utils.formats.npz import read_npz, write_npz
from utils.media.audio import open_audio, read_audio, write_wav
from utils.network.voca_model import VocaModel

MODEL = os.path.join(REPOSITORY, DEFAULT_CHECKPOINT)
GRAPH = os.path.join(REPOSITORY, DEFAULT_GRAPH)
SENTENCE = os.path.join(REPOSITORY, DEFAULT_AUDIO)


def run(*flags):
    """(exit status, stdout, stderr) of the script in the repository."""
    return run_here("run_voca.py", *flags)


@pytest.fixture(scope="module")
def animator():
    return SpeechAnimator(MODEL, GRAPH)


def animate_array(animator, samples):
    animator.start()
    return np.concatenate([animator.feed(samples), animator.finish()])


def test_demo_writes_every_file_and_nothing_on_stderr(tmp_path):
    out_path = str(tmp_path / "out")
    status, out, err = run_process("run_voca.py", "--out_path", out_path, "--page")
    assert (status, err) == (0, "")
    names = ["blendshapes.csv", "blendshapes.npz", "blendshapes.json", "face.glb", "curves.png",
             "preview.mp4", "page.html"]
    assert out.endswith("see and hear it: open %s in a browser\n"
                        % os.path.join(out_path, "page.html"))
    assert sorted(os.listdir(out_path)) == sorted(names)
    assert all(os.path.join(out_path, name) in out for name in names)

    num_samples = len(read_audio(SENTENCE))
    num_frames = math.ceil(num_samples * 30.0 / SAMPLE_RATE_HZ)
    weights, channels, fps = read_npz(os.path.join(out_path, "blendshapes.npz"))
    assert weights.shape == (num_frames, 52) and fps == 30
    assert weights.min() >= 0.0 and weights.max() <= 1.0
    assert weights[:, channels.index("eyeBlinkLeft")].max() > 0.8

    with open(os.path.join(out_path, "blendshapes.csv"), newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == num_frames + 1 and {len(row) for row in rows} == {63}
    assert [row[0] for row in rows[1:4]] == ["00:00:00:00.000", "00:00:00:02.000",
                                             "00:00:00:04.000"]
    written = np.array(rows[1:])[:, 2:54].astype(float)
    np.testing.assert_allclose(written, reorder(weights, channels, LIVE_LINK_CSV_CHANNELS),
                               atol=1e-6)

    with open(os.path.join(out_path, "blendshapes.json")) as stream:
        packets = json.load(stream)
    jaw_open = [packet["scene"]["actors"][0]["face"]["jawOpen"] for packet in packets]
    np.testing.assert_allclose(jaw_open, 100 * weights[:, channels.index("jawOpen")], atol=1e-3)

    duration_s = open_audio(os.path.join(out_path, "preview.mp4")).duration_s
    assert abs(duration_s - num_frames / 30.0) < 0.1


@pytest.mark.parametrize("formats, told", [
    ("csv,xyz", "'csv,xyz'; expected some of csv, npz, json"), ("", "expected some of csv"),
    ("csv,csv", "each once")])
def test_other_formats_are_refused_before_anything_is_done(formats, told):
    status, out, err = run("--formats", formats)
    assert (status, out) == (2, "") and told in err and "Traceback" not in err


def test_only_the_formats_that_are_asked_for_are_written(tmp_path):
    names = ("npz", "json")
    written = animate_file(SENTENCE, MODEL, GRAPH, str(tmp_path), preview=False, formats=names)
    assert [os.path.basename(path) for path in written] == [
        "blendshapes.npz", "blendshapes.json", "curves.png"]
    assert sorted(os.listdir(str(tmp_path))) == sorted(
        os.path.basename(path) for path in written)


def test_changes_and_the_sound_beside_the_head(tmp_path):
    """Brows of a capture, the mouth of the speech; the glb says so, its wav is the sound."""
    plain = animate_file(SENTENCE, MODEL, GRAPH, str(tmp_path / "plain"), preview=False,
                         formats=("npz",))
    weights, names, _ = read_npz(plain[0])
    capture = np.random.RandomState(0).rand(*weights.shape).astype(np.float32)
    write_npz(tmp_path / "capture.npz", capture, names, 30)
    out_path = str(tmp_path / "out")
    status, out, err = run("--out_path", out_path, "--no_preview", "--formats", "csv,npz,glb",
                           "--sound", "--merge", str(tmp_path / "capture.npz"), "--merge_offset",
                           "0", "--gain", "jawOpen=0.5", "--start_timecode", "10:00:00:15")
    assert status == 0 and "merged brows, eyes, cheeks, nose of capture.npz" in out
    assert sorted(os.listdir(out_path)) == ["blendshapes.csv", "blendshapes.npz", "curves.png",
                                            "face.glb", "face.wav"]
    found, found_names, _ = read_npz(os.path.join(out_path, "blendshapes.npz"))
    assert found_names == names
    for name, source in (("browInnerUp", capture), ("eyeBlinkLeft", capture),
                         ("mouthFunnel", weights), ("jawOpen", 0.5 * weights)):
        np.testing.assert_allclose(found[:, names.index(name)], source[:, names.index(name)],
                                   atol=1e-5)
    with open(os.path.join(out_path, "blendshapes.csv")) as stream:
        assert stream.readlines()[1].startswith("10:00:00:30.000,61,")
    edits = read_glb(os.path.join(out_path, "face.glb"))[0]["animations"][-1]["extras"]["edits"]
    assert edits["gain"] == ["jawOpen=0.5"] and edits["merge"]["capture"] == "capture.npz"
    np.testing.assert_allclose(read_audio(os.path.join(out_path, "face.wav")), read_audio(SENTENCE),
                               atol=1e-4)


@pytest.mark.parametrize("flags, told", [
    (("--sound", "--formats", "npz"), "--sound is put beside face.glb; name glb in --formats"),
    (("--start_timecode", "1:0:0:0", "--formats", "npz,glb"), "npz, glb has no time of day"),
    (("--merge_offset", "1"), "--merge_offset is of --merge CAPTURE"),
    (("--smooth", "6"), "6 is not an odd number")])
def test_changes_that_cannot_be(flags, told):
    status, out, err = run(*flags)
    assert (status, out) == (2, "") and told in err and "Traceback" not in err


def test_an_offset_moves_the_face_against_the_sound(tmp_path):
    faces = []
    for offset_s in (0.0, 0.1, -0.1):
        path = animate_file(SENTENCE, MODEL, GRAPH, str(tmp_path), preview=False, formats=("npz",),
                            offset_s=offset_s)[0]
        faces.append(read_npz(path)[0])
    np.testing.assert_allclose(faces[1][3:], faces[0][:-3], atol=1e-5)
    np.testing.assert_allclose(faces[1][:4], faces[0][:1].repeat(4, axis=0), atol=1e-5)
    np.testing.assert_allclose(faces[2][:-3], faces[0][3:], atol=1e-5)


def test_demo_moves_the_mouth_and_rests_at_the_ends(animator):
    weights, loudness, _ = animate_audio(animator, open_audio(SENTENCE))
    opening = mouth_opening(weights, animator.channels)
    assert 0.25 < np.percentile(opening, 95) < 0.5
    assert np.corrcoef(opening, loudness)[0, 1] > 0.4
    assert opening[:2].max() < 0.25 * np.percentile(opening, 95)


def test_a_page_needs_the_npz(tmp_path):
    status, out, err = run("--page", "--formats", "csv", "--out_path", str(tmp_path / "out"))
    assert (status, out) == (2, "") and "--page is made of blendshapes.npz" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [np.zeros, lambda n: 3e-5 * np.random.RandomState(0).randn(n)])
def test_mouth_stays_shut_in_silence(animator, make):
    opening = mouth_opening(animate_array(animator, make(4 * SAMPLE_RATE_HZ).astype(np.float32)),
                            animator.channels)
    assert opening.shape == (120,) and opening.mean() < 0.03


def test_blocks_of_any_size_give_the_same_face(animator):
    samples = read_audio(SENTENCE)[:2 * SAMPLE_RATE_HZ]
    whole = animate_array(animator, samples)
    animator.start()
    random, parts = np.random.RandomState(1), []
    while len(samples):
        block, samples = np.split(samples, [random.randint(1, 5000)])
        parts.append(animator.feed(block))
    parts.append(animator.finish())
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


def test_every_frame_is_the_networks_of_its_window(animator):
    samples = read_audio(SENTENCE)[:30000]
    graph, model = load_acoustic_graph(GRAPH), VocaModel.from_checkpoint(MODEL)
    faces = []
    for heard, animates in ((graph, animator), (VtlpAveragedGraph(graph), SpeechAnimator(
            MODEL, GRAPH, tta_copies=TTA_COPIES))):
        expected = model.predict(speech_windows(heard, samples, animator.profile))
        faces.append(animate_array(animates, samples))
        np.testing.assert_allclose(faces[-1], expected, atol=1e-6)
    assert np.abs(faces[0] - faces[1]).max() > 0.01


def test_eye_motion_moves_eyes_and_brows_only(animator):
    samples = np.tile(read_audio(SENTENCE), 2)
    network = animate_array(animator, samples)
    seeded = SpeechAnimator(MODEL, GRAPH, eye_motion_seed=5)
    expected = EyeMotion(animator.channels, animator.fps, 5).feed(network)
    np.testing.assert_allclose(animate_array(seeded, samples), expected, atol=1e-6)
    again = animate_array(seeded, samples)                      # start() begins the motion again
    np.testing.assert_allclose(again, expected, atol=1e-6)
    assert again[:, animator.channels.index("eyeBlinkLeft")].max() > 0.8
    mouth = [i for i, name in enumerate(animator.channels) if name.startswith(("mouth", "jaw"))]
    np.testing.assert_allclose(again[:, mouth], network[:, mouth], atol=1e-6)


def test_eye_motion_is_the_files_default(animator, tmp_path):
    """Of the script, test_demo... sees the default and test_transcript... --no_eye_motion."""
    written = {}
    for options in ({}, {"eye_motion_seed": 0}, {"eye_motion_seed": 1}):
        animate_file(SENTENCE, MODEL, GRAPH, str(tmp_path), preview=False, **options)
        written[options.get("eye_motion_seed")], _, _ = read_npz(str(tmp_path / "blendshapes.npz"))
    np.testing.assert_array_equal(written[None], written[0])
    assert np.abs(written[0] - written[1]).max() > 0.5


def test_loudness_is_the_rms_of_each_frame(animator, tmp_path):
    """A tone in the last quarter of 13 s, which come in more than one block."""
    samples = np.zeros(13 * SAMPLE_RATE_HZ, np.float32)
    samples[-len(samples) // 4:] = 0.5 * np.sin(np.arange(len(samples) // 4) * 0.5)
    samples[:SAMPLE_RATE_HZ] = 0.25
    write_wav(str(tmp_path / "tone.wav"), samples)
    _, loudness, duration_s = animate_audio(animator, open_audio(str(tmp_path / "tone.wav")))
    assert duration_s == 13.0 and len(loudness) == 390
    np.testing.assert_allclose(loudness[:29], 0.25, atol=1e-3)
    np.testing.assert_allclose(loudness[32:292], 0.0, atol=1e-3)
    np.testing.assert_allclose(loudness[294:], 0.5 / np.sqrt(2), atol=0.01)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 60])
def test_fps_resamples_and_covers_the_audio(tmp_path, fps):
    samples = read_audio(SENTENCE)[:25000]
    audio_path = str(tmp_path / "cut.wav")
    write_wav(audio_path, samples)
    written = animate_file(audio_path, MODEL, GRAPH, str(tmp_path / "out"), fps=fps,
                           preview=False)
    assert not any(path.endswith("preview.mp4") for path in written)
    weights, _, found_fps = read_npz(str(tmp_path / "out" / "blendshapes.npz"))
    assert (len(weights), found_fps) == (math.ceil(25000 * fps / SAMPLE_RATE_HZ), fps)


def test_published_command_on_a_clean_clone_says_what_is_missing():
    status, _, err = run(
        "--tf_model_fname", "./model/gstep_199800.model",
        "--ds_fname", "./ds_graph/deepspeech-0.5.0-models/output_graph.tflite",
        "--audio_fname", "./audio/test_sentence.wav")
    assert status == 1 and err.count("\n") == 1 and err.startswith("error: ")
    for part in ("gstep_199800.model", "deepspeech-0.5.0-models", "mozilla/DeepSpeech",
                 "python run_voca.py"):
        assert part in err


def test_bad_flags_end_with_status_2():
    for flags in (["--seed", "-1"], ["--seed", "x"], ["--fps", "61"], ["--fps", "nan"],
                  ["--tta_copies", "2"], ["--no_such_flag"]):
        status, _, err = run(*flags)
        assert status == 2 and "Traceback" not in err


def test_bad_audio_is_one_line_and_leaves_nothing(tmp_path):
    bad = tmp_path / "notes.wav"
    bad.write_text("not a sound")
    status, out, err = run("--audio_fname", str(bad), "--out_path", str(tmp_path / "out"))
    assert (status, out, err.count("\n")) == (1, "", 1) and str(bad) in err
    assert not (tmp_path / "out").exists()


def test_a_sound_that_is_not_there_is_told_without_tensorflow():
    code = ("import sys, run_voca\nfrom utils.common.errors import UserError\n"
            "sys.argv[1:] = ['--audio_fname', 'none.wav']\n"
            "try:\n    run_voca.main()\nexcept UserError as error:\n    print(error)\n"
            "print('tensorflow' in sys.modules)")
    out = subprocess.check_output([sys.executable, "-c", code], cwd=REPOSITORY)
    assert out.decode().split("\n")[:2] == ["there is no file none.wav; check the path", "False"]


@pytest.mark.parametrize("samples, says", [
    (np.zeros(0, np.float32), "at least"), (np.zeros(800, np.float32), "0.1 s"),
    (np.full(16000, np.nan, np.float32), "NaN")])
def test_unusable_sound_is_refused(tmp_path, samples, says):
    audio_path = str(tmp_path / "bad.wav")
    wavfile.write(audio_path, SAMPLE_RATE_HZ, samples)
    with pytest.raises(UserError, match=says):
        animate_file(audio_path, MODEL, GRAPH, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_out_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out"):
        animate_file(SENTENCE, MODEL, GRAPH, str(tmp_path / "out"), preview=False)
    assert (tmp_path / "out").read_text() == "mine"


def test_other_acoustic_graph_is_refused_unless_forced(tmp_path):
    other = os.path.join(write_random_graph(str(tmp_path), width=16), "output_graph.pb")
    with pytest.raises(UserError, match="--force"):
        SpeechAnimator(MODEL, other)
    assert SpeechAnimator(MODEL, other, force=True).profile == "deepspeech"


@pytest.mark.parametrize("flags, expected", [({}, 1), ({"tta_copies": 3}, 3)])
def test_each_copy_is_a_run_of_the_graph(tmp_path, monkeypatch, flags, expected):
    graph = load_acoustic_graph(os.path.join(
        write_random_graph(str(tmp_path), width=16), "output_graph.pb"))
    runs, run = [], graph.run
    monkeypatch.setattr(graph, "run", lambda *args: runs.append(args) or run(*args))
    monkeypatch.setattr("utils.animation.animator.load_acoustic_graph", lambda path: graph)
    animator = SpeechAnimator(MODEL, "", force=True, **flags)
    animator.start()
    animator.feed(np.zeros(SAMPLE_RATE_HZ, np.float32))     # two runs of 0.32 s
    assert len(runs) == 2 * expected


def test_both_containers_of_the_release_fit_the_checkpoint(animator):
    samples = read_audio(SENTENCE)[:2 * SAMPLE_RATE_HZ]
    from_pb = animate_array(SpeechAnimator(MODEL, GRAPH.replace(".tflite", ".pb")), samples)
    assert np.abs(from_pb - animate_array(animator, samples)).max() < 0.05


def test_checkpoint_without_a_record_runs_on_the_reference_profile(tmp_path):
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(MODEL + suffix, str(tmp_path))
    animator = SpeechAnimator(str(tmp_path), GRAPH)
    assert animator.profile == "reference"
    weights, _, duration_s = animate_audio(animator, open_audio(SENTENCE))
    # What is published stays as it is: no eye motion.
    seeded = SpeechAnimator(str(tmp_path), GRAPH, eye_motion_seed=0)
    np.testing.assert_array_equal(animate_audio(seeded, open_audio(SENTENCE))[0], weights)
    assert len(weights) == math.ceil(duration_s * 30)


@pytest.mark.parametrize("chunk_s", [0.5, 0.1])
def test_published_files_give_the_published_numbers(reference_vectors, chunk_s):
    vectors = np.load(os.path.join(reference_vectors, "vectors.npz"))
    animator = SpeechAnimator(
        os.path.join(reference_vectors, "gstep_199800.model"),
        os.path.join(reference_vectors, "deepspeech_64", "output_graph.tflite"),
        reference_chunk_s=chunk_s)
    weights, _, duration_s = animate_audio(
        animator, open_audio(os.path.join(reference_vectors, "speech_22k.wav")))
    expected = vectors["pipeline_%s" % chunk_s]
    np.testing.assert_allclose(weights[:len(expected)], expected, atol=1e-4)
    # The tail that the published features drop: the last pose is held.
    tail = int(round(30 * chunk_s * int(duration_s / chunk_s + 1e-6)))
    assert len(expected) <= tail < len(weights)
    np.testing.assert_allclose(weights[tail:] - weights[tail - 1], 0, atol=1e-4)


def test_transcript_or_the_reason_why_not(tmp_path):
    status, out, err = run_process("run_voca.py", "--out_path", tmp_path, "--no_preview",
                                   "--no_eye_motion", "--transcript")
    assert status == 0
    weights, channels, _ = read_npz(str(tmp_path / "blendshapes.npz"))
    assert weights[:, channels.index("eyeBlinkLeft")].max() < 0.5
    try:
        import deepspeech                       # noqa: F401
    except ImportError:
        assert err.startswith("no transcript: ") and err.count("\n") == 1
        assert not (tmp_path / "transcript.csv").exists()
        return
    assert err == "" and "heard: " in out
    with open(str(tmp_path / "transcript.csv"), newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["word", "start_s", "end_s"] and len(rows) > 5
    starts_s = [float(row[1]) for row in rows[1:]]
    assert starts_s == sorted(starts_s) and abs(starts_s[0] - 0.5) < 0.3
    assert starts_s[0] + 1.0 < starts_s[-1] < len(read_audio(SENTENCE)) / 16000.0
