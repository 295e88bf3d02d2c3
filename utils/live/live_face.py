"""The face while it is spoken: which frame is due when, from sound that comes when it likes.

Two clocks meet here: the sound's, which counts samples, and that of the frames, 30 or 60 a
second. Sound is taken at the pace at which it is heard, however early it came. A frame is sent
`latency_s` after its sound was heard, the same for every frame, so that none jumps.

- Where sound does not come in time, the face waits for GAP_S; then silence is heard.
- After idle_after_s of silence the network rests: the face closes its mouth, and blinks.
- A face that cannot keep up leaves out frames, and in the end sound. Never their order changes.

Nothing here waits or reads a clock: step(now_s) does what is due. So tests need no time.
"""
import collections

import numpy as np

from utils.animation.eye_motion import EyeMotion
from utils.common.constants import PROFILE_REFERENCE
from utils.live.sound import CHUNK_S
from utils.media.audio import is_silent

GAP_S = 0.15                # sound may be so much late before silence is heard in its place
PREROLL_S = 0.3             # of the silence before it, that a new stream begins with
MAX_FRAME_LATE_S = 0.2      # a frame later than that is left out where the next is due, too
MAX_SOUND_LATE_S = 3.0      # sound that waits longer than that is left out
FIRST_SOUND_S = 0.5         # a face that waits longer for its first sound begins to blink
TOWARDS_REST = 0.3          # of the way, in each idle frame
MIN_WAIT_S = 1e-3
# Sound that comes in real time, but always early since it stalled once, is delayed needlessly; what
# is always late makes late frames. Early by the same in both halves of a window is real time. Single
# late blocks are let be: a late frame harms a face less than latency for ever. A program that is
# ahead from the start is let be, too: beyond what stalls cost, only a sound card's clock is followed.
WINDOW_S, STEADY_S, LATEST_PERCENT, MAX_CLOCK_ERROR = 5.0, 0.05, 10, 5e-4

# number: of the frame, from 0, at the rate of the frames; those left out are counted. time_s: when
# its sound was heard, in seconds from frame 0. weights: float32 [52] in 0..1. is_late: it was left
# out; only a recording wants it. is_idle: it belongs to no sound.
Frame = collections.namedtuple("Frame", "number time_s weights is_late is_idle")
_Due = collections.namedtuple("_Due", "number due_s weights is_idle")


class LiveFace(object):
    """From a SoundQueue to frames.

        face = LiveFace(animator, sound, send)
        while True:
            wake_s = face.step(clock())
            if wake_s is None:
                break                           # the source has ended
            sound.wait(wake_s - clock())

    Args:
      animator: a SpeechAnimator without eye motion of its own.
      sound: a SoundQueue at the rate that the animator takes.
      send: called with each Frame, in order.
      rest: the face in silence, float32 [52].
      look_ahead_s: how long after its sound the animator gives a frame, at worst.
      early_frames: see SpeechAnimator.start.
      fps: of the frames: a multiple of the animator's.
      eye_motion_seed: None adds no blinks.
      idle_after_s: None never rests, and waits for late sound: a file's frames are run_voca.py's.
    """

    def __init__(self, animator, sound, send, rest, look_ahead_s, early_frames=1, fps=30,
                 eye_motion_seed=None, idle_after_s=1.0):
        self._animator, self._sound, self._send = animator, sound, send
        self._rest, self._early_frames = rest, early_frames
        self._period_s = 1.0 / animator.fps
        self._per_frame = int(round(fps / float(animator.fps)))     # frames out for one in
        self._idle_after_s = idle_after_s
        self.channels, self.fps = animator.channels, fps
        self.latency_s = look_ahead_s + (self._per_frame - 1) / float(fps)
        self._look_ahead_s = look_ahead_s
        self._eye_motion = (
            None if eye_motion_seed is None or animator.profile == PROFILE_REFERENCE
            else EyeMotion(animator.channels, animator.fps, eye_motion_seed))

        self.num_sent, self.num_late, self.num_gaps, self.num_resets = 0, 0, 0, 0
        self.lost_s = 0.0                       # of sound left out
        self.has_heard = False                  # anything but silence
        self.latencies_s = collections.deque(maxlen=10 * fps)   # of the last frames with sound

        # The sound: when its sample 0 was heard, and how many were taken. None: none comes.
        self._sound_start_s, self._num_taken = None, 0
        self._num_silent, self._in_gap = 0, False
        self._early_s, self._window_start_s = ([], []), 0.0     # of the chunks, in each half
        self._stalled_s = 0.0                   # by how much stalls moved the sound's clock
        # The network's stream: the sample it began at; frames it gave. None: it rests.
        self._stream_start, self._num_given = None, 0
        self._preroll, self._waiting = collections.deque(), []
        # The frames.
        self._begun_s, self._anchor_s = None, None
        self._last_number, self._last_due_s = -1, None          # at the animator's rate
        self._last_weights, self._last_shown = rest, None       # without and with blinks
        self._due = collections.deque()
        self._last_sent = -1                                    # at the rate of the frames

    def step(self, now_s):
        """Take the sound and send the frames that are due at now_s.

        Returns when to be called next, in seconds; None when all is over.
        Raises the source's error.
        """
        if self._begun_s is None:
            self._begun_s = now_s
        if self._sound.take_reset():
            self._reset(now_s)
        self._leave_out_sound(now_s)
        self._take_sound(now_s)
        is_over = self._sound.is_over
        if is_over:
            self._end_of_sound()
        elif self._idle_after_s is not None:
            self._fill_gap(now_s)
        self._feed()
        if not is_over:
            self._idle(now_s)
        self._send_due(now_s)
        if is_over:
            return self._due[0].due_s if self._due else None
        return self._next_step_s(now_s)

    # ---- sound

    def _take_sound(self, now_s):
        rate_hz = float(self._sound.rate_hz)
        while True:
            head = self._sound.head()
            if head is None:
                return
            num_samples, arrived_s = head
            end_s = (self._num_taken + num_samples) / rate_hz
            if self._sound_start_s is None:
                self._begin_sound(arrived_s - end_s)
            if self._sound_start_s + end_s > now_s + 1e-6:
                return
            if self._idle_after_s is not None:
                self._follow_the_source(self._sound_start_s + end_s - arrived_s, now_s)
            self._in_gap = False
            self._take(self._sound.pop())

    @property
    def num_taken_s(self):
        """Of sound that comes now, without a gap: how many seconds were heard."""
        return self._num_taken / float(self._sound.rate_hz)

    def _begin_sound(self, start_s):
        self._sound_start_s, self._num_silent = start_s, 0
        self._early_s, self._window_start_s, self._stalled_s = ([], []), start_s, 0.0
        self._preroll.clear()
        self._begin_stream()

    def _follow_the_source(self, early_s, now_s):
        """Take the sound sooner or later, where all of a window came in real time."""
        since_s = now_s - self._window_start_s
        self._early_s[0 if since_s < WINDOW_S / 2 else 1].append(early_s)
        if since_s < WINDOW_S:
            return
        if all(self._early_s):
            first_s, second_s = (np.percentile(half, LATEST_PERCENT) for half in self._early_s)
            if abs(first_s - second_s) < STEADY_S:
                sooner_s = min(first_s, second_s, self._stalled_s + MAX_CLOCK_ERROR * WINDOW_S)
                self._sound_start_s -= sooner_s
                self._stalled_s = max(self._stalled_s - sooner_s, 0.0)
        self._early_s, self._window_start_s = ([], []), now_s

    def _take(self, chunk):
        """The next samples that are heard."""
        self._num_taken += len(chunk)
        silent = is_silent(chunk)
        self.has_heard = self.has_heard or not silent
        self._num_silent = self._num_silent + len(chunk) if silent else 0
        if self._stream_start is not None:
            self._waiting.append(chunk)
            if (self._idle_after_s is not None
                    and self._num_silent >= self._idle_after_s * self._sound.rate_hz):
                self._end_stream()
            return
        self._preroll.append(chunk)
        if silent:
            while sum(map(len, self._preroll)) > PREROLL_S * self._sound.rate_hz:
                self._preroll.popleft()
        else:
            self._begin_stream()

    def _fill_gap(self, now_s):
        """Silence for sound that does not come; in the end there is none that is waited for."""
        if self._sound_start_s is None or self._sound.head() is not None:
            return
        rate_hz = self._sound.rate_hz
        chunk = np.zeros(int(round(CHUNK_S * rate_hz)), np.float32)
        if not self._in_gap:
            if self._sound_start_s + self._num_taken / float(rate_hz) + GAP_S >= now_s:
                return
            self._in_gap = True
            self.num_gaps += 1
        while self._sound_start_s + (self._num_taken + len(chunk)) / float(rate_hz) <= now_s:
            self._take(chunk)
            self._stalled_s += CHUNK_S
            if self._stream_start is None:
                self._sound_start_s, self._num_taken = None, 0
                return

    def _leave_out_sound(self, now_s):
        """Sound that has waited too long, since the network is too slow for it."""
        if self._sound_start_s is None:
            return
        rate_hz = float(self._sound.rate_hz)
        if self._sound_start_s + self._num_taken / rate_hz > now_s - MAX_SOUND_LATE_S:
            return
        num_left_out = 0
        while (self._sound.head() is not None
               and self._sound_start_s + (self._num_taken + num_left_out) / rate_hz < now_s):
            num_left_out += len(self._sound.pop())
        if num_left_out:
            self._num_taken += num_left_out
            self.lost_s += num_left_out / rate_hz
            self.num_late += int(round(num_left_out / rate_hz * self.fps))
            self._waiting = []
            self._preroll.clear()
            self._begin_stream()                # a seam in the sound: the network begins anew

    def _end_of_sound(self):
        if self._stream_start is not None:
            self._end_stream()

    # ---- the network

    def _begin_stream(self):
        num_before = sum(map(len, self._preroll))
        self._stream_start, self._num_given = self._num_taken - num_before, 0
        self._waiting = list(self._preroll)
        self._preroll.clear()
        self._animator.start(self._sound.rate_hz, self._early_frames)

    def _feed(self):
        if self._waiting:
            waiting, self._waiting = np.concatenate(self._waiting), []
            self._add_frames(self._animator.feed(waiting))

    def _end_stream(self):
        self._feed()
        self._add_frames(self._animator.finish())
        self._stream_start = None

    def _stream_due_s(self, frame):
        """When a frame of the stream is due, the first of those that it makes."""
        return (self._sound_start_s + self._stream_start / float(self._sound.rate_hz)
                + frame * self._period_s + self._look_ahead_s)

    def _add_frames(self, weights):
        for row in weights:
            due_s = self._stream_due_s(self._num_given)
            if self._num_given == 0 and self._anchor_s is not None:
                place = int(round((due_s - self._anchor_s) / self._period_s))
                self._last_number = max(place - 1, self._last_number)
            self._num_given += 1
            self._add_frame(row, due_s, False)

    # ---- frames

    def _idle(self, now_s):
        """Frames of a face at rest, where no stream gives the next one."""
        if self._last_due_s is None:
            if self._stream_start is not None or now_s - self._begun_s < FIRST_SOUND_S:
                return
            self._last_due_s = now_s - self._period_s
        while self._last_due_s + self._period_s <= now_s:
            next_s = self._last_due_s + self._period_s
            if (self._stream_start is not None
                    and next_s > self._stream_due_s(self._num_given) - self._period_s / 2):
                return
            if next_s < now_s - MAX_FRAME_LATE_S:           # it slept: no old frames now
                num_skipped = int((now_s - next_s) / self._period_s)
                self._last_number += num_skipped
                next_s += num_skipped * self._period_s
            self._add_frame(self._last_weights + TOWARDS_REST * (self._rest - self._last_weights),
                            next_s, True)

    def _add_frame(self, weights, due_s, is_idle):
        """The next frame at the animator's rate; those between are on the line to it."""
        self._last_weights, self._last_due_s = weights, due_s
        if self._anchor_s is None:
            self._anchor_s = due_s
        self._last_number += 1
        shown = (weights if self._eye_motion is None
                 else self._eye_motion.feed(weights[np.newaxis])[0])
        before, self._last_shown = self._last_shown, shown
        for part in range(1 if before is not None else self._per_frame, self._per_frame + 1):
            share = np.float32(part / float(self._per_frame))
            self._due.append(_Due(
                (self._last_number - 1) * self._per_frame + part,
                due_s + (part - 1) / float(self.fps),
                shown if share == 1 else before * (1 - share) + shown * share, is_idle))

    def _send_due(self, now_s):
        while self._due and self._due[0].due_s <= now_s:
            frame = self._due.popleft()
            is_late = (now_s - frame.due_s > MAX_FRAME_LATE_S and bool(self._due)
                       and self._due[0].due_s <= now_s)
            time_s = frame.due_s - self._anchor_s - (self._per_frame - 1) / float(self.fps)
            if is_late:
                self.num_late += 1
            else:
                self.num_sent += 1
                if not frame.is_idle:
                    self.latencies_s.append(now_s - frame.due_s + self.latency_s)
            self._last_sent = frame.number
            self._send(Frame(frame.number, time_s, frame.weights, is_late, frame.is_idle))

    def _reset(self, now_s):
        """Forget what was heard: the face rests in the next frame."""
        self.num_resets += 1
        self._sound_start_s, self._num_taken = None, 0
        self._stream_start, self._waiting = None, []
        self._preroll.clear()
        self._due.clear()
        if self._anchor_s is not None:
            self._last_number = -(-self._last_sent // self._per_frame)
            self._last_shown = None
            self._add_frame(self._rest, now_s, True)

    def _next_step_s(self, now_s):
        """When a frame is due, a chunk of sound has been heard, or a gap begins."""
        wake_s = np.inf
        if self._sound_start_s is not None:
            head = self._sound.head()
            heard_s = self._num_taken / float(self._sound.rate_hz) + self._sound_start_s
            if head is not None:
                wake_s = heard_s + head[0] / float(self._sound.rate_hz)
            elif self._idle_after_s is not None:
                wake_s = heard_s + (CHUNK_S if self._in_gap else GAP_S + MIN_WAIT_S)
        if self._due:
            wake_s = min(wake_s, self._due[0].due_s)
        elif self._last_due_s is None:
            wake_s = min(wake_s, self._begun_s + FIRST_SOUND_S)
        elif self._stream_start is None:
            wake_s = min(wake_s, self._last_due_s + self._period_s)
        return max(wake_s, now_s + MIN_WAIT_S)
