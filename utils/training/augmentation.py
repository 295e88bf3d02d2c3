"""Augmented copies of a recording: another speed, pitch and level, with noise and an echoing room.

From one recording, in one room, by one microphone, a network learns that room too.
The copies go through the acoustic network like any sound, once, and their labels are stretched
by the speed. What a copy is follows from the recording and the copy's number alone.
"""
import collections
import hashlib
import subprocess

import imageio_ffmpeg
import numpy as np
import scipy.signal

from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.resample import resample_frames

# speed, pitch: factors, 1 = as recorded; level_db: gain; noise_db: noise below the speech's own
# power; echo_s: time in which the room's echo falls by 60 dB; seed: of noise and echo.
Augmentation = collections.namedtuple("Augmentation", "speed pitch level_db noise_db echo_s seed")

SPEEDS = (0.9, 1.1)
PITCHES = (0.89, 1.12)              # two semitones
LEVELS_DB = (-10.0, 4.0)
NOISES_DB = (-40.0, -15.0)
ECHOES_S = (0.05, 0.4)
ECHO_LEVEL_DB = -12.0               # of the whole echo, below the direct sound
PEAK = 0.99


def augmentation_of(recording, number):
    """The Augmentation of copy `number` (from 1) of the recording called `recording`."""
    digest = hashlib.sha256(("%s\n%d" % (recording, number)).encode("utf-8")).digest()
    seed = int.from_bytes(digest[:4], "big")
    random = np.random.RandomState(seed)
    return Augmentation(*([random.uniform(*ends) for ends in (
        SPEEDS, PITCHES, LEVELS_DB, NOISES_DB, ECHOES_S)] + [seed]))


def augmented_sound(samples, augmentation):
    """float32 [about num_samples / speed]: `samples` (float, 16 kHz mono) so augmented.

    Echo and noise delay nothing: the direct sound stays where it was. Raises UserError where
    ffmpeg does not stretch.
    """
    random = np.random.RandomState(augmentation.seed)
    samples = _stretched(np.asarray(samples, np.float32), augmentation.speed, augmentation.pitch)
    samples = _with_echo(samples, augmentation.echo_s, random)
    power = np.mean(np.square(samples, dtype=np.float64))
    noise = random.standard_normal(len(samples))
    samples = samples + noise * np.sqrt(power) * 10.0 ** (augmentation.noise_db / 20.0)
    samples = samples * 10.0 ** (augmentation.level_db / 20.0)
    loudest = np.abs(samples).max() if len(samples) else 0.0
    return (samples * min(1.0, PEAK / max(loudest, 1e-9))).astype(np.float32)


def augmented_frames(values, augmentation):
    """`values` [frames, k] at ANIMATION_FPS as they go with that sound, [frames / speed, k].
    """
    return resample_frames(values, ANIMATION_FPS * augmentation.speed, ANIMATION_FPS)


def augmented_valid(valid, augmentation):
    """bool [frames / speed]: a frame is valid where all that it is interpolated from are."""
    return augmented_frames(np.asarray(valid, np.float32)[:, np.newaxis],
                          augmentation)[:, 0] > 1.0 - 1e-6


def _stretched(samples, speed, pitch):
    """`samples` spoken `speed` times as fast and `pitch` times as high."""
    if speed == 1.0 and pitch == 1.0:
        return samples
    raw = ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1"]
    # Played at another rate, both change; the tempo then puts the length right.
    filters = "asetrate=%d,aresample=%d,atempo=%.6f" % (
        round(SAMPLE_RATE_HZ * pitch), SAMPLE_RATE_HZ, speed / pitch)
    process = subprocess.Popen(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-v", "error"] + raw
        + ["-i", "pipe:0", "-af", filters] + raw + ["pipe:1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found, complaint = process.communicate(samples.astype("<f4").tobytes())
    if process.returncode:
        raise UserError("ffmpeg does not alter the sound by %s: %s; set augmented_copies = 0"
                        % (filters, complaint.decode("utf-8", "replace").strip()[:200]))
    wanted = int(round(len(samples) / speed))
    found = np.frombuffer(found, "<f4")[:wanted]
    return np.pad(found, (0, wanted - len(found)), "constant")      # numpy 1.16 wants the mode


def _with_echo(samples, echo_s, random):
    """`samples` in a room: a tail of noise that falls by 60 dB in `echo_s`."""
    times_s = np.arange(1, int(echo_s * SAMPLE_RATE_HZ)) / float(SAMPLE_RATE_HZ)
    tail = random.standard_normal(len(times_s)) * 10.0 ** (-3.0 * times_s / echo_s)
    tail *= 10.0 ** (ECHO_LEVEL_DB / 20.0) / max(np.linalg.norm(tail), 1e-9)
    room = np.concatenate([[1.0], tail])
    return scipy.signal.fftconvolve(samples, room)[:len(samples)]
