"""A live face without waiting: a clock that is set, and a network that is a loudness meter."""
import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import SAMPLE_RATE_HZ
from utils.live.live_face import LiveFace
from utils.live.sound import SoundQueue

LOOK_AHEAD_S = 0.45
REST = np.zeros(52, np.float32)


class LoudnessAnimator(object):
    """Frame i has the mean level of its samples on every channel; it comes LOOK_AHEAD_S later."""

    fps, profile, channels = 30, "deepspeech", MODEL_CHANNELS

    def __init__(self):
        self.num_started = 0

    def start(self, rate_hz=SAMPLE_RATE_HZ, early_frames=None):
        self.num_started += 1
        self._rate_hz, self._samples, self._num_given = rate_hz, np.zeros(0, np.float32), 0
        self._num_gone = 0                              # samples that no frame needs any more

    def feed(self, samples):
        num_needless = self._num_given * self._rate_hz // self.fps - self._num_gone
        self._samples = np.concatenate([self._samples[num_needless:], samples])
        self._num_gone += num_needless
        ready_s = (self._num_gone + len(self._samples)) / float(self._rate_hz) - LOOK_AHEAD_S
        return self._give(int(np.floor(ready_s * self.fps + 1e-9)) + 1)

    def finish(self):
        num_samples = self._num_gone + len(self._samples)
        return self._give(-(-num_samples * self.fps // self._rate_hz))

    def _give(self, num_frames):
        rows = []
        for frame in range(self._num_given, num_frames):
            first, last = (k * self._rate_hz // self.fps - self._num_gone
                           for k in (frame, frame + 1))
            rows.append(np.full(52, np.abs(self._samples[first:last]).mean(), np.float32))
        self._num_given = max(self._num_given, num_frames)
        return np.reshape(rows, (-1, 52)).astype(np.float32)


class Clock(object):
    now_s = 100.0

    def __call__(self):
        return self.now_s


class Simulation(object):
    """A LiveFace with its sound, and the frames that it sent with their times, from 0."""

    def __init__(self, animator=None, rest=REST, look_ahead_s=LOOK_AHEAD_S, slowness_s=0.0,
                 **options):
        self.clock = Clock()
        self.start_s = self.clock.now_s
        self.sound = SoundQueue(SAMPLE_RATE_HZ, self.clock)
        self.animator = animator or LoudnessAnimator()
        self.frames, self.times_s = [], []
        self.slowness_s, self.num_steps = slowness_s, 0
        self.face = LiveFace(self.animator, self.sound, self._take, rest, look_ahead_s, **options)
        self.is_over = False

    def _take(self, frame):
        self.frames.append(frame)
        self.times_s.append(self.clock.now_s - self.start_s)

    def run(self, until_s, events=()):
        """events: [(seconds, function)], rising; until_s is absolute, too."""
        events = [(self.start_s + at_s, function) for at_s, function in events]
        until_s += self.start_s
        while not self.is_over and self.clock.now_s < until_s:
            while events and events[0][0] <= self.clock.now_s:
                events.pop(0)[1]()
            self.num_steps += 1
            wake_s = self.face.step(self.clock.now_s)
            if wake_s is None:
                self.is_over = True
                break
            wake_s = max(wake_s, self.clock.now_s + self.slowness_s)
            if events:
                wake_s = min(wake_s, events[0][0])
            self.clock.now_s = min(max(wake_s, self.clock.now_s + 1e-6), until_s)

    def shown(self, wants_late=True):
        return [frame for frame in self.frames if wants_late or not frame.is_late]


def in_blocks(sound, samples, block_s, start_s=0.0, speed=1.0):
    """Events that put `samples` as a microphone does: each block when its last sample is heard."""
    size = int(block_s * SAMPLE_RATE_HZ)
    return [(start_s + (first + size) / SAMPLE_RATE_HZ / speed,
             lambda first=first: sound.put(samples[first:first + size]))
            for first in range(0, len(samples), size)]


def tone(seconds, level=0.5):
    """A square wave: its mean level is `level` in every frame."""
    samples = np.full(int(round(seconds * SAMPLE_RATE_HZ)), level, np.float32)
    samples[1::2] *= -1
    return samples


def silence(seconds):
    return np.zeros(int(round(seconds * SAMPLE_RATE_HZ)), np.float32)
