"""Where sound comes from: a pipe, a TCP socket, a file, and a microphone that is made up."""
import os
import socket
import sys
import types

import numpy as np
import pytest

from tests.live.test_sinks import until
from utils.common.errors import UserError
from utils.live.places import is_loopback, listening_socket, parse_place
from utils.live.sound import PcmDecoder, SoundQueue
from utils.live.sources import (FileSource, MicrophoneSource, PipeSource, TcpSource,
                                print_devices)
from utils.media.audio import open_audio, write_wav


def taken(queue):
    """All that is in the queue, float32 [n]."""
    pieces = [np.zeros(0, np.float32)]
    while queue.head():
        pieces.append(queue.pop())
    return np.concatenate(pieces)


def decoder(rate_hz=16000, num_channels=1):
    return PcmDecoder(rate_hz, num_channels, "s16", 16000)


def test_a_pipe_to_its_end():
    read_end, write_end = os.pipe()
    queue = SoundQueue(16000)
    source = PipeSource(queue, decoder(), read_end)
    source.start()
    samples = np.arange(-3000, 3000, dtype="<i2")
    os.write(write_end, samples.tobytes())
    os.close(write_end)
    until(lambda: queue._is_ended)
    np.testing.assert_array_equal(taken(queue) * 32768, samples)
    assert queue.is_over
    source.close()
    os.close(read_end)


def test_a_pipe_that_says_nothing_holds_up_no_end():
    read_end, write_end = os.pipe()
    source = PipeSource(SoundQueue(16000), decoder(), read_end)
    source.start()
    source.close()
    assert not source._thread.is_alive()
    os.close(read_end)
    os.close(write_end)


def test_a_pipe_with_a_wav_in_it():
    read_end, write_end = os.pipe()
    queue = SoundQueue(16000)
    source = PipeSource(queue, decoder(), read_end)
    source.start()
    os.write(write_end, b"RIFF\0\0\0\0WAVEfmt ")
    until(lambda: queue._is_ended)
    with pytest.raises(UserError, match="raw PCM is expected"):
        queue.is_over
    source.close()
    os.close(read_end)
    os.close(write_end)


def test_44_khz_stereo_by_tcp_and_a_second_program():
    told, queue = [], SoundQueue(16000)
    source = TcpSource(queue, lambda: decoder(44100, 2), listening_socket("127.0.0.1", 0),
                       told.append)
    source.start()
    try:
        times_s = np.arange(44100) / 44100.0
        tone = np.round(8000 * np.sin(2 * np.pi * 440 * times_s))
        payload = np.stack([tone, tone], axis=1).astype("<i2").tobytes()
        with socket.create_connection(source.address) as speaker:
            speaker.sendall(payload[:1000])
            until(lambda: queue.head() is not None)
            with socket.create_connection(source.address) as second:
                second.settimeout(30)
                assert second.recv(1) == b""            # cut off
            assert "second program" in told[0]
            speaker.sendall(payload[1000:])
        until(lambda: queue._num_samples >= 16000)
        heard = taken(queue)
        assert len(heard) == 16000
        expected = 8000 / 32768.0 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000.0)
        np.testing.assert_allclose(heard[100:-100], expected[100:-100], atol=2e-3)
        with socket.create_connection(source.address) as third:     # the next may speak
            third.sendall(payload)
            until(lambda: queue.head() is not None)
    finally:
        source.close()
    assert not source._thread.is_alive()


def test_a_file(tmp_path):
    path = str(tmp_path / "a.wav")
    samples = np.random.RandomState(0).uniform(-0.5, 0.5, 30000).astype(np.float32)
    write_wav(path, samples)
    queue = SoundQueue(16000)
    source = FileSource(queue, open_audio(path), "ffmpeg")
    source.start()
    until(lambda: queue._is_ended)
    np.testing.assert_allclose(taken(queue), samples, atol=1 / 32768.0)
    source.close()


class MadeUpSoundDevice(types.ModuleType):
    """As much of sounddevice as is used."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rate_hz=48000.0):
        super(MadeUpSoundDevice, self).__init__("sounddevice")
        self.rate_hz, self.streams = rate_hz, []

    def query_devices(self, device=None, kind=None):
        if device not in (None, 2):
            raise ValueError("No input device matching %r" % device)
        usb = {"name": "USB mic", "max_input_channels": 2, "default_samplerate": self.rate_hz}
        speaker = {"name": "speaker", "max_input_channels": 0, "default_samplerate": 48000.0}
        return usb if kind else [speaker, speaker, usb]

    def InputStream(self, **options):
        stream = types.SimpleNamespace(start=lambda: None, close=lambda: None, options=options)
        self.streams.append(stream)
        return stream


def test_a_microphone(monkeypatch, capsys):
    module = MadeUpSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    queue = SoundQueue(16000)
    source = MicrophoneSource(queue, "2")
    source.start()
    options = module.streams[0].options
    assert (options["samplerate"], options["channels"], options["device"]) == (48000, 2, 2)
    for _ in range(100):
        options["callback"](np.full((480, 2), 0.25, np.float32), 480, None, None)
    source.close()
    heard = taken(queue)
    assert abs(len(heard) - 16000) < 20
    np.testing.assert_allclose(heard[100:], 0.25, atol=1e-3)
    print_devices()
    assert capsys.readouterr().out.split() == "2 USB mic (2 channels, 48000 Hz)".split()


def test_a_microphone_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSoundDevice())
    with pytest.raises(UserError, match="No input device matching 'x'.*--list_devices"):
        MicrophoneSource(SoundQueue(16000), "x").start()


@pytest.mark.parametrize("error", [ImportError, OSError("PortAudio library not found")])
def test_a_computer_without_portaudio(monkeypatch, error):
    class Finder(object):
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise error if isinstance(error, OSError) else error()
            return None
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder()] + sys.meta_path)
    with pytest.raises(UserError, match="pip install sounddevice.*libportaudio2.*--source stdin"):
        MicrophoneSource(SoundQueue(16000))


@pytest.mark.parametrize("text, place", [
    ("vmc", ("vmc", None, None)), ("VMC@studio", ("vmc", "studio", None)),
    ("vmc@:1", ("vmc", None, 1)), ("tcp@0.0.0.0:5005", ("tcp", "0.0.0.0", 5005)),
    ("tcp@[::1]:5", ("tcp", "::1", 5)), ("tcp@[::1]", ("tcp", "::1", None))])
def test_places(text, place):
    assert tuple(parse_place(text)) == place


@pytest.mark.parametrize("text", ["", "@a", "vmc@a:b", "vmc@a:99999", "vmc@a:1:2"])
def test_places_that_are_none(text):
    with pytest.raises(ValueError):
        parse_place(text)


def test_loopback():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.8.0.1", "::1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "192.168.1.2", "example.org", "::"]))
