"""Where live sound comes from. Each source puts it into a SoundQueue from a thread of its own.

A source has start() and close(); close() ends its thread. is_file: the sound is there beforehand,
so that its frames are those of run_voca.py.
"""
import contextlib
import os
import select
import sys
import threading

from utils.common.errors import UserError, print_warning
from utils.live.sound import Resampler

BLOCK_BYTES = 1 << 16
FILE_BLOCK_S = 1.0
LOOK_UP_S = 0.2                 # how often a thread that reads looks whether it shall end
JOIN_S = 3.0
CAN_SELECT_PIPES = os.name != "nt"

NO_SOUNDDEVICE = ("the microphone needs the package sounddevice (pip install sounddevice)%s. Or "
                  "pipe the sound in: arecord -f S16_LE -r 16000 | python run_live.py "
                  "--source stdin")
NO_PORTAUDIO = " and the system's PortAudio (Debian, Ubuntu: apt install libportaudio2)"


class _ThreadedSource(object):
    """Runs _read() in a thread and ends the queue with it."""

    is_file = False

    def __init__(self, sound):
        self._sound = sound
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self._thread.daemon = True              # a read that cannot be broken off holds up no exit

    def start(self):
        self._thread.start()

    def close(self):
        self._is_closing.set()
        self._sound.close()
        if self._thread.is_alive():
            self._thread.join(JOIN_S if CAN_SELECT_PIPES else LOOK_UP_S)

    def _run(self):
        error = None
        try:
            self._read()
        except UserError as caught:
            error = caught
        except OSError as caught:
            error = UserError("the sound broke off: %s" % (caught.strerror or caught))
        self._sound.end(error)


class FileSource(_ThreadedSource):
    """Any file with sound in it; audio: what open_audio gave."""

    is_file = True

    def __init__(self, sound, audio, resampler):
        super(FileSource, self).__init__(sound)
        self._audio, self._resampler = audio, resampler

    def _read(self):
        with contextlib.closing(self._audio.blocks(FILE_BLOCK_S, self._resampler)) as blocks:
            for block in blocks:
                if not self._sound.put(block):
                    return


class PipeSource(_ThreadedSource):
    """Raw PCM from a file descriptor, stdin by default."""

    def __init__(self, sound, decoder, descriptor=None):
        super(PipeSource, self).__init__(sound)
        self._decoder = decoder
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor

    def _read(self):
        while not self._is_closing.is_set():
            if CAN_SELECT_PIPES and not select.select([self._descriptor], [], [], LOOK_UP_S)[0]:
                continue
            payload = os.read(self._descriptor, BLOCK_BYTES)
            if not payload:
                self._sound.put(self._decoder.finish())
                return
            if not self._sound.put(self._decoder.feed(payload)):
                return


class TcpSource(_ThreadedSource):
    """Raw PCM from one program at a time that connects to `listener`.

    make_decoder: a new PcmDecoder, for each that comes. When it goes, the next may come.
    """

    def __init__(self, sound, make_decoder, listener, warn=print_warning):
        super(TcpSource, self).__init__(sound)
        self._make_decoder, self._listener, self._warn = make_decoder, listener, warn
        self.address = listener.getsockname()

    def _read(self):
        client, decoder = None, None
        with contextlib.closing(self._listener):
            try:
                while not self._is_closing.is_set():
                    sockets = [self._listener] + ([client] if client else [])
                    readable = select.select(sockets, [], [], LOOK_UP_S)[0]
                    if self._listener in readable:
                        newcomer, _ = self._listener.accept()
                        if client:
                            self._warn("a second program connected while one speaks; it is refused")
                            newcomer.close()
                        else:
                            client, decoder = newcomer, self._make_decoder()
                    elif client and not self._take(client, decoder):
                        client.close()
                        client = None
            finally:
                if client:
                    client.close()

    def _take(self, client, decoder):
        """Whether the client goes on."""
        try:
            payload = client.recv(BLOCK_BYTES)
            self._sound.put(decoder.feed(payload) if payload else decoder.finish())
        except (UserError, ConnectionError) as error:
            self._warn("the program that speaks is cut off: %s" % error)
            return False
        return bool(payload)


class NoSource(object):
    """Sound that others put into the queue, as clients of the WebSocket."""

    is_file = False

    def __init__(self, sound):
        self._sound = sound

    def start(self):
        pass

    def close(self):
        self._sound.close()


class MicrophoneSource(object):
    """The microphone; device: a name, part of one, or a number, None is the system's choice."""

    is_file = False

    def __init__(self, sound, device=None, warn=print_warning):
        self._sound, self._warn = sound, warn
        self._device = int(device) if device is not None and device.isdigit() else device
        self._sounddevice = sounddevice_module()
        self._stream = None

    def start(self):
        try:
            info = self._sounddevice.query_devices(self._device, "input")
            rate_hz = int(round(info["default_samplerate"]))
            num_channels = min(int(info["max_input_channels"]), 2)
            self._resampler = Resampler(rate_hz, self._sound.rate_hz)
            self._stream = self._sounddevice.InputStream(
                samplerate=rate_hz, channels=num_channels, dtype="float32", device=self._device,
                blocksize=rate_hz // 100, latency="low", callback=self._take)
            self._stream.start()
        except (self._sounddevice.PortAudioError, ValueError) as error:
            raise UserError("the microphone cannot be opened (%s); --list_devices shows what there "
                            "is, --device chooses" % error)

    def _take(self, samples, num_frames, times, status):
        """PortAudio's thread calls this with samples float32 [n, channels]."""
        self._sound.put(self._resampler.feed(samples.mean(axis=1)), is_held_up=False)

    def close(self):
        self._sound.close()
        if self._stream is not None:
            self._stream.close()


def sounddevice_module():
    """The module sounddevice; UserError that says what to install."""
    try:
        import sounddevice
    except ImportError:
        raise UserError(NO_SOUNDDEVICE % NO_PORTAUDIO)
    except OSError:                             # it is there, PortAudio is not
        raise UserError(NO_SOUNDDEVICE % NO_PORTAUDIO)
    return sounddevice


def print_devices():
    """The microphones that there are, with their numbers."""
    sounddevice = sounddevice_module()
    for number, device in enumerate(sounddevice.query_devices()):
        if device["max_input_channels"]:
            print("%3d  %s (%d channels, %.0f Hz)" % (
                number, device["name"], device["max_input_channels"],
                device["default_samplerate"]))
