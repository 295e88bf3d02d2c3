"""Sound on its way from a source to the face: PCM bytes to mono samples, and the queue of them.

Sources run in threads of their own and put sound; the face takes it in its time. A source that
gives faster than real time, as a text-to-speech program does, fills the queue and is then held up.
"""
import collections
from math import gcd
import threading
import time

import numpy as np
from scipy.signal import firwin, upfirdn

from utils.common.constants import INT16_SCALE
from utils.common.errors import UserError, print_warning

CHUNK_S = 0.008                         # what the queue hands out at a time, at most
CAPACITY_S = 60.0                       # of sound that waits, before a source is held up
MIN_RATE_HZ, MAX_RATE_HZ = 4000, 192000
MAX_CHANNELS = 8
SAMPLE_FORMATS = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
LARGEST_FLOAT = 4.0                     # beyond it a float is no sound in -1..1
WAV_HEADS, HEAD_BYTES = (b"RIFF", b"RIFX", b"RF64"), 4
HALF_FILTER_ZEROS, KAISER_BETA = 10, 5.0    # as scipy.signal.resample_poly has them


Pcm = collections.namedtuple("Pcm", "rate_hz num_channels sample_format")


class Resampler(object):
    """Blocks of float32 mono sound at another rate, without seams.

    The numbers are scipy.signal.resample_poly's of the whole. At the same rate the sound passes
    untouched. The filter looks 10 samples of the lower rate ahead, 0.6 ms at 16 kHz.
    """

    def __init__(self, from_hz, to_hz):
        divisor = gcd(int(from_hz), int(to_hz))
        self._up, self._down = int(to_hz) // divisor, int(from_hz) // divisor
        largest = max(self._up, self._down)
        self._half = HALF_FILTER_ZEROS * largest            # of the filter, at up times from_hz
        # In front so many zeros that output m stands at m * down there.
        padding = -self._half % self._down
        self._filter = None
        if self._up != self._down:
            taps = self._up * firwin(2 * self._half + 1, 1.0 / largest,
                                     window=("kaiser", KAISER_BETA))
            self._filter = np.concatenate([np.zeros(padding), taps])
        self._lead = (self._half + padding) // self._down   # outputs before the first
        self.reset()

    def reset(self):
        self._samples = np.zeros(0, np.float32)
        self._first = 0                                     # outputs of _samples given already

    def feed(self, samples):
        """The samples [m] at to_hz that `samples` [n] at from_hz complete."""
        if self._filter is None:
            return np.asarray(samples, np.float32)
        self._samples = np.concatenate([self._samples, samples])
        # Output m needs input up to (m * down + half) / up.
        num_ready = max((len(self._samples) * self._up - self._half - 1) // self._down + 1, 0)
        return self._give(num_ready)

    def finish(self):
        """The rest: in all ceil(n * to_hz / from_hz) samples."""
        if self._filter is None:
            return np.zeros(0, np.float32)
        return self._give(-(-len(self._samples) * self._up // self._down))

    def _give(self, num_ready):
        if num_ready <= self._first:
            return np.zeros(0, np.float32)
        made = upfirdn(self._filter, self._samples, self._up, self._down)
        made = made[self._lead + self._first:self._lead + num_ready]
        missing = num_ready - self._first - len(made)       # zeros follow the end
        self._first = num_ready
        # Whole blocks of `down` inputs make `up` outputs: what no later output needs goes.
        reach = self._half // self._up + 1
        blocks = max((self._first * self._down // self._up - reach) // self._down, 0)
        self._samples = self._samples[blocks * self._down:]
        self._first -= blocks * self._up
        return np.pad(made, (0, max(missing, 0)), "constant").astype(np.float32)


class PcmDecoder(object):
    """Raw PCM, cut anywhere, to float32 mono at `to_hz`.

    Args: sample_format: a key of SAMPLE_FORMATS, little-endian, channels interleaved.
    """

    def __init__(self, rate_hz, num_channels, sample_format, to_hz, warn=print_warning):
        self._dtype = SAMPLE_FORMATS[sample_format]
        self._num_channels = num_channels
        self._resampler = Resampler(rate_hz, to_hz)
        self._warn = warn
        self._told = False
        self._rest = b""
        self._head = b""                                    # the first bytes of the stream

    def feed(self, payload):
        """float32 [any] that the bytes `payload` complete.

        Raises UserError where the stream begins as a wav file does.
        """
        self._rest += bytes(payload)
        if len(self._head) < HEAD_BYTES:
            self._head += bytes(payload[:HEAD_BYTES - len(self._head)])
            if self._head in WAV_HEADS:
                raise UserError("the sound begins with the header of a wav; raw PCM is expected: "
                                "ffmpeg -i FILE -f s16le -ar 16000 -ac 1 -")
        size = self._dtype.itemsize * self._num_channels
        num_whole = len(self._rest) // size
        values = np.frombuffer(self._rest, self._dtype, num_whole * self._num_channels)
        self._rest = self._rest[num_whole * size:]
        if self._dtype.kind == "i":
            samples = values.astype(np.float32) / np.float32(INT16_SCALE)
        else:
            samples = self._checked(values)
        mono = samples.reshape(-1, self._num_channels).mean(axis=1, dtype=np.float32)   # [n]
        return self._resampler.feed(mono)

    def finish(self):
        return self._resampler.finish()

    def _checked(self, values):
        """Floats in -1..1; what is none becomes silence, and is told once."""
        bad = ~np.isfinite(values)
        bad |= np.abs(np.where(bad, 0, values)) > LARGEST_FLOAT
        if bad.any() and not self._told:
            self._told = True
            self._warn("%d of %d samples are no sound in -1..1, as %r; they are taken as silence. "
                       "Is the sound f32?" % (bad.sum(), len(bad), float(values[np.argmax(bad)])))
        return np.clip(np.where(bad, np.float32(0), values), -1.0, 1.0)


class SoundQueue(object):
    """Chunks of float32 mono sound at rate_hz with the time of their arrival, for one reader.

    clock: seconds, as the reader's.
    """

    def __init__(self, rate_hz, clock=time.monotonic):
        self.rate_hz = rate_hz
        self.num_lost = 0               # samples, of a source that cannot be held up
        self._clock = clock
        self._chunk_samples = int(round(CHUNK_S * rate_hz))
        self._chunks = collections.deque()
        self._num_samples = 0
        self._changed = threading.Condition()
        self._is_ended, self._is_closed, self._is_reset = False, False, False
        self._error = None

    def put(self, samples, is_held_up=True):
        """Add samples [any]; waits while the queue is full. False: nobody wants more.

        is_held_up: False never waits, but drops the oldest sound: a microphone cannot wait.
        """
        capacity = int(CAPACITY_S * self.rate_hz)
        for first in range(0, len(samples), self._chunk_samples):
            chunk = samples[first:first + self._chunk_samples]
            with self._changed:
                while is_held_up and self._num_samples >= capacity and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return False
                while self._num_samples >= capacity:
                    self.num_lost += len(self._chunks[0][0])
                    self._pop()
                self._chunks.append((chunk, self._clock()))
                self._num_samples += len(chunk)
                self._changed.notify_all()
        return not self._is_closed

    def end(self, error=None):
        """No more will come; `error` is raised where the reader is."""
        with self._changed:
            self._is_ended, self._error = True, error
            self._changed.notify_all()

    def close(self):
        """The reader is gone: whoever waits to put goes on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def reset(self):
        """Forget the sound that waits, and tell the reader to begin anew (barge-in)."""
        with self._changed:
            self._chunks.clear()
            self._num_samples = 0
            self._is_reset = True
            self._changed.notify_all()

    def take_reset(self):
        """Whether reset() was called since this was asked last."""
        with self._changed:
            is_reset, self._is_reset = self._is_reset, False
            return is_reset

    def head(self):
        """(number of samples, arrival in seconds) of the next chunk, or None."""
        with self._changed:
            return (len(self._chunks[0][0]), self._chunks[0][1]) if self._chunks else None

    def pop(self):
        """The next chunk, float32 [n]."""
        with self._changed:
            return self._pop()

    def _pop(self):
        chunk, _ = self._chunks.popleft()
        self._num_samples -= len(chunk)
        self._changed.notify_all()
        return chunk

    @property
    def is_over(self):
        """Whether the source has ended and all of it is taken; raises the source's error."""
        with self._changed:
            if self._error is not None:
                raise self._error
            return self._is_ended and not self._chunks

    def wait(self, seconds):
        """Wait so long, or until something is put into an empty queue, or the source ends."""
        with self._changed:
            if not self._is_reset and not (self._is_ended and not self._chunks):
                is_empty = not self._chunks
                self._changed.wait_for(
                    lambda: self._is_reset or is_empty and (self._chunks or self._is_ended),
                    max(seconds, 0.0))
