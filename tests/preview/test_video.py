"""The preview is decoded again: its frames, their count and rate, and its sound are checked."""
import os
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from scipy.io import wavfile

from utils.common.errors import UserError
from utils.media.video import video_frames
from utils.preview.face import moving_box, render_face
from utils.preview.shapes import FACE_CHANNELS, INDEX
from utils.preview.video import write_preview

SIZE = 256
RATE_HZ = 44100


def speaking(num_frames):
    """Weights [num_frames, 52] of a mouth that opens and shuts twice and an eye that blinks."""
    weights = np.zeros((num_frames, 52))
    weights[:, INDEX["jawOpen"]] = 0.5 - 0.5 * np.cos(np.linspace(0, 4 * np.pi, num_frames))
    weights[num_frames // 2, INDEX["eyeBlinkLeft"]] = 1
    return weights


def run_ffmpeg(*arguments):
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin"] + list(arguments),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout, done.stderr.decode("utf-8", "replace")


def decoded_frames(path, size=SIZE):
    """All frames of a video: uint8 BGR [frames, size, size, 3]."""
    pixels, _ = run_ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "bgr24", "-")
    return np.frombuffer(pixels, np.uint8).reshape(-1, size, size, 3)


def decoded_audio(path):
    samples, _ = run_ffmpeg("-i", path, "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-")
    return np.frombuffer(samples, np.int16) / 32768.0


def described(path):
    return run_ffmpeg("-i", path)[1]


def clap(path, duration_s, at_s):
    """A stereo wav of near silence with a burst at `at_s`."""
    samples = np.random.RandomState(0).randn(int(duration_s * RATE_HZ), 2) * 20
    start = int(at_s * RATE_HZ)
    samples[start:start + 400] = 20000 * np.sin(np.arange(400) * 0.3)[:, None]
    wavfile.write(path, RATE_HZ, samples.astype(np.int16))
    return path


def likeness_db(frame, picture):
    return 10 * np.log10(255.0 ** 2 / np.mean((frame - picture.astype(float)) ** 2))


@pytest.fixture(scope="module")
def preview(tmp_path_factory):
    """(path, weights) of a preview of 20 frames with sound."""
    folder = tmp_path_factory.mktemp("preview")
    weights = speaking(20)
    path = str(folder / "a face.mp4")
    write_preview(path, weights, FACE_CHANNELS, 30, clap(str(folder / "clap.wav"), 0.66, 0.4), SIZE)
    return path, weights


def test_each_frame_is_the_face_of_its_weights(preview):
    path, weights = preview
    frames = decoded_frames(path)
    assert len(frames) == len(weights)
    pictures = [render_face(frame, FACE_CHANNELS, SIZE).astype(float) for frame in weights]
    for i, frame in enumerate(frames):
        assert likeness_db(frame, pictures[i]) > 36
    # and not its neighbour's: frame i stands at i / fps
    for i in (3, 8, 13):
        own = likeness_db(frames[i], pictures[i])
        assert own > likeness_db(frames[i], pictures[i - 1]) + 1
        assert own > likeness_db(frames[i], pictures[i + 1]) + 1


@pytest.mark.parametrize("size", [64, 98, 512])
def test_what_moves_is_laid_where_it_belongs(tmp_path, size):
    """Its box begins and ends on even pixels; ffmpeg puts it over the rest, which it gets first."""
    path, weights = str(tmp_path / "p.mp4"), speaking(3)
    write_preview(path, weights, FACE_CHANNELS, 30, size=size)
    frames = decoded_frames(path, size)
    assert len(frames) == len(weights)
    for frame, row in zip(frames, weights):
        picture = render_face(row, FACE_CHANNELS, size)
        change = np.abs(picture.astype(int) - render_face(weights[0], FACE_CHANNELS, size)).max(2)
        left, top, right, bottom = moving_box(size)
        change[top:bottom, left:right] = 0
        assert not change.any()
        assert likeness_db(frame, picture) > 31


def test_sound_is_whole_and_in_step(preview):
    path, _ = preview
    text = described(path)
    assert re.search(r"Video: h264 .*yuv420p", text) and "Audio: aac" in text
    audio = decoded_audio(path)
    assert abs(len(audio) / float(RATE_HZ) - 0.66) < 0.05
    loud = np.nonzero(np.abs(audio) > 0.2)[0][0] / float(RATE_HZ)
    assert abs(loud - 0.4) < 0.01


@pytest.mark.parametrize("num_channels, kept", [(1, "mono"), (2, "stereo"), (6, "stereo")])
def test_sound_of_any_channels_is_mono_or_stereo(tmp_path, num_channels, kept):
    wav, path = str(tmp_path / "c.wav"), str(tmp_path / "p.mp4")
    wavfile.write(wav, RATE_HZ, np.zeros((RATE_HZ // 4, num_channels), np.int16))
    write_preview(path, speaking(5), FACE_CHANNELS, 30, wav, size=SIZE)
    assert re.search("Audio: aac.*, 48000 Hz, %s," % kept, described(path))


def test_the_index_precedes_the_pictures(preview):
    """So that a browser can start before it has the whole file."""
    with open(preview[0], "rb") as stream:
        content = stream.read()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_the_longer_of_picture_and_sound_sets_the_length(tmp_path):
    long_sound = str(tmp_path / "long.mp4")
    write_preview(long_sound, speaking(6), FACE_CHANNELS, 30,
                  clap(str(tmp_path / "c.wav"), 1.0, 0.5), SIZE)
    assert len(decoded_audio(long_sound)) > 0.95 * RATE_HZ
    long_picture = str(tmp_path / "picture.mp4")
    write_preview(long_picture, speaking(20), FACE_CHANNELS, 30,
                  clap(str(tmp_path / "d.wav"), 0.2, 0.1), SIZE)
    assert len(decoded_frames(long_picture)) == 20


@pytest.mark.parametrize("fps, told", [(24, "24 fps"), (60, "60 fps"),
                                       (30000 / 1001., "29.97 fps")])
def test_rates(tmp_path, fps, told):
    path = str(tmp_path / "rate.mp4")
    write_preview(path, speaking(5), FACE_CHANNELS, fps, size=SIZE)
    assert told in described(path) and "Audio" not in described(path)
    assert len(decoded_frames(path)) == 5


def test_a_rate_of_many_decimals_does_not_drift(tmp_path):
    path = str(tmp_path / "film.mp4")
    weights = np.repeat(speaking(2), 150, axis=0)               # drawn twice only
    write_preview(path, weights, FACE_CHANNELS, 24000 / 1001., size=64)
    times_s = [time_s for time_s, _ in video_frames(path)]
    np.testing.assert_allclose(times_s, np.arange(300) * 1001 / 24000., atol=1e-4)


def test_sound_that_starts_late_in_its_file_keeps_its_place(tmp_path):
    wav, late = clap(str(tmp_path / "c.wav"), 0.5, 0.25), str(tmp_path / "late.mp4")
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=10", "-itsoffset", "0.5", "-i", wav,
               "-c:a", "aac", late)
    path = str(tmp_path / "p.mp4")
    write_preview(path, speaking(30), FACE_CHANNELS, 30, late, SIZE)
    loud = np.nonzero(np.abs(decoded_audio(path)) > 0.2)[0][0] / float(RATE_HZ)
    assert abs(loud - 0.75) < 0.01


def test_the_stream_that_is_named_is_heard(tmp_path):
    wav, both = clap(str(tmp_path / "c.wav"), 0.5, 0.25), str(tmp_path / "both.mkv")
    run_ffmpeg("-f", "lavfi", "-t", "0.5", "-i", "anullsrc", "-i", wav, "-map", "0:a", "-map",
               "1:a", "-c:a", "flac", both)
    path = str(tmp_path / "p.mp4")
    for stream, heard in ((0, False), (1, True)):
        write_preview(path, speaking(15), FACE_CHANNELS, 30, both, SIZE, audio_stream=stream)
        assert (np.abs(decoded_audio(path)).max() > 0.2) == heard


def test_compressed_sound_of_another_rate(tmp_path):
    wav, ogg = clap(str(tmp_path / "c.wav"), 0.5, 0.25), str(tmp_path / "c.flac")
    run_ffmpeg("-i", wav, "-ar", "22050", "-ac", "1", ogg)
    path = str(tmp_path / "p.mp4")
    write_preview(path, speaking(15), FACE_CHANNELS, 30, ogg, SIZE)
    audio = decoded_audio(path)
    loud = np.nonzero(np.abs(audio) > 0.2)[0][0] / float(RATE_HZ)
    assert abs(loud - 0.25) < 0.01


def test_sound_that_is_no_sound_leaves_nothing(tmp_path):
    text = tmp_path / "words.wav"
    text.write_text("not a sound\n" * 50)
    target = tmp_path / "p.mp4"
    target.write_bytes(b"what stood here before")
    with pytest.raises(UserError, match="p.mp4"):
        write_preview(str(target), speaking(40), FACE_CHANNELS, 30, str(text), SIZE)
    assert target.read_bytes() == b"what stood here before"
    assert sorted(os.listdir(str(tmp_path))) == ["p.mp4", "words.wav"]


def test_bad_input_is_named(tmp_path):
    path = str(tmp_path / "p.mp4")
    with pytest.raises(UserError, match="nowhere.wav"):
        write_preview(path, speaking(2), FACE_CHANNELS, 30, str(tmp_path / "nowhere.wav"), SIZE)
    with pytest.raises(ValueError, match="odd"):
        write_preview(path, speaking(2), FACE_CHANNELS, 30, size=255)
    with pytest.raises(ValueError, match="frames"):
        write_preview(path, np.zeros((0, 52)), FACE_CHANNELS, 30, size=SIZE)
    with pytest.raises(ValueError, match="52"):
        write_preview(path, np.zeros((3, 51)), FACE_CHANNELS[:51], 30, size=SIZE)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        write_preview(str(tmp_path / "file" / "p.mp4"), speaking(2), FACE_CHANNELS, 30, size=SIZE)
    bad_later = speaking(4)
    bad_later[3, 5] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        write_preview(path, bad_later, FACE_CHANNELS, 30, size=SIZE)
    assert not os.path.exists(path) and not [name for name in os.listdir(str(tmp_path))
                                             if name.startswith(".part")]
