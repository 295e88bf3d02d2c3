"""Sound in: whatever ffmpeg reads, as blocks of 16 kHz mono float32 at constant memory.

ffmpeg is the one that moviepy brings (imageio-ffmpeg). Every file goes the same way:
decode the first audio stream -> float -> mean of the channels -> 16 kHz. A file that is
16 kHz already is not resampled: an int16 sample comes out as exactly value / 32768. Sample 0
stands at the start of the file; where a video's sound starts later, silence fills the gap.

What is damaged part-way (a download that broke off, a recorder that was killed) is decoded
as far as it goes, with a warning on stderr where ffmpeg complains; only a file that yields
nothing is refused.
"""
import contextlib
import math
import os
import struct
import subprocess
import sys
import tempfile
import wave

import numpy as np

from utils.common.constants import INT16_SCALE, MIN_AUDIO_S, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.media.ffmpeg import check_media_file, duration_s, ffmpeg_reading, first_line, reason

FIRST_AUDIO_STREAM = ["-map", "0:a:0", "-vn", "-sn", "-dn"]
RESAMPLERS = ("ffmpeg", "resampy", "none")

# Beyond this a float file holds no sound in [-1, 1]: int16 values were saved as float.
LARGEST_FLOAT = 256.0
LARGEST_SAMPLE = (INT16_SCALE - 1) / INT16_SCALE

# resampy's kaiser_best looks at most this many zero crossings to either side.
RESAMPY_FILTER = "kaiser_best"
RESAMPY_ZERO_CROSSINGS = 64

AU_HEADER = struct.Struct(">4s5I")      # magic, offset, bytes, encoding, rate, channels
PIPE_SAMPLE = np.dtype("<f4")


class AudioFile(object):
    """A file with sound in it, made by `open_audio`.

    Attributes: path; duration_s, the container's word for it or None; sample_rate_hz and
    num_channels as they are in the file.
    """

    def __init__(self, path, duration_s, sample_rate_hz, num_channels):
        self.path = path
        self.duration_s = duration_s
        self.sample_rate_hz = sample_rate_hz
        self.num_channels = num_channels

    def blocks(self, block_s=10.0, resampler="ffmpeg"):
        """Yield the sound as float32 [num_samples] in [-1, 1) at 16 kHz.

        Every block but the last is `block_s` long. `resampler`: "ffmpeg"; "resampy" (equal
        to resampy over the whole file within 1e-6); or "none", which leaves the sound at
        sample_rate_hz (the reference feature profile resamples for itself).
        Raises UserError for nothing decodable, less than MIN_AUDIO_S, NaN or infinity (with
        the second it stands at). Leaving the loop early ends ffmpeg.
        """
        if resampler not in RESAMPLERS:
            raise ValueError("resampler %r is not one of %s" % (resampler, RESAMPLERS))
        rate_hz = self.sample_rate_hz if resampler == "none" else SAMPLE_RATE_HZ
        if resampler == "resampy" and self.sample_rate_hz != SAMPLE_RATE_HZ:
            native = self._decoded(self.sample_rate_hz)
            sound = _resampled_blocks(native, self.sample_rate_hz)
        else:
            sound = self._decoded(rate_hz)
        num_block_samples = max(1, int(round(block_s * rate_hz)))
        return _cut_into_blocks(self._long_enough(sound, rate_hz), num_block_samples)

    def _decoded(self, rate_hz):
        """Yield checked float32 mono blocks of a second or so at `rate_hz`."""
        num_seen = 0
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                self._command(rate_hz), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=complaints)
            try:
                while True:
                    payload = process.stdout.read(rate_hz * PIPE_SAMPLE.itemsize)
                    num_samples = len(payload) // PIPE_SAMPLE.itemsize
                    if not num_samples:
                        break
                    samples = np.frombuffer(payload, PIPE_SAMPLE, num_samples)
                    self._check_values(samples, num_seen, rate_hz)
                    num_seen += num_samples
                    yield np.clip(samples, -1.0, LARGEST_SAMPLE)
                process.wait()
            finally:
                process.kill()
                process.stdout.close()
                process.wait()
            complaints.seek(0)
            complaint = first_line(complaints.read().decode("utf-8", "replace"))
        if complaint and not num_seen:
            raise UserError("%s: no sound could be decoded (ffmpeg: %s); give a file that plays"
                            % (self.path, complaint))
        if complaint:
            print("warning: %s is damaged (ffmpeg: %s); going on with the %.1f s that could be "
                  "decoded" % (self.path, complaint, num_seen / float(rate_hz)),
                  file=sys.stderr)

    def _command(self, rate_hz):
        filters = ["aformat=sample_fmts=flt"]       # float before anything is computed
        if self.num_channels > 1:
            share = 1.0 / self.num_channels
            filters.append("pan=mono|c0=" + "+".join(
                "%.9f*c%d" % (share, channel) for channel in range(self.num_channels)))
        # first_pts: a stream that starts late keeps its place in time.
        filters.append("aresample=%d:async=1:first_pts=0" % rate_hz)
        return (ffmpeg_reading(self.path, "error") + FIRST_AUDIO_STREAM
                + ["-af", ",".join(filters), "-f", "f32le", "pipe:1"])

    def _check_values(self, samples, num_before, rate_hz):
        bad = ~np.isfinite(samples)
        if bad.any():
            raise UserError(
                "%s: a sample at %.3f s is not a number (NaN or infinity); export the sound again"
                % (self.path, (num_before + np.argmax(bad)) / float(rate_hz)))
        largest = np.abs(samples).max()
        if largest > LARGEST_FLOAT:
            raise UserError("%s: float samples reach %.0f where sound lies in -1..1; divide by "
                            "32768 if they were int16" % (self.path, largest))

    def _long_enough(self, blocks, rate_hz):
        """Pass `blocks` on, but nothing before MIN_AUDIO_S of them have come."""
        held, num_held, passed = [], 0, False
        with contextlib.closing(blocks):
            for block in blocks:
                if passed:
                    yield block
                    continue
                held.append(block)
                num_held += len(block)
                if num_held >= MIN_AUDIO_S * rate_hz:
                    passed = True
                    yield np.concatenate(held)
        if not passed:
            raise UserError("%s holds %.3f s of sound; at least %.1f s is needed"
                            % (self.path, num_held / float(rate_hz), MIN_AUDIO_S))


def open_audio(path):
    """The AudioFile at `path`; nothing is decoded yet beyond its first frame.

    Raises UserError: missing, a folder, empty, not audio, no audio stream.
    """
    path = os.fspath(path)
    check_media_file(path, "a file with sound in it", "audio",
                     "a wav, mp3, flac, ogg, m4a, mp4 or the like")
    # An .au header on the pipe is the plainest way to be told rate and channels.
    probe = subprocess.Popen(
        ffmpeg_reading(path, "info") + FIRST_AUDIO_STREAM
        + ["-frames:a", "1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    header, report = probe.communicate()
    report = report.decode("utf-8", "replace")
    if "matches no streams" in report:
        raise UserError("%s has no sound: no audio stream is in it; give a file with sound"
                        % path)
    if len(header) < AU_HEADER.size:
        if probe.returncode == 0:
            raise UserError("%s holds 0.000 s of sound; at least %.1f s is needed"
                            % (path, MIN_AUDIO_S))
        raise UserError("%s is not audio that ffmpeg can read (%s); give a wav, mp3, flac, ogg, "
                        "m4a, mp4 or the like" % (path, reason(report, path)))
    rate_hz, num_channels = AU_HEADER.unpack(header[:AU_HEADER.size])[4:]
    return AudioFile(path, duration_s(report), rate_hz, num_channels)


def read_audio(path, resampler="ffmpeg"):
    """The whole of `path` as float32 [num_samples] in [-1, 1) at 16 kHz."""
    return np.concatenate(list(open_audio(path).blocks(resampler=resampler)))


def mono_of_array(samples):
    """Sound held in an array as float64 [num_samples] in [-1, 1], at the rate it has.

    samples: [num_samples] or [num_samples, channels] (mixed down by mean), integers at their
        type's full scale or floats in [-1, 1].
    Raises UserError for an empty array, NaN, or floats far beyond 1.
    """
    samples = np.asarray(samples)
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2) or not samples.size:
        raise UserError("the audio is an array of %s %s; expected numbers [num_samples]"
                        % (samples.dtype, list(samples.shape)))
    sound = samples.astype(np.float64)
    if samples.dtype.kind in "iu":
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        sound = sound / full_scale - (1.0 if samples.dtype.kind == "u" else 0.0)
    elif not np.isfinite(sound).all():
        finite = np.isfinite(sound).reshape(len(sound), -1).all(axis=1)
        raise UserError("the audio's sample %d is not a number (NaN or infinity)"
                        % np.argmin(finite))
    elif np.abs(sound).max() > LARGEST_FLOAT:
        raise UserError("the audio's float samples reach %.0f where sound lies in -1..1; divide "
                        "by 32768 if they were int16" % np.abs(sound).max())
    return sound.mean(axis=1) if sound.ndim == 2 else sound


def resample_array(samples, from_hz):
    """Sound held in an array as float32 [num_samples] in [-1, 1) at 16 kHz, by resampy.

    samples and errors: see mono_of_array.
    """
    sound = mono_of_array(samples)
    if from_hz != SAMPLE_RATE_HZ:
        sound = _resampy(sound, from_hz)
    return _as_samples(sound)


def _resampled_blocks(blocks, from_hz):
    """Yield `blocks` (float [any] each, at `from_hz`) at 16 kHz, as float32.

    The values are those of resampy over the whole: each piece is resampled with as much of
    its neighbours as the filter reaches, cut where input and output samples coincide.
    """
    common = math.gcd(int(from_hz), SAMPLE_RATE_HZ)
    step_in, step_out = int(from_hz) // common, SAMPLE_RATE_HZ // common
    reach = RESAMPY_ZERO_CROSSINGS * max(1.0, from_hz / float(SAMPLE_RATE_HZ)) + 1
    margin_steps = int(math.ceil(reach / step_in))
    held = np.zeros(0)                  # input not yet done, after `past_steps` that are
    past_steps = 0
    with contextlib.closing(blocks):
        for block in blocks:
            held = np.concatenate([held, block.astype(np.float64)])
            ready_steps = len(held) // step_in - margin_steps - past_steps
            if ready_steps <= 0:
                continue
            sound = _resampy(held, from_hz)
            done_steps = past_steps + ready_steps
            yield _as_samples(sound[past_steps * step_out:done_steps * step_out])
            keep_from = max(0, done_steps - margin_steps)
            held = held[keep_from * step_in:]
            past_steps = done_steps - keep_from
    num_left = int(len(held) * float(SAMPLE_RATE_HZ) / float(from_hz)) - past_steps * step_out
    if num_left > 0:
        yield _as_samples(_resampy(held, from_hz)[past_steps * step_out:])


def write_wav(path, samples, sample_rate_hz=SAMPLE_RATE_HZ):
    """`samples` [num_samples] in [-1, 1] as a 16-bit mono wav."""
    levels = np.clip(np.round(np.asarray(samples) * INT16_SCALE), -INT16_SCALE, INT16_SCALE - 1)
    with written_aside(path) as aside, contextlib.closing(wave.open(aside, "wb")) as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sample_rate_hz)
        stream.writeframes(levels.astype("<i2").tobytes())


def _cut_into_blocks(pieces, num_block_samples):
    """Yield what `pieces` hold as blocks of `num_block_samples`, the last one shorter."""
    held, num_held = [], 0
    with contextlib.closing(pieces):
        for piece in pieces:
            held.append(piece)
            num_held += len(piece)
            if num_held < num_block_samples:
                continue
            sound = np.concatenate(held)
            num_whole = num_held // num_block_samples * num_block_samples
            for start in range(0, num_whole, num_block_samples):
                yield sound[start:start + num_block_samples]
            held, num_held = [sound[num_whole:]], num_held - num_whole
    if num_held:
        yield np.concatenate(held)


def _resampy(sound, from_hz):
    import resampy                      # its import compiles for seconds; most runs need none
    return resampy.resample(sound, from_hz, SAMPLE_RATE_HZ, filter=RESAMPY_FILTER)


def _as_samples(sound):
    return np.clip(sound, -1.0, LARGEST_SAMPLE).astype(np.float32)
