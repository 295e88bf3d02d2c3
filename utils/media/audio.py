"""Sound in: whatever ffmpeg reads, as blocks of 16 kHz mono float32 at constant memory.

ffmpeg is the one that moviepy brings (imageio-ffmpeg). Every file goes the same way:
decode one audio stream -> float -> mean of the channels -> 16 kHz. A file that is
16 kHz already is not resampled: an int16 sample comes out as exactly value / 32768. Sample 0
stands at the start of the file; where a video's sound starts later, silence fills the gap.

The stream is the one marked as default, else the first; a silent one gives way to one with sound.
Channels that cancel in their mean, one being inverted, give way to the loudest of them.

What is damaged part-way (a download that broke off, a recorder that was killed) is decoded
as far as it goes, with a warning where ffmpeg complains; only a file that yields nothing is
refused.

moviepy's FFMPEG_AudioReader was measured here and is not used: of an mp4 whose sound starts at
0.5 s it gives that sound at 0 s (1.0.3), and it knows no stream but ffmpeg's own
choice.
"""
import collections
import contextlib
import os
import re
import struct
import subprocess
import tempfile
import wave

import numpy as np

from utils.common.constants import INT16_SCALE, MIN_AUDIO_S, SAMPLE_RATE_HZ
from utils.common.errors import UserError, print_warning
from utils.common.files import written_aside
from utils.common.pcm import to_int16
from utils.media.ffmpeg import (check_media_file, duration_s, ffmpeg_reading, first_line,
                                media_report, reason, start_ffmpeg, stream_kept)
from utils.media.wav_header import wav_decoder

# Files of sound alone; a file given by name is heard whatever its extension.
SOUND_EXTENSIONS = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".oga", ".opus", ".aac", ".aif",
                    ".aiff", ".wma", ".mka", ".caf", ".amr")
RESAMPLERS = ("ffmpeg", "none")

# Beyond this a float file holds no sound in [-1, 1]: int16 values were saved as float.
LARGEST_FLOAT = 256.0
LARGEST_SAMPLE = (INT16_SCALE - 1) / INT16_SCALE

# No second of it swings further: the hiss of an unplugged input stays below that (-60 dB).
SILENT_SWING = 1e-3
# The mean of n channels with nothing in common has 1/n of their power. With a tenth of that, one is
# inverted: two microphones or a wide stereo picture have never that little.
CANCELLED_SHARE = 0.1
SPEECH_FROM_HZ = 100                    # a hum in step on all channels shall hide no cancelling
COMPARED_S = 30                         # seconds with sound in which channels are compared

AU_HEADER = struct.Struct(">4s5I")      # magic, offset, bytes, encoding, rate, channels
PIPE_SAMPLE = np.dtype("<f4")


class AudioFile(object):
    """A file with sound in it, made by `open_audio`.

    Attributes: path; duration_s, the container's word for it or None; stream, which of its audio
    streams is heard, from 0; sample_rate_hz and num_channels as they are in the file.
    """

    def __init__(self, path, duration_s, stream, warn):
        self.path = path
        self.duration_s = duration_s
        self.stream = stream.number
        self.sample_rate_hz = stream.sample_rate_hz
        self.num_channels = stream.num_channels
        self._stream = stream
        self._warn = warn
        self._told = set()
        self._channel = None                        # -1: the mean of all; None: not known yet

    def blocks(self, block_s=10.0, resampler="ffmpeg"):
        """Yield the sound as float32 [num_samples] in [-1, 1) at 16 kHz.

        Every block but the last is `block_s` long. `resampler`: "ffmpeg", or "none", which leaves
        the sound at sample_rate_hz (the reference feature profile resamples for itself).
        Warns once of channels that cancel, of damage, and at the end of a sound that is silent
        throughout. Raises UserError for nothing decodable, less than MIN_AUDIO_S, NaN or infinity
        (with the second it stands at). Leaving the loop early ends ffmpeg.
        """
        if resampler not in RESAMPLERS:
            raise ValueError("resampler %r is not one of %s" % (resampler, RESAMPLERS))
        rate_hz = self.sample_rate_hz if resampler == "none" else SAMPLE_RATE_HZ
        num_block_samples = max(1, int(round(block_s * rate_hz)))
        return _cut_into_blocks(self._long_enough(self._decoded(rate_hz), rate_hz),
                                num_block_samples)

    @contextlib.contextmanager
    def file_for_ffmpeg(self):
        """Yield (path, audio stream) of what ffmpeg by itself reads as this sound.

        That is the file, or a temporary wav [mono] where ffmpeg misreads it, needs its picture for
        its clock, or its channels cancel.
        """
        plain = not self._stream.input_options and not self._stream.kept
        if plain and self._heard_channel() < 0:
            yield self.path, self.stream
            return
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sound.wav")
            self.write_mono(path, self.sample_rate_hz, ["-c:a", "pcm_f32le"])
            yield path, 0

    def write_mono(self, path, sample_rate_hz, options):
        """Write the sound that `blocks` gives as a mono file at another rate.

        path: its extension says the container. options: ffmpeg's, for the output: the codec.
        Raises UserError where ffmpeg cannot.
        """
        command = self._command(sample_rate_hz, ["-y", "-map_metadata", "-1"] + options + [path])
        process = start_ffmpeg(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        complaint = first_line(process.communicate()[1].decode("utf-8", "replace"))
        if process.returncode:
            raise UserError("%s could not be rewritten as %s (ffmpeg: %s); check the free space"
                            % (self.path, path, complaint))

    def _decoded(self, rate_hz):
        """Yield checked float32 mono blocks of a second or so at `rate_hz`."""
        num_seen, silent = 0, True
        with tempfile.TemporaryFile() as complaints:
            process = start_ffmpeg(self._command(rate_hz, ["-f", "f32le", "pipe:1"]),
                                   stdout=subprocess.PIPE, stderr=complaints)
            try:
                while True:
                    payload = process.stdout.read(rate_hz * PIPE_SAMPLE.itemsize)
                    num_samples = len(payload) // PIPE_SAMPLE.itemsize
                    if not num_samples:
                        break
                    samples = np.frombuffer(payload, PIPE_SAMPLE, num_samples)
                    self._check_values(samples, num_seen, rate_hz)
                    num_seen += num_samples
                    silent = silent and is_silent(samples)
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
            self._warn_once("%s is damaged (ffmpeg: %s); going on with the %.1f s that could be "
                            "decoded" % (self.path, complaint, num_seen / float(rate_hz)))
        if silent and num_seen:
            self._warn_once("%s is silent from end to end; check the microphone and the track"
                            % self.path)

    def _warn_once(self, message):
        """Warn, but not again where the sound is read a second time, at another rate perhaps."""
        if message not in self._told:
            self._told.add(message)
            self._warn(message)

    def _command(self, rate_hz, output):
        filters = ["aformat=sample_fmts=flt"]       # float before anything is computed
        if self.num_channels > 1:
            share = 1.0 / self.num_channels
            channel = self._heard_channel()
            filters.append("pan=mono|c0=" + ("c%d" % channel if channel >= 0 else "+".join(
                "%.9f*c%d" % (share, place) for place in range(self.num_channels))))
        # first_pts: a stream that starts late keeps its place in time.
        filters.append("aresample=%d:async=1:first_pts=0" % rate_hz)
        return (_reading(self.path, self._stream, "error") + ["-af", ",".join(filters)] + output
                + self._stream.kept)

    def _heard_channel(self):
        """The channel that is heard alone since the mean cancels; -1: the mean is heard."""
        if self._channel is None:
            self._channel = -1
            if self.num_channels > 1:
                powers, mean_power = _powers(self.path, self._stream)
                if mean_power < CANCELLED_SHARE * powers.sum() / self.num_channels ** 2:
                    self._channel = int(np.argmax(powers))
                    self._warn_once(
                        "%s: its %d channels cancel each other, as where one is inverted (their "
                        "mean is %.0f dB below the loudest); channel %d alone is heard"
                        % (self.path, self.num_channels,
                           10 * np.log10(powers.max() / max(mean_power, 1e-12)),
                           self._channel + 1))
        return self._channel

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


# One audio stream of a file. number: from 0. input_options, kept: what ffmpeg must be told before
# -i and after the output.
_Stream = collections.namedtuple(
    "_Stream", "number input_options kept sample_rate_hz num_channels")


def open_audio(path, warn=print_warning):
    """The AudioFile at `path`; of a single stream nothing is decoded yet beyond its first frame.

    warn: called with a line on each thing that is doubtful, here and while the sound is read.
    Raises UserError: missing, a folder, empty, not audio, no audio stream.
    """
    path = os.fspath(path)
    check_media_file(path, "a file with sound in it", "audio",
                     "a wav, mp3, flac, ogg, m4a, mp4 or the like")
    decoder = wav_decoder(path)
    report = media_report(path)
    streams = _by_default(report)
    if not streams:
        if re.search(r"^ *Input #0", report, re.MULTILINE):
            raise UserError("%s has no sound: no audio stream is in it; give a file with sound"
                            % path)
        raise UserError("%s is not audio that ffmpeg can read (%s); give a wav, mp3, flac, ogg, "
                        "m4a, mp4 or the like" % (path, reason(report, path)))
    opened = _opened(path, streams, ["-c:a", decoder] if decoder else [],
                     stream_kept(report, "V:0"), warn)
    return AudioFile(path, duration_s(report), opened, warn)


def _opened(path, numbers, input_options, kept, warn):
    """The _Stream to hear of the audio streams `numbers`, the best first."""
    silent, failure = None, None
    for number in numbers:
        try:
            stream = _probed(path, _Stream(number, input_options, kept, None, None))
        except UserError as error:                  # a codec that this ffmpeg lacks, say
            failure = failure or error
            continue
        if len(numbers) > 1 and _is_silent_stream(path, stream):
            silent = silent or stream
            continue
        if number != numbers[0]:
            warn("%s: its audio stream %d %s; stream %d is heard" % (
                path, numbers[0] + 1, "cannot be decoded" if failure else "is silent", number + 1))
        return stream
    if silent is None:
        raise failure
    return silent


def _by_default(report):
    """The audio streams of a report, each by its place among them, those marked default first."""
    lines = dict((int(number), "(default)" in rest) for number, rest in re.findall(
        r"^ *Stream #0:(\d+)\S*: Audio: (.*)$", report, re.MULTILINE))
    is_default = [lines[number] for number in sorted(lines)]
    return sorted(range(len(is_default)), key=lambda place: not is_default[place])


def _probed(path, stream):
    """The _Stream with its rate and channels; UserError where it gives no frame."""
    # An .au header on the pipe is the plainest way to be told rate and channels.
    probe = start_ffmpeg(
        _reading(path, stream, "info")
        + ["-frames:a", "1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    header, report = probe.communicate()
    report = report.decode("utf-8", "replace")
    if len(header) < AU_HEADER.size:
        if probe.returncode == 0:
            raise UserError("%s holds 0.000 s of sound; at least %.1f s is needed"
                            % (path, MIN_AUDIO_S))
        raise UserError("%s is not audio that ffmpeg can read (%s); give a wav, mp3, flac, ogg, "
                        "m4a, mp4 or the like" % (path, reason(report, path)))
    rate_hz, num_channels = AU_HEADER.unpack(header[:AU_HEADER.size])[4:]
    return stream._replace(sample_rate_hz=rate_hz, num_channels=num_channels)


def _reading(path, stream, verbosity):
    """The beginning of an ffmpeg command that reads one audio stream."""
    return (ffmpeg_reading(path, verbosity, stream.input_options)
            + ["-map", "0:a:%d" % stream.number, "-vn", "-sn", "-dn"])


def is_silent(samples):
    """Whether sound (float [any], [-1, 1]) swings nowhere; an offset from zero is no sound."""
    return float(samples.max()) - float(samples.min()) <= 2 * SILENT_SWING


def _is_silent_stream(path, stream):
    with contextlib.closing(_seconds(path, stream)) as seconds:
        return all(is_silent(samples) for samples in seconds)


def _powers(path, stream):
    """(power of each channel [n], power of their mean), of the first COMPARED_S with sound."""
    powers, mean_power, num_compared = np.zeros(stream.num_channels), 0.0, 0
    with contextlib.closing(_seconds(path, stream)) as seconds:
        for samples in seconds:                                 # [rate, n]
            if is_silent(samples):
                continue
            powers += np.square(samples).sum(axis=0)
            mean_power += np.square(samples.mean(axis=1)).sum()
            num_compared += 1
            if num_compared == COMPARED_S:
                break
    return powers, mean_power


def _seconds(path, stream):
    """Yield a stream as float64 [rate or less, channels], without what lies below speech."""
    sample_bytes = PIPE_SAMPLE.itemsize * stream.num_channels
    process = start_ffmpeg(
        _reading(path, stream, "quiet")
        + ["-af", "aformat=sample_fmts=flt,highpass=f=%d" % SPEECH_FROM_HZ, "-f", "f32le",
           "pipe:1"], stdout=subprocess.PIPE)
    try:
        while True:
            payload = process.stdout.read(stream.sample_rate_hz * sample_bytes)
            num_samples = len(payload) // sample_bytes
            if not num_samples:
                break
            samples = np.frombuffer(payload[:num_samples * sample_bytes], PIPE_SAMPLE)
            yield samples.astype(np.float64).reshape(num_samples, stream.num_channels)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def read_audio(path, resampler="ffmpeg", warn=print_warning):
    """The whole of `path` as float32 [num_samples] in [-1, 1) at 16 kHz.

    resampler, warn and errors: see AudioFile.blocks and open_audio.
    """
    return np.concatenate(list(open_audio(path, warn).blocks(resampler=resampler)))


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
        import resampy                  # its import compiles for seconds; most runs need none
        sound = resampy.resample(sound, from_hz, SAMPLE_RATE_HZ, filter="kaiser_best")
    return np.clip(sound, -1.0, LARGEST_SAMPLE).astype(np.float32)


def write_wav(path, samples, sample_rate_hz=SAMPLE_RATE_HZ):
    """`samples` [num_samples] in [-1, 1] as a 16-bit mono wav."""
    with written_aside(path) as aside, contextlib.closing(wave.open(aside, "wb")) as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sample_rate_hz)
        stream.writeframes(to_int16(samples).astype("<i2").tobytes())


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
