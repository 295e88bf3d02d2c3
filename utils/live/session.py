"""A live session: the animator made ready, source and sinks opened, the loop, and their end."""
import collections
import os
import sys
import tempfile
import time

import numpy as np

from utils.animation.animator import SpeechAnimator
from utils.common.constants import PROFILE_REFERENCE, SAMPLE_RATE_HZ
from utils.common.errors import UserError, print_warning
from utils.common.files import make_folder
from utils.common.stop_signals import stop_signals
from utils.formats.exporters import write_face
from utils.live.live_face import LiveFace
from utils.live.live_link import LiveLinkSink
from utils.live.places import (LIVE_LINK, LOOPBACK, MICROPHONE, PAGE, ROKOKO, SINKS, SOURCES,
                               STDIN, TCP, VMC, WEB_SOCKET, is_loopback, listening_socket)
from utils.live.recording import RecordingSink, recording_format
from utils.live.rokoko import RokokoSink
from utils.live.sink_queue import SinkQueue
from utils.live.sound import CHUNK_S, Pcm, PcmDecoder, SoundQueue
from utils.live.sources import (FileSource, MicrophoneSource, NoSource, PipeSource, TcpSource,
                                sounddevice_module)
from utils.live.vmc import PERFECT_SYNC, VmcSink
from utils.live.web_socket import WebSocketServer
from utils.media.audio import open_audio

IDLE_AFTER_S = 1.0
MAX_WAIT_S = 0.1                        # a signal is seen within that
STATUS_S = 0.5
SILENT_S = 10.0                         # after that long a microphone may be the wrong one
# Frames between runs of the graph: the least of these that leave time for others.
EARLY_FRAMES, MAX_BUSY = (1, 2, 3, 5), 0.6
WARM_UP_S, REST_AT_S = 2.0, 1.2         # of silence

# rest: float32 [52], the face in silence. early_frames: None: whole runs. compute_s: of a run
# and its frames, on a computer that is free.
Ready = collections.namedtuple("Ready", "rest early_frames compute_s")


def make_ready(animator, rate_hz, clock=time.perf_counter):
    """The Ready of an animator: it is run on silence, so that the first word finds it warm."""
    block = np.zeros(int(rate_hz * CHUNK_S), np.float32)
    num_blocks = int(WARM_UP_S / CHUNK_S)
    for early_frames in EARLY_FRAMES + (None,):
        animator.start(rate_hz, early_frames)
        weights, times_s = [], []
        for _ in range(num_blocks):
            started_s = clock()
            weights.append(animator.feed(block))
            if len(weights[-1]):
                times_s.append(clock() - started_s)
        weights.append(animator.finish())
        # Not the median: what else runs at this moment shall not decide for an hour.
        compute_s = float(np.percentile(times_s, 20)) if times_s else 0.0
        if compute_s <= MAX_BUSY * (early_frames or np.inf) / animator.fps:
            break
    weights = np.concatenate(weights)
    rest = weights[min(int(REST_AT_S * animator.fps), len(weights) - 1)]
    return Ready(rest, early_frames, compute_s)


def budget(animator, ready, fps):
    """[(what, seconds)] whose sum is the time from sound to frame."""
    rows = list(animator.look_ahead_s(ready.early_frames))
    rows.append(("block of sound", CHUNK_S / 2))
    rows.append(("compute", ready.compute_s))
    if fps > animator.fps:
        rows.append(("frames between frames", 1.0 / animator.fps - 1.0 / fps))
    return [(what, seconds) for what, seconds in rows if seconds]


def budget_lines(rows):
    yield "from sound to frame:"
    for what, seconds in rows + [("all told", sum(seconds for _, seconds in rows))]:
        yield "  %-36s %4.0f ms" % (what, 1000 * seconds)


class LiveSession(object):
    """All that is open; made, run once, and closed.

    Args:
      source: a Place whose name is one of SOURCES, or None with audio_path.
      sinks: Places whose names are keys of SINKS.
      recordings: paths.
      fps: 30 or 60. subject: the name under which tools list the face.
      pcm: the Pcm of stdin, tcp and websocket.
      device: of the microphone. vmc_shapes: see VmcSink. allowed_origins: see WebSocketServer.
      The others: of SpeechAnimator. status: where the figures go.
    Raises UserError for anything that cannot be opened, before the model is loaded where that can
    be known.
    """

    def __init__(self, checkpoint_path, acoustic_graph_path, source, sinks, recordings=(),
                 audio_path=None, fps=30, subject="voca", pcm=Pcm(SAMPLE_RATE_HZ, 1, "s16"),
                 device=None, vmc_shapes=PERFECT_SYNC, allowed_origins=(), eye_motion_seed=None,
                 force=False, style=None, tta_copies=1, status=sys.stderr, warn=print_warning):
        self._fps, self._subject, self._pcm, self._device = fps, subject, pcm, device
        self._status, self._warn = status, warn
        self._listener, self._servers = None, collections.OrderedDict()
        self._queues, self._source = [], None
        self.face, self.recorded = None, []
        try:
            audio = None if audio_path is None else open_audio(audio_path, warn)
            self._listen(source, sinks, allowed_origins)
            animator = SpeechAnimator(checkpoint_path, acoustic_graph_path, force, style=style,
                                      tta_copies=tta_copies)
            if fps % animator.fps:
                raise UserError("the network gives %d frames a second, of which %d are no multiple"
                                % (animator.fps, fps))
            self._open(animator, source, audio, sinks, recordings, vmc_shapes, eye_motion_seed)
        except BaseException:
            self.close()
            raise

    def _listen(self, source, sinks, allowed_origins):
        """What can fail before the model is loaded: ports, and the microphone's package."""
        if source is not None and source.name == MICROPHONE:
            sounddevice_module()
        if source is not None and source.name == TCP:
            host = source.host or LOOPBACK
            self._listener = listening_socket(
                host, SOURCES[TCP] if source.port is None else source.port)
            self._warn_of_open_door(host)
        places = [place for place in sinks if place.name == WEB_SOCKET]
        if source is not None and source.name == WEB_SOCKET:
            places.append(source)                   # one server does both
        if places:
            hosts = {place.host for place in places if place.host}
            ports = {place.port for place in places if place.port is not None}
            if len(hosts) > 1 or len(ports) > 1:
                raise UserError("one WebSocket gives frames and takes sound: name one address")
            self._serve(WEB_SOCKET, hosts.pop() if hosts else None,
                        ports.pop() if ports else None, allowed_origins)
        for place in [place for place in sinks if place.name == PAGE]:
            from utils.pages.viewer_page import live_page       # scipy comes with it: 0.5 s
            if PAGE in self._servers:
                raise UserError("one page is enough: any number of browsers can open it")
            self._serve(PAGE, place.host, place.port, allowed_origins, live_page(self._subject))

    def _serve(self, name, host, port, allowed_origins, page=None):
        host = host or LOOPBACK
        self._servers[name] = WebSocketServer(
            self._subject, host, SINKS[name] if port is None else port, allowed_origins,
            self._warn, page)
        self._warn_of_open_door(host)

    def _warn_of_open_door(self, host):
        if not is_loopback(host):
            self._warn("%s is open to the network: whoever reaches it can watch and speak" % host)

    def _open(self, animator, source, audio, sinks, recordings, vmc_shapes, eye_motion_seed):
        rate_hz = SAMPLE_RATE_HZ
        if animator.profile == PROFILE_REFERENCE:   # it resamples in its own way
            rate_hz = audio.sample_rate_hz if audio else self._pcm.rate_hz
        self.sound = SoundQueue(rate_hz)
        ready = make_ready(animator, rate_hz)
        self.budget = budget(animator, ready, self._fps)
        between_s = (self._fps // animator.fps - 1) / float(self._fps)
        look_ahead_s = sum(seconds for _, seconds in self.budget) - between_s
        self.face = LiveFace(
            animator, self.sound, self._send, ready.rest, look_ahead_s, ready.early_frames,
            self._fps, eye_motion_seed, None if audio else IDLE_AFTER_S)
        names = list(animator.channels)
        for path in recordings:
            _check_recording(path, ready.rest, names, self._fps)
            self._add(RecordingSink(names, self._fps, path, recording_format(path)))
        for place in sinks:
            host = place.host or LOOPBACK
            port = SINKS[place.name] if place.port is None else place.port
            if place.name == LIVE_LINK:
                self._add(LiveLinkSink(names, self._fps, self._subject, host, port))
            elif place.name == VMC:
                self._add(VmcSink(names, host, port, vmc_shapes))
            elif place.name == ROKOKO:
                self._add(RokokoSink(names, self._fps, self._subject, host, port))

        def make_decoder(rate=None, channels=None, sample_format=None):
            return PcmDecoder(rate or self._pcm.rate_hz, channels or self._pcm.num_channels,
                              sample_format or self._pcm.sample_format, rate_hz, self._warn)

        for name, server in self._servers.items():
            takes_sound = source is not None and source.name == name
            server.open(names, self._fps, self.face.latency_s, self.sound,
                        make_decoder if takes_sound else None)
            self._add(server)
        if audio is not None:
            as_it_is = animator.profile == PROFILE_REFERENCE
            self._source = FileSource(self.sound, audio, "none" if as_it_is else "ffmpeg")
        elif source.name == MICROPHONE:
            self._source = MicrophoneSource(self.sound, self._device, self._warn)
        elif source.name == STDIN:
            self._source = PipeSource(self.sound, make_decoder())
        elif source.name == TCP:
            self._source = TcpSource(self.sound, make_decoder, self._listener, self._warn)
        else:
            self._source = NoSource(self.sound)

    def _add(self, sink):
        self._queues.append(SinkQueue(sink, warn=self._warn))

    def _send(self, frame):
        for queue in self._queues:
            if not frame.is_late or queue.sink.keeps_all:
                queue.put(frame)

    @property
    def addresses(self):
        """{TCP, WEB_SOCKET or PAGE: (host, port)} of what listens here."""
        listening = {}
        if self._listener is not None:
            listening[TCP] = self._listener.getsockname()[:2]
        for name, server in self._servers.items():
            listening[name] = server.address[:2]
        return listening

    def lines(self):
        """What a user wants to know at the start."""
        for line in budget_lines(self.budget):
            yield line
        for name, (host, port) in self.addresses.items():
            if name == TCP:
                yield "sound is taken at %s:%d" % (host, port)
        for queue in self._queues:
            yield queue.sink.name
        yield "Ctrl-C ends it"

    def run(self, clock=time.monotonic):
        """Until the source ends, or Ctrl-C or SIGTERM comes."""
        self._source.start()
        status = _Status(self._status, self.face, self._queues)
        num_resets, is_told = 0, False
        with stop_signals() as stopped:
            while not stopped:
                wake_s = self.face.step(clock())
                if wake_s is None:
                    break
                if self.face.num_resets > num_resets:
                    num_resets = self.face.num_resets
                    for queue in self._queues:
                        queue.reset()
                if not is_told and not self.face.has_heard and self.face.num_taken_s > SILENT_S:
                    is_told = True
                    self._warn("nothing but silence for %d s; is the microphone on, and the right "
                               "one? --list_devices shows them" % SILENT_S)
                status.show(clock())
                self.sound.wait(min(wake_s - clock(), MAX_WAIT_S))
        status.end()

    def close(self):
        """Close all, whatever fails; raises the first failure."""
        failure = None
        closing = ([self._source] if self._source else []) + self._queues
        if self._listener is not None:
            closing.append(self._listener)
        sinks = [queue.sink for queue in self._queues]
        closing += [server for server in self._servers.values() if server not in sinks]
        for part in closing:
            try:
                part.close()
            except UserError as error:
                failure = failure or error
        self.recorded += ["wrote %s: %d frames" % (queue.sink.path, queue.sink.num_frames)
                          for queue in self._queues if getattr(queue.sink, "num_frames", 0)]
        self._queues, self._source = [], None
        if failure:
            raise failure


class _Status(object):
    """The figures on screen: one line that is rewritten; where there is no screen, the last."""

    def __init__(self, stream, face, queues):
        self._stream, self._face, self._queues = stream, face, queues
        self._is_terminal = stream.isatty()
        self._next_s = 0.0
        self._width = 0

    def show(self, now_s):
        if self._is_terminal and now_s >= self._next_s:
            self._next_s = now_s + STATUS_S
            text = self._text()
            self._stream.write("\r" + text.ljust(self._width))
            self._stream.flush()
            self._width = len(text)

    def end(self):
        if self._is_terminal:
            self._stream.write("\r" + " " * self._width + "\r")
        self._stream.write(self._text() + "\n")
        self._stream.flush()

    def _text(self):
        face = self._face
        parts = ["%d frames" % face.num_sent]
        if face.latencies_s:
            parts.append("latency p50 %.0f ms, p95 %.0f ms" % tuple(
                1000 * np.percentile(face.latencies_s, (50, 95))))
        parts.append("%d too late" % face.num_late)
        if face.num_gaps:
            parts.append("%d gaps in the sound" % face.num_gaps)
        for queue in self._queues:
            num_dropped = queue.num_dropped + getattr(queue.sink, "num_dropped", 0)
            if num_dropped or queue.num_failed:
                parts.append("%s: %d dropped, %d failed" % (
                    queue.sink.name.split(" to ")[0].split(" at ")[0], num_dropped,
                    queue.num_failed))
        return ", ".join(parts)


def run_live(*args, **options):
    """A LiveSession from beginning to end, with what a user wants to see; its arguments."""
    session = LiveSession(*args, **options)
    try:
        for line in session.lines():
            print(line)
        sys.stdout.flush()
        session.run()
    finally:
        session.close()
    for line in session.recorded:
        print(line)


def _check_recording(path, rest, names, fps):
    """An hour is not to be lost for a folder that cannot be written or a rate the format lacks."""
    folder = os.path.dirname(os.path.abspath(path))
    make_folder(folder)
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        raise UserError("cannot write %s; choose another place" % path)
    with tempfile.TemporaryDirectory() as trial:
        write_face(os.path.join(trial, os.path.basename(path)), recording_format(path),
                   np.repeat(rest[np.newaxis], 2, axis=0), names, fps)
