"""Real speech with phone times: played faster, in streams, as subjects; the aligner."""
import csv
import multiprocessing.dummy
import os

import numpy as np
import pytest

from utils.acoustic_training import aligner, recorded_speech, streams
from utils.acoustic_training.letter_alignment import UNKNOWN_LETTER, text_of_frames
from utils.acoustic_training.streams import make_speech
from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ACOUSTIC_FPS, BLANK_INDEX, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.formats.timings import read_timings
from utils.media.audio import read_audio, write_wav
from utils.speech import aligned, synthetic_subjects
from utils.speech.phones import PHONES, SILENCE
from utils.speech.synthesis import list_voices, synthesise

# A hiss for an S and hums for the others, so that the sound shows which phone a frame is.
PHONE_TIMES = [("SIL", 0.0, 0.3), ("M", 0.3, 0.5), ("IY", 0.5, 0.7), ("S", 0.7, 0.9),
               ("IY", 0.9, 1.1), ("+NSN+", 1.1, 1.5)]
WORD_TIMES = [("me", 0.3, 0.7), ("see", 0.7, 1.1)]


def write_recording(folder, name):
    times_s = np.arange(int(1.5 * SAMPLE_RATE_HZ)) / float(SAMPLE_RATE_HZ)
    samples = 0.1 * np.sin(2 * np.pi * 150.0 * times_s) * ((times_s > 0.3) & (times_s < 1.1))
    hiss = (times_s >= 0.7) & (times_s < 0.9)
    samples[hiss] = 0.1 * np.random.RandomState(0).randn(hiss.sum())
    write_wav(str(folder / (name + ".wav")), samples.astype(np.float32))
    with open(str(folder / (name + ".csv")), "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["type", "start_s", "end_s", "label"])
        for kind, entries in (("words", WORD_TIMES), ("phones", PHONE_TIMES)):
            rows.writerows([kind, start_s, end_s, label] for label, start_s, end_s in entries)


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for name in ("a", "b", "c"):
        write_recording(folder, name)
    write_wav(str(folder / "untimed.wav"), np.zeros(1600, np.float32))
    return str(folder)


def test_only_recordings_with_times_count(recordings):
    paths = aligned.aligned_recordings(recordings)
    assert [os.path.basename(path) for path in paths] == ["a.wav", "b.wav", "c.wav"]
    assert aligned.aligned_minutes(paths) == pytest.approx(3 * 1.5 / 60.0, rel=1e-3)


@pytest.mark.parametrize("speed_percent", [90, 100, 110])
def test_sound_and_times_are_played_at_one_speed(recordings, speed_percent):
    utterance = aligned.played(os.path.join(recordings, "a.wav"), speed_percent)
    faster = speed_percent / 100.0
    assert len(utterance.samples) == pytest.approx(1.5 * SAMPLE_RATE_HZ / faster, abs=2)
    assert [name for name, _, _ in utterance.phones] == [
        SILENCE, "M", "IY", "S", "IY", SILENCE]
    start_s, end_s = utterance.phones[3][1:]
    assert (start_s, end_s) == pytest.approx((0.7 / faster, 0.9 / faster))
    # Zero crossings tell the hiss from the hum.
    crossings = np.diff(np.signbit(utterance.samples)).astype(float)
    inside = crossings[int((start_s + 0.02) * SAMPLE_RATE_HZ):int((end_s - 0.02) * SAMPLE_RATE_HZ)]
    before = crossings[int(0.45 / faster * SAMPLE_RATE_HZ):int(0.65 / faster * SAMPLE_RATE_HZ)]
    assert inside.mean() > 0.3 > 0.05 > before.mean() > 0.0


def test_streams_of_real_speech_have_a_letter_and_a_phone_a_frame(recordings, tmp_path):
    make_speech(str(tmp_path), 0, [recordings])             # 6 x 4.5 s: no whole minute
    assert [name for name in os.listdir(str(tmp_path)) if name.startswith("stream")] == []
    paths = aligned.aligned_recordings(recordings)
    mfccs, letters, phones = streams.AlignedStreamMaker(paths).stream(3)
    assert mfccs.shape == (streams.STREAM_FRAMES, 26) and np.isfinite(mfccs).all()
    silent = phones == PHONES.index(SILENCE)
    assert 0.2 < silent.mean() < 0.8
    assert np.mean(letters[silent] == BLANK_INDEX) > 0.9 > 0.1 > np.mean(
        letters[~silent] == BLANK_INDEX)
    # The hiss is where the S is: nothing else has its tilt (c1).
    hissing = phones == PHONES.index("S")
    assert mfccs[hissing, 1].mean() < mfccs[phones == PHONES.index("M"), 1].mean() - 2.0
    again = streams.AlignedStreamMaker(paths).stream(3)
    np.testing.assert_array_equal(again[0], mfccs)


def test_words_called_by_their_phones_have_unknown_letters(recordings):
    utterance = aligned.played(os.path.join(recordings, "a.wav"), 100)
    take = streams.take_of(utterance._replace(words=[("Me", 0.3, 0.7), ("/S_IY/", 0.7, 1.1)]))
    spelled = streams.take_of(utterance)
    assert text_of_frames(spelled.letters) == "me see "
    assert text_of_frames(take.letters[take.letters != UNKNOWN_LETTER]) == "me "
    # From the S at 0.7 s to the end of the IY at 1.1 s; frame centres stand at 20 t + 16 ms, and
    # the first is the space after "me".
    unknown = np.flatnonzero(take.letters == UNKNOWN_LETTER)
    assert unknown.tolist() == list(range(36, 55))


def test_a_folder_without_aligned_speech_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no NAME.wav with its NAME.csv .*align_speech"):
        make_speech(str(tmp_path), 0, [str(tmp_path)])
    with pytest.raises(UserError, match="holds no NAME.wav with its NAME.csv .*align_speech"):
        aligned.aligned_recordings(str(tmp_path))


def test_a_recording_at_another_rate_is_told(recordings):
    path = os.path.join(recordings, "a.wav")
    write_wav(path, np.zeros(8000, np.float32), 8000)
    with pytest.raises(UserError, match="a.wav is no 16-bit mono .wav of 16000 Hz; .*align_speech"):
        aligned.played(path, 100)
    with open(path, "wb") as stream:
        stream.write(b"no sound")
    with pytest.raises(UserError, match="a.wav is no 16-bit mono .wav of 16000 Hz"):
        aligned.aligned_minutes([path])


def test_many_minutes_of_real_speech_are_used_less_often(recordings, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(streams, "write_stream", lambda task: made.append(task))
    monkeypatch.setattr(streams.multiprocessing, "Pool",
                        multiprocessing.dummy.Pool)         # threads: they see the patches
    for minutes, num_streams in ((20.0, 6 * 20), (200.0, 500), (900.0, 900)):
        monkeypatch.setattr(aligned, "aligned_minutes", lambda paths: minutes)
        del made[:]
        make_speech(str(tmp_path), 0, [recordings])
        assert len(made) == len({path for _, path, _ in made}) == num_streams


def test_a_subject_of_real_speech_shuts_its_lips_on_the_m(recordings):
    paths = aligned.aligned_recordings(recordings)
    samples, phones = synthetic_subjects._real_passage(paths, np.random.RandomState(1))
    assert len(samples) / float(SAMPLE_RATE_HZ) == pytest.approx(
        synthetic_subjects.SUBJECT_S, abs=15.0)
    face = synthetic_subjects.face_of_passage(samples, phones, seed=0)
    opening = (face[:, MODEL_CHANNELS.index("jawOpen")]
               - face[:, MODEL_CHANNELS.index("mouthClose")])
    middles = {name: [int(15.0 * (start_s + end_s)) + 1 for symbol, start_s, end_s in phones
                      if symbol == name] for name in ("M", "IY")}
    assert len(middles["M"]) > 10
    assert opening[middles["M"]].max() < 0.02 < 0.05 < opening[middles["IY"]].mean()


def test_one_real_subject_in_four_is_at_rest(recordings, tmp_path, monkeypatch):
    faces = {}
    paths = aligned.aligned_recordings(recordings)
    for name, value in (
            ("sentences", lambda: ([], [])), ("word_list", lambda: []), ("list_voices", lambda: []),
            ("_any_voice", lambda *_: None), ("aligned_minutes", lambda _: 3.0),
            ("_any_passage", lambda *_: synthetic_subjects._real_passage(
                paths, np.random.RandomState(0))),
            ("write_subject", lambda _, name, samples, face: faces.update({name: face}))):
        monkeypatch.setattr(synthetic_subjects, name, value)
    names, _ = synthetic_subjects.write_corpus(str(tmp_path), 1.0, [recordings])
    assert names == ["synthetic-0000"] + ["aligned-%04d" % number for number in range(6)]
    jaw = MODEL_CHANNELS.index("jawOpen")
    assert [name for name in names if faces[name][:, jaw].max() < 0.05] == ["aligned-0003"]


# ---- the aligner, where its package is

def test_aligned_phones_stand_where_they_are_spoken(tmp_path):
    pytest.importorskip("pocketsphinx", reason="pip install pocketsphinx (not a requirement)")
    if "flite:slt" not in list_voices():
        pytest.skip("needs the Debian package libflite1")
    text = "my mother bought a big blue boat"
    spoken = synthesise(text, "flite:slt")
    recording = recorded_speech.Recording("one", spoken.samples, text, recorded_speech.ENGLISH)
    assert aligner.write_aligned(recording, aligner.Aligner(), str(tmp_path)) > 1.0
    np.testing.assert_allclose(read_audio(str(tmp_path / "one.wav")), spoken.samples, atol=1e-4)
    timings = read_timings(str(tmp_path / "one.csv"))
    assert " ".join(word for word, _, _ in timings.words) == text
    found = [start_s for name, start_s, _ in timings.phones if name in ("M", "B")]
    true = [start_s for name, start_s, _ in spoken.phones if name in ("M", "B")]
    assert np.abs(np.array(found) - true).max() < 2.5 / ACOUSTIC_FPS


def test_without_the_aligner_one_line_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pocketsphinx", None)
    with pytest.raises(UserError, match="pip install pocketsphinx"):
        aligner.Aligner()
