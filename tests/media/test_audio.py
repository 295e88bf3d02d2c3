"""utils/media/audio.py: every kind of file to 16 kHz mono, every bad one to one line."""
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import resampy
from scipy.io import wavfile
from scipy.signal import lfilter

from tests.helpers.media import ffmpeg, ffmpeg_children
from tests.helpers.paths import REPOSITORY
from utils.common.constants import INT16_SCALE, MIN_AUDIO_S, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.media.audio import mono_of_array, open_audio, read_audio, resample_array, write_wav


def noise(num_samples, seed=0):
    """int16 noise that uses the whole range, both ends included."""
    samples = np.random.RandomState(seed).randint(-32768, 32768, num_samples)
    samples[:2] = -32768, 32767
    return samples.astype(np.int16)


def tone(rate_hz, duration_s=1.0, hz=440.0, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(int(duration_s * rate_hz)) / rate_hz)


def correlation(first, second):
    return np.corrcoef(first, second)[0, 1]


def test_int16_at_16_khz_is_value_over_32768(tmp_path):
    levels = noise(16000)
    path = tmp_path / "exact.wav"
    wavfile.write(str(path), SAMPLE_RATE_HZ, levels)
    for resampler in ("ffmpeg", "none"):
        samples = read_audio(path, resampler=resampler)
        assert samples.dtype == np.float32
        np.testing.assert_array_equal(samples, levels / np.float32(INT16_SCALE))


@pytest.mark.parametrize("codec, step", [
    ("pcm_u8", 2.0 ** -7), ("pcm_s24le", 2.0 ** -15), ("pcm_s32le", 2.0 ** -15),
    ("pcm_f32le", 2.0 ** -15), ("pcm_f64le", 2.0 ** -15)])
def test_every_width(tmp_path, codec, step):
    levels = noise(8000)
    wavfile.write(str(tmp_path / "in.wav"), SAMPLE_RATE_HZ, levels)
    ffmpeg("-i", tmp_path / "in.wav", "-c:a", codec, tmp_path / "out.wav")
    error = read_audio(tmp_path / "out.wav") - levels / INT16_SCALE
    assert np.abs(error).max() <= (step if codec == "pcm_u8" else 0)


@pytest.mark.parametrize("num_channels", [2, 3, 6, 10])
def test_channels_are_mixed_by_mean(tmp_path, num_channels):
    levels = noise(4000 * num_channels).reshape(-1, num_channels)
    wavfile.write(str(tmp_path / "many.wav"), SAMPLE_RATE_HZ, levels)
    np.testing.assert_allclose(read_audio(tmp_path / "many.wav"),
                               (levels / INT16_SCALE).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000, 96000])
def test_every_rate(tmp_path, rate_hz):
    wavfile.write(str(tmp_path / "tone.wav"), rate_hz, tone(rate_hz).astype(np.float32))
    samples = read_audio(tmp_path / "tone.wav")
    assert abs(len(samples) - SAMPLE_RATE_HZ) <= 1
    middle = slice(1000, 15000)
    np.testing.assert_allclose(samples[middle], tone(SAMPLE_RATE_HZ)[middle], atol=2e-3)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.m4a", "a.mp4", "a.webm",
                                  "a.mkv", "a.avi", "a.aac"])
def test_what_ffmpeg_reads(tmp_path, name):
    """Compressed sound is the same sound at the same time: well within one frame of 33 ms."""
    drawn = np.random.RandomState(1).randn(32000) * np.repeat([0.0, 0.1, 0.0, 0.2], 8000)
    sound = lfilter([0.1], [1.0, -0.9], drawn)
    write_wav(tmp_path / "in.wav", sound)
    video = ["-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=10"] if name.endswith(
        ("mp4", "webm", "mkv", "avi")) else []
    ffmpeg("-i", tmp_path / "in.wav", *(video + [tmp_path / name]))
    samples = read_audio(tmp_path / name)
    # AAC without a container, and avi, have no word of their encoder's delay (a frame or so).
    most_late_s = 0.08 if name in ("a.aac", "a.avi") else 0.02
    lag, likeness = best_lag(samples, sound)
    assert -160 <= lag <= most_late_s * SAMPLE_RATE_HZ and likeness > 0.9
    assert abs(len(samples) - len(sound)) < 0.17 * SAMPLE_RATE_HZ


def best_lag(late, early):
    """(the lag in samples at which two sounds are most alike, their correlation there)."""
    size = 1 << 17
    product = np.fft.irfft(np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size)), size)
    lag = int(np.argmax(product))
    lag -= size if lag > size // 2 else 0
    first, second = late[max(0, lag):], early[max(0, -lag):]
    num_common = min(len(first), len(second))
    return lag, correlation(first[:num_common], second[:num_common])


def test_sound_that_starts_late_in_a_video_keeps_its_place(tmp_path):
    write_wav(tmp_path / "in.wav", tone(SAMPLE_RATE_HZ))
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=10", "-itsoffset", "0.5",
           "-i", tmp_path / "in.wav", "-c:a", "aac", tmp_path / "late.mp4")
    first_sound = np.argmax(np.abs(read_audio(tmp_path / "late.mp4")) > 0.05)
    assert abs(first_sound - 8000) < 320


def test_blocks_are_even_and_of_any_size(tmp_path):
    wavfile.write(str(tmp_path / "b.wav"), 22050, noise(3 * 22050 + 17))
    audio = open_audio(tmp_path / "b.wav")
    assert (audio.sample_rate_hz, audio.num_channels) == (22050, 1)
    assert audio.duration_s == pytest.approx(3.0, abs=0.02)
    for resampler in ("ffmpeg", "none"):
        rate_hz = 22050 if resampler == "none" else SAMPLE_RATE_HZ
        whole = np.concatenate(list(audio.blocks(60.0, resampler)))
        for block_s in (0.01, 0.3, 1.0):
            blocks = list(audio.blocks(block_s, resampler))
            assert {len(block) for block in blocks[:-1]} == {int(round(block_s * rate_hz))}
            np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_the_published_vectors_sound(reference_vectors):
    path = os.path.join(reference_vectors, "speech_22k.wav")
    rate_hz, levels = wavfile.read(path)
    published = resampy.resample(levels.astype(float), rate_hz, SAMPLE_RATE_HZ)
    np.testing.assert_allclose(resample_array(levels, rate_hz), published / INT16_SCALE,
                               atol=1e-6)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="counts processes through /proc")
def test_leaving_early_leaves_no_process(tmp_path):
    write_wav(tmp_path / "long.wav", tone(SAMPLE_RATE_HZ, 120.0))
    blocks = open_audio(tmp_path / "long.wav").blocks(1.0)
    next(blocks)
    assert ffmpeg_children(), "the decoder should be running here"
    blocks.close()
    assert not ffmpeg_children()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="counts processes through /proc")
def test_finished_reading_leaves_no_process(tmp_path):
    write_wav(tmp_path / "a.wav", tone(SAMPLE_RATE_HZ))
    read_audio(tmp_path / "a.wav")
    assert not ffmpeg_children()


def test_stdin_is_not_read(tmp_path):
    write_wav(tmp_path / "a.wav", tone(SAMPLE_RATE_HZ))
    program = ("import sys; from utils.media.audio import read_audio; read_audio(%r); "
               "print(sys.stdin.read())" % str(tmp_path / "a.wav"))
    done = subprocess.run([sys.executable, "-c", program], input=b"q kept",
                          stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert done.stdout.strip() == b"q kept"


@pytest.mark.parametrize("name", ["-i.wav", "with space.wav", "m\u00fc\u4f60.wav", "a:b.wav",
                                  "50%d.wav", "quote'.wav"])
def test_strange_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_wav("plain.wav", tone(SAMPLE_RATE_HZ))
    os.rename("plain.wav", name)
    assert len(read_audio(name)) == SAMPLE_RATE_HZ


# ---- silence, streams and channels

@pytest.mark.parametrize("sound", [np.zeros(40000), np.full(40000, 0.3),
                                   np.random.RandomState(0).randn(40000) / 32768.0])
def test_silence_is_warned_of_once(tmp_path, sound):
    """Digital silence, an offset from zero, dither: read as it is, with one warning."""
    write_wav(tmp_path / "silent.wav", sound)
    warnings = []
    audio = open_audio(tmp_path / "silent.wav", warnings.append)
    for resampler in ("ffmpeg", "none"):
        np.testing.assert_allclose(np.concatenate(list(audio.blocks(1.0, resampler))), sound,
                                   atol=1e-4)
    (told,) = warnings
    assert told.startswith(str(tmp_path)) and "silent from end to end" in told


def test_quiet_speech_is_no_silence(tmp_path):
    sound = np.zeros(64000)
    sound[40000:44000] = 0.003 * tone(SAMPLE_RATE_HZ)[:4000]
    write_wav(tmp_path / "quiet.wav", sound)
    read_audio(tmp_path / "quiet.wav", warn=pytest.fail)


def voice(duration_s=2.0, seed=5):
    """int16 [samples] noise that comes and goes, in half the range."""
    num_samples = int(duration_s * SAMPLE_RATE_HZ)
    swell = 0.5 - 0.5 * np.cos(np.arange(num_samples) * 2 * np.pi * 3 / SAMPLE_RATE_HZ)
    return np.int16(8000 * swell * np.random.RandomState(seed).uniform(-1, 1, num_samples))


def test_an_inverted_channel_gives_way(tmp_path):
    """Opposite phase, also with a hum or an offset in step on both, and among six channels."""
    speech = voice()
    hum = np.int16(2000 * np.sin(2 * np.pi * 50 * np.arange(len(speech)) / SAMPLE_RATE_HZ) + 500)
    silent = speech * 0
    many = [silent, speech, silent, -np.int16(0.9 * speech), silent, silent]
    for name, channels, heard in (("a", [speech, -speech], speech),
                                  ("b", [np.int16(speech * 0.8), -speech], -speech),
                                  ("c", [speech + hum, -speech + hum], speech + hum),
                                  ("d", many, speech)):
        path = str(tmp_path / (name + ".wav"))
        wavfile.write(path, SAMPLE_RATE_HZ, np.stack(channels, axis=1))
        warnings = []
        np.testing.assert_array_equal(read_audio(path, warn=warnings.append),
                                      heard / np.float32(INT16_SCALE), name)
        (told,) = warnings
        assert "%d channels cancel each other" % len(channels) in told


def test_channels_that_do_not_cancel_are_mixed_without_a_word(tmp_path):
    speech, other = voice(), voice(seed=6)
    apart = np.concatenate([np.zeros(8, np.int16), speech[:-8]])        # microphones 17 cm apart
    for name, channels in (("both", [speech, speech]), ("left", [speech, speech * 0]),
                           ("two", [speech, other]), ("apart", [speech, apart]),
                           ("one of ten", [speech] + [speech * 0] * 9)):
        path = str(tmp_path / (name + ".wav"))
        wavfile.write(path, SAMPLE_RATE_HZ, np.stack(channels, axis=1))
        np.testing.assert_allclose(
            read_audio(path, warn=pytest.fail),
            np.mean(np.float64(channels), axis=0) / INT16_SCALE, atol=1e-6, err_msg=name)


def test_cancelling_is_noticed_after_a_silent_beginning_and_read_in_blocks(tmp_path):
    speech = np.concatenate([np.zeros(8 * SAMPLE_RATE_HZ, np.int16), voice()])
    path = str(tmp_path / "late.wav")
    wavfile.write(path, SAMPLE_RATE_HZ, np.stack([speech, -speech], axis=1))
    warnings = []
    blocks = list(open_audio(path, warnings.append).blocks(1.5))
    np.testing.assert_array_equal(np.concatenate(blocks), speech / np.float32(INT16_SCALE))
    assert len(warnings) == 1 and len(blocks) == 7


def two_streams(folder, first, second, default):
    """A film with two streams of sound, `default` of them so marked; its path."""
    for name, sound in (("first", first), ("second", second)):
        wavfile.write(str(folder / (name + ".wav")), SAMPLE_RATE_HZ, sound)
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=10", "-i", folder / "first.wav", "-i",
           folder / "second.wav", "-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a", "alac",
           "-disposition:a:%d" % (1 - default), "0", "-disposition:a:%d" % default, "default",
           folder / "two.mov")
    return folder / "two.mov"


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream_is_heard(tmp_path, default):
    sounds = [voice(seed=1), voice(seed=2)]
    audio = open_audio(two_streams(tmp_path, *sounds, default=default), pytest.fail)
    assert audio.stream == default
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks())),
                                  sounds[default] / np.float32(INT16_SCALE))


@pytest.mark.parametrize("default", [0, 1])
def test_a_silent_default_stream_gives_way(tmp_path, default):
    sounds = [voice(), voice()]
    sounds[default] = sounds[default] * 0
    warnings = []
    audio = open_audio(two_streams(tmp_path, *sounds, default=default), warnings.append)
    assert audio.stream == 1 - default
    assert np.concatenate(list(audio.blocks())).any()
    (told,) = warnings
    assert ("audio stream %d is silent; stream %d is heard" % (default + 1, 2 - default)) in told


def test_two_silent_streams_are_silent(tmp_path):
    warnings = []
    silent = voice() * 0
    audio = open_audio(two_streams(tmp_path, silent, silent, default=1), warnings.append)
    assert audio.stream == 1 and not np.concatenate(list(audio.blocks())).any()
    assert len(warnings) == 1 and "silent from end to end" in warnings[0]


def test_what_ffmpeg_is_given_for_the_sound(tmp_path):
    """The file itself where that is the same sound, else a wav of what is heard."""
    speech = voice()
    stereo, inverted, big = (str(tmp_path / name) for name in ("s.wav", "i.wav", "b.wav"))
    wavfile.write(stereo, SAMPLE_RATE_HZ, np.stack([speech, speech], axis=1))
    wavfile.write(inverted, SAMPLE_RATE_HZ, np.stack([speech, -speech], axis=1))
    write_rifx(big, speech)
    with open_audio(stereo).file_for_ffmpeg() as (path, stream):
        assert (path, stream) == (stereo, 0)
    for given in (inverted, big):
        with open_audio(given, lambda message: None).file_for_ffmpeg() as (path, stream):
            np.testing.assert_array_equal(read_audio(path), speech / np.float32(INT16_SCALE))
        assert not os.path.exists(path)


# ---- wavs that ffmpeg misreads

def write_extensible(path, values, container_bits, valid_bits, kind=1):
    """Integers or floats as a mono wav of WAVE_FORMAT_EXTENSIBLE; integers left-justified."""
    letter = {(1, 16): "h", (1, 32): "i", (3, 32): "f", (3, 64): "d"}.get((kind, container_bits))
    if letter:
        content = np.asarray(values).astype("<" + letter).tobytes()
    else:
        wide = np.asarray(values).astype("<i4").tobytes()           # the highest byte of 4 goes
        content = b"".join(wide[i:i + 3] for i in range(0, len(wide), 4))
    sample_bytes = container_bits // 8
    guid = struct.pack("<IHH", kind, 0, 16) + b"\x80\x00\x00\xaa\x00\x38\x9b\x71"
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * sample_bytes,
                       sample_bytes, container_bits, 22, valid_bits, 4) + guid
    with open(str(path), "wb") as stream:
        stream.write(b"RIFF" + struct.pack("<I", 4 + 8 + len(head) + 8 + len(content))
                     + b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data"
                     + struct.pack("<I", len(content)) + content)


def write_rifx(path, levels):
    content = levels.astype(">i2").tobytes()
    with open(str(path), "wb") as stream:
        stream.write(b"RIFX" + struct.pack(">I", 36 + len(content)) + b"WAVEfmt "
                     + struct.pack(">IHHIIHH", 16, 1, 1, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 16)
                     + b"data" + struct.pack(">I", len(content)) + content)


@pytest.mark.parametrize("container_bits, valid_bits, kind", [
    (32, 24, 1), (32, 20, 1), (32, 16, 1), (24, 16, 1), (24, 20, 1), (16, 12, 1), (32, 32, 1),
    (24, 24, 1), (16, 16, 1), (32, 0, 1), (32, 32, 3), (64, 64, 3), (32, 24, 3)])
def test_valid_bits_in_a_wider_container(tmp_path, container_bits, valid_bits, kind):
    levels = noise(8000) // 16 * 16
    values = (levels / INT16_SCALE if kind == 3
              else levels.astype(np.int64) * 2 ** (container_bits - 16))
    write_extensible(tmp_path / "x.wav", values, container_bits, valid_bits, kind)
    np.testing.assert_array_equal(read_audio(tmp_path / "x.wav", warn=pytest.fail),
                                  levels / np.float32(INT16_SCALE))


def test_a_big_endian_wav(tmp_path):
    levels = noise(16000)
    write_rifx(tmp_path / "rifx.wav", levels)
    np.testing.assert_array_equal(read_audio(tmp_path / "rifx.wav"),
                                  levels / np.float32(INT16_SCALE))
    content = bytearray((tmp_path / "rifx.wav").read_bytes())
    for kind in (b"\x00\x11", b"\xff\xfe"):                     # IMA ADPCM, extensible
        content[20:22] = kind
        (tmp_path / "rifx.wav").write_bytes(bytes(content))
        assert "big-endian" in refusal(tmp_path / "rifx.wav")


@pytest.mark.parametrize("name", ["14/valid24in32.wav", "20/rifx.wav"])
def test_the_shared_wavs_are_the_plain_sound(shared_cases, name):
    np.testing.assert_allclose(
        read_audio(os.path.join(shared_cases, name)),
        read_audio(os.path.join(shared_cases, "00_reference", "take.wav")), atol=1e-4)


def test_the_shared_inverted_stereo_is_the_sound_in_step(shared_cases):
    warnings = []
    np.testing.assert_array_equal(
        read_audio(os.path.join(shared_cases, "06", "opposite.wav"), warn=warnings.append),
        read_audio(os.path.join(shared_cases, "06", "same.wav"), warn=pytest.fail))
    assert len(warnings) == 1


def test_write_wav_rounds_and_clips(tmp_path):
    write_wav(tmp_path / "w.wav", [0.0, 0.5, -1.0, 1.0, 7.0, 1.6 / 32768] + [0.0] * 1600)
    rate_hz, levels = wavfile.read(str(tmp_path / "w.wav"))
    assert rate_hz == SAMPLE_RATE_HZ
    assert levels[:6].tolist() == [0, 16384, -32768, 32767, 32767, 2]


# ---- what cannot be used

def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        read_audio(path, **options)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_missing_folder_and_empty(tmp_path):
    assert "no file" in refusal(tmp_path / "none.wav")
    assert "folder" in refusal(tmp_path)
    (tmp_path / "empty.wav").write_bytes(b"")
    assert "0 bytes" in refusal(tmp_path / "empty.wav")


@pytest.mark.parametrize("content", [
    b"These are only words.\n" * 40, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    np.random.RandomState(3).bytes(5000), b"RIFF\x00\x00\x00\x00WAVE"])
@pytest.mark.parametrize("name", ["text.wav", "text.mp4"])
def test_not_audio(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    assert "not audio" in refusal(tmp_path / name)


def test_a_long_text_with_letters_of_all_kinds(tmp_path):
    for start in range(4):                       # the first 1024 bytes end within a letter
        (tmp_path / "t.wav").write_bytes(b"a" * start + u"\u4f60\u00e9\r\n".encode("utf-8") * 500)
        assert "but text" in refusal(tmp_path / "t.wav")


def test_a_picture_and_a_silent_film_have_no_sound(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=5", tmp_path / "film.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=1", "-frames:v", "1", tmp_path / "p.png")
    for name in ("film.mp4", "p.png"):
        assert "no audio stream" in refusal(tmp_path / name)


def test_a_playlist_fetches_nothing(tmp_path):
    (tmp_path / "list.wav").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    assert "but text" in refusal(tmp_path / "list.wav")


@pytest.mark.parametrize("content", [
    b"#EXTM3U\n#\1\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\n#\1\nfile '%s'\n", b"\0\1<MPD><BaseURL>%s</BaseURL></MPD>"])
def test_a_list_of_files_is_none_whatever_bytes_are_in_it(tmp_path, content):
    """Else a stranger's sound would be another file of this computer."""
    write_wav(tmp_path / "secret.wav", np.full(16000, 0.1))
    (tmp_path / "list.wav").write_bytes(content % str(tmp_path / "secret.wav").encode())
    assert "is a list of other files" in refusal(tmp_path / "list.wav")


@pytest.mark.parametrize("num_samples", [0, 1, int(MIN_AUDIO_S * SAMPLE_RATE_HZ) - 1])
def test_too_short_says_the_minimum(tmp_path, num_samples):
    write_wav(tmp_path / "short.wav", np.full(num_samples, 0.1))
    for resampler in ("ffmpeg", "none"):
        assert "at least 0.1 s" in refusal(tmp_path / "short.wav", resampler=resampler)


def test_the_minimum_itself_is_enough(tmp_path):
    write_wav(tmp_path / "least.wav", np.full(int(MIN_AUDIO_S * SAMPLE_RATE_HZ), 0.1))
    assert len(read_audio(tmp_path / "least.wav")) == MIN_AUDIO_S * SAMPLE_RATE_HZ


@pytest.mark.parametrize("rate_hz, resampler", [
    (16000, "ffmpeg"), (22050, "ffmpeg"), (22050, "none")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_told_with_its_second(tmp_path, rate_hz, resampler, value):
    samples = tone(rate_hz, 3.0).astype(np.float32)
    samples[2 * rate_hz] = value
    wavfile.write(str(tmp_path / "nan.wav"), rate_hz, samples)
    message = refusal(tmp_path / "nan.wav", resampler=resampler)
    second = float(message.split(" at ")[1].split()[0])
    assert "NaN" in message and second == pytest.approx(2.0, abs=0.01)


def test_int16_saved_as_float_is_told(tmp_path):
    wavfile.write(str(tmp_path / "loud.wav"), SAMPLE_RATE_HZ, noise(16000).astype(np.float32))
    assert "32768" in refusal(tmp_path / "loud.wav")


def test_float_above_one_is_clipped(tmp_path):
    wavfile.write(str(tmp_path / "over.wav"), SAMPLE_RATE_HZ,
                  np.full(1600, 1.5, np.float32))
    assert read_audio(tmp_path / "over.wav").max() == 1 - 1 / INT16_SCALE


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg"])
def test_a_file_cut_off_gives_what_is_there(tmp_path, name):
    sound = tone(SAMPLE_RATE_HZ, 4.0) * np.random.RandomState(0).rand(64000)
    write_wav(tmp_path / "in.wav", sound)
    ffmpeg("-i", tmp_path / "in.wav", tmp_path / ("whole" + name))
    content = (tmp_path / ("whole" + name)).read_bytes()
    (tmp_path / name).write_bytes(content[:len(content) // 2 + 1])
    samples = read_audio(tmp_path / name)
    assert 16000 <= len(samples) < 40000         # ogg comes in pages of a second
    assert correlation(samples[:15000], sound[:15000]) > 0.9


def test_damage_in_the_middle_is_warned_of_and_passed(tmp_path, capsys):
    write_wav(tmp_path / "in.wav", np.random.RandomState(0).randn(64000) * 0.1)
    ffmpeg("-i", tmp_path / "in.wav", tmp_path / "a.m4a")
    whole = read_audio(tmp_path / "a.m4a")
    content = bytearray((tmp_path / "a.m4a").read_bytes())
    middle = content.index(b"mdat") + 10000
    content[middle:middle + 2000] = b"\xa5" * 2000
    (tmp_path / "a.m4a").write_bytes(bytes(content))
    samples = read_audio(tmp_path / "a.m4a")
    assert abs(len(samples) - 64000) < 2000
    assert correlation(samples[-16000:-2000], whole[-16000:-2000]) > 0.99
    told = capsys.readouterr().err.strip()
    assert told.startswith("warning: %s is damaged" % (tmp_path / "a.m4a"))
    assert "\n" not in told


def test_an_mp4_cut_off_before_its_index_is_refused(tmp_path):
    write_wav(tmp_path / "in.wav", tone(SAMPLE_RATE_HZ, 4.0))
    ffmpeg("-i", tmp_path / "in.wav", tmp_path / "a.m4a")
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content[:len(content) // 2])
    assert "moov atom not found" in refusal(tmp_path / "a.m4a")


@pytest.mark.parametrize("name, told", [("a.m4a", "no sound could be decoded (ffmpeg: "),
                                        ("a.flac", "0.000 s of sound")])
def test_a_stream_that_yields_nothing_is_refused(tmp_path, name, told):
    write_wav(tmp_path / "in.wav", np.random.RandomState(0).randn(64000) * 0.1)
    ffmpeg("-i", tmp_path / "in.wav", tmp_path / name)
    content = bytearray((tmp_path / name).read_bytes())
    # The headers stay, every frame of sound goes.
    start, end = ((content.index(b"mdat") + 4, content.index(b"moov") - 4)
                  if name == "a.m4a" else (content.index(b"\xff\xf8"), len(content)))
    content[start:end] = b"\x55" * (end - start)
    (tmp_path / name).write_bytes(bytes(content))
    message = refusal(tmp_path / name)
    assert told in message and "0x" not in message


# ---- sound in arrays

def test_arrays_of_every_type():
    levels = noise(1000)
    expected = levels / INT16_SCALE
    np.testing.assert_array_equal(mono_of_array(levels), expected)
    np.testing.assert_array_equal(mono_of_array(levels.astype(np.int32) * 65536), expected)
    np.testing.assert_array_equal(mono_of_array(expected), expected)
    np.testing.assert_array_equal(mono_of_array(np.array([0, 128, 255], np.uint8)),
                                  [-1.0, 0.0, 127 / 128.0])
    np.testing.assert_array_equal(mono_of_array(np.stack([levels, levels * 0], 1)), expected / 2)
    np.testing.assert_array_equal(resample_array(levels, 16000), expected.astype(np.float32))


@pytest.mark.parametrize("samples, told", [
    ([], "numbers"), (["a"], "numbers"), (np.zeros((2, 2, 2)), "numbers"),
    ([0.0, 0.0, np.nan], "sample 2"), ([[0.0, 0.0], [0.0, np.inf]], "sample 1"),
    ([20000.0, 1.0], "32768")])
def test_arrays_that_are_no_sound(samples, told):
    with pytest.raises(UserError, match=told):
        mono_of_array(samples)
