"""Sinks in threads, the recording, and the WebSocket with real clients on real sockets."""
import json
import socket
import threading
import time

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.formats.npz import read_npz
from utils.live.live_face import Frame
from utils.live.places import listening_socket
from utils.live.recording import RecordingSink, recording_format
from utils.live.sink_queue import SinkQueue
from utils.live.sound import PcmDecoder, SoundQueue

NAMES = list(MODEL_CHANNELS)
PATIENCE_S = 30


def a_frame(number, level=0.5, is_late=False):
    return Frame(number, number / 30.0, np.full(52, level, np.float32), is_late, False)


def until(condition):
    """Wait for something that happens in another thread."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.005)


class ListSink(object):
    name, keeps_all = "a list", False

    def __init__(self):
        self.frames, self.num_resets, self.is_closed = [], 0, False
        self.may_go = threading.Event()
        self.may_go.set()

    def send(self, frame):
        self.may_go.wait(PATIENCE_S)
        self.frames.append(frame)

    def reset(self):
        self.num_resets += 1

    def close(self):
        self.is_closed = True
        self.may_go.set()


def test_a_sink_that_stalls_holds_up_no_other():
    stalled, free = ListSink(), ListSink()
    stalled.may_go.clear()
    queues = [SinkQueue(stalled, capacity=4), SinkQueue(free, capacity=100)]
    for number in range(50):
        for queue in queues:
            queue.put(number)
    until(lambda: len(free.frames) == 50)
    assert len(stalled.frames) == 0 and queues[0].num_dropped in (45, 46)
    stalled.may_go.set()
    for queue in queues:
        queue.close()
    # The newest are kept, in order.
    assert stalled.frames[-4:] == [46, 47, 48, 49]
    assert stalled.frames == sorted(stalled.frames) and free.frames == list(range(50))
    assert stalled.is_closed and queues[1].num_dropped == 0


def test_a_reset_forgets_what_waits():
    sink = ListSink()
    sink.may_go.clear()
    queue = SinkQueue(sink, capacity=10)
    queue.put(0)
    until(lambda: not queue._frames)
    for number in range(1, 5):
        queue.put(number)
    queue.reset()
    queue.put(9)
    sink.may_go.set()
    queue.close()
    assert sink.frames == [0, 9] and sink.num_resets == 1


def test_a_sink_that_fails_is_told_once():
    told, sink = [], ListSink()

    def fail(frame):
        raise OSError(101, "Network is unreachable")

    sink.send = fail
    queue = SinkQueue(sink, warn=told.append)
    for number in range(5):
        queue.put(number)
    queue.close()
    assert queue.num_failed == 5 and len(told) == 1 and "Network is unreachable" in told[0]


def test_a_recording_keeps_every_frame(tmp_path):
    path = str(tmp_path / "take.npz")
    sink = RecordingSink(NAMES, 30, path, recording_format(path))
    queue = SinkQueue(sink, capacity=1)
    for number in [3, 4, 5, 8, 9]:                  # sound was left out
        queue.put(a_frame(number, number / 10.0, is_late=number == 4))
    queue.close()
    weights, names, fps = read_npz(path)
    assert (fps, len(weights), sink.num_frames) == (30, 7, 7)
    np.testing.assert_allclose(weights[:, 0], [0.3, 0.4, 0.5, 0.5, 0.5, 0.8, 0.9], atol=1e-6)


def test_a_recording_without_a_frame(tmp_path):
    RecordingSink(NAMES, 30, str(tmp_path / "a.npz"), "npz").close()
    assert not list(tmp_path.iterdir())


def test_names_of_recordings():
    assert recording_format("x/blendshapes.json") == "json"
    assert recording_format("my.glb") == "glb"
    with pytest.raises(ValueError, match="which format"):
        recording_format("take.json")


# ---- the WebSocket

@pytest.fixture
def served():
    """A function that opens a server; all of them are closed."""
    pytest.importorskip("websockets.sync.client")
    from utils.live.web_socket import WebSocketServer
    servers = []

    def serve(takes_sound=False, **options):
        options.setdefault("warn", lambda text: None)
        server = WebSocketServer("me", "127.0.0.1", 0, **options)
        servers.append(server)
        server.sound = SoundQueue(16000)
        make = (lambda rate=None, channels=None, form=None: PcmDecoder(
            rate or 16000, channels or 1, form or "s16", 16000)) if takes_sound else None
        server.open(NAMES, 30, 0.47, server.sound, make)
        return server

    yield serve
    for server in servers:
        server.close()
    until(lambda: not [thread for thread in threading.enumerate() if "a client" in thread.name])


def connect(server, **options):
    import websockets.sync.client
    return websockets.sync.client.connect("ws://127.0.0.1:%d" % server.address[1],
                                          open_timeout=PATIENCE_S, close_timeout=1, **options)


def received(client):
    return json.loads(client.recv(PATIENCE_S))


def test_frames_reach_every_client(served):
    server = served()
    with connect(server) as one, connect(server) as two:
        for client in (one, two):
            start = received(client)
            assert (start["type"], start["version"], start["fps"]) == ("start", 1, 30)
            assert start["names"] == NAMES and start["latency_s"] == 0.47
            assert start["subject"] == "me"
        until(lambda: server.num_clients == 2)
        server.send(a_frame(7, 0.25))
        server.reset()
        server.send(a_frame(8, 0.0))
        for client in (one, two):
            messages = [received(client)]
            while messages[-1].get("frame") != 8:
                messages.append(received(client))
            kinds = [message["type"] for message in messages]
            assert kinds in (["frame", "reset", "frame"], ["reset", "frame"])
            assert messages[-1]["time_s"] == pytest.approx(8 / 30.0, abs=1e-4)
            assert messages[-1]["weights"] == [0.0] * 52
        server.close()
        assert received(one)["type"] == "end"


def test_a_reset_from_a_client(served):
    server = served()
    server.sound.put(np.zeros(100, np.float32))
    with connect(server) as client:
        client.send('{"type": "reset"}')
        until(server.sound.take_reset)
        assert server.sound.head() is None


def test_sound_from_a_client(served):
    server = served(takes_sound=True)
    samples = np.arange(-800, 800, dtype="<i2")
    with connect(server) as client:
        client.send(samples.tobytes())
        until(lambda: server.sound.head() is not None)
        np.testing.assert_array_equal(server.sound.pop() * 32768, samples[:128])
        # Another rate, as a text-to-speech engine has.
        client.send('{"type": "sound", "rate_hz": 8000, "channels": 2, "format": "f32"}')
        client.send(np.zeros((8000, 2), "<f4").tobytes())
        until(lambda: server.sound._num_samples > 15000)
        with connect(server) as second:
            second.send(b"\0\0")
            assert closing_reason(second) == "another program speaks"
    until(lambda: server.num_clients == 0)
    with connect(server) as third:                  # the first has gone
        third.send(b"\0\0" * 128)
        until(lambda: server._speaker is not None)


def closing_reason(client):
    import websockets.exceptions
    with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
        while True:
            client.recv(PATIENCE_S)
    return closed.value.rcvd.reason if closed.value.rcvd else ""


@pytest.mark.parametrize("message, reason", [
    ("no json", "no message that is known"), ("[]", "no message that is known"),
    ('{"type": "eval", "code": "1"}', "no message that is known"),
    ('{"type": "sound", "rate_hz": 1e9}', "no message that is known"),
    ('{"type": "sound", "rate_hz": 16000, "format": ["s16"]}', "no message that is known"),
    ("[" * 100000, "no message that is known"), (b"\0\0", "no sound is taken here")])
def test_what_a_client_must_not_send(served, message, reason):
    server = served()
    with connect(server) as client:
        client.send(message)
        assert closing_reason(client).startswith(reason)
    until(lambda: server.num_clients == 0)


def test_messages_have_a_largest_size(served):
    from utils.live.web_socket import MAX_MESSAGE_BYTES
    server = served(takes_sound=True)
    with connect(server) as client:
        client.send(b"\0" * (MAX_MESSAGE_BYTES + 2))
        closing_reason(client)
    assert server.sound.head() is None


@pytest.mark.parametrize("origin, is_let_in", [
    ("http://localhost:8000", True), ("http://127.0.0.1:9", True), ("https://evil.example", False),
    ("null", False), ("http://localhost.evil.example", False), ("file://", False),
    ("https://my.page", True)])
def test_pages_of_other_sites_are_refused(served, origin, is_let_in):
    from websockets.exceptions import InvalidStatus
    told = []
    server = served(allowed_origins=["https://my.page"], warn=told.append)
    if is_let_in:
        with connect(server, origin=origin) as client:
            assert received(client)["type"] == "start"
    else:
        with pytest.raises(InvalidStatus):
            connect(server, origin=origin)
        assert "--allow_origin" in told[0]


def test_a_client_that_reads_nothing(served):
    """It loses frames; the others lose none, and the end comes all the same."""
    server = served()
    with socket.create_connection(server.address[:2]) as slow, connect(server) as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13"
                     b"\r\n\r\n")
        until(lambda: server.num_clients == 2)
        assert received(quick)["type"] == "start"
        number = 0
        while not server.num_dropped:
            server.send(a_frame(number, 0.12345))
            assert received(quick)["frame"] == number
            number += 1
            assert number < 20000
        started_s = time.monotonic()
        server.close()
        assert time.monotonic() - started_s < PATIENCE_S
        assert received(quick)["type"] == "end"


def test_there_is_a_largest_number_of_clients(served, monkeypatch):
    from websockets.exceptions import InvalidStatus
    from utils.live import web_socket
    monkeypatch.setattr(web_socket, "MAX_CLIENTS", 1)
    server = served()
    with connect(server) as client:
        assert received(client)["type"] == "start"
        with pytest.raises(InvalidStatus):
            connect(server)


def test_no_http_request_does_harm(served):
    server = served()
    with socket.create_connection(server.address[:2]) as client:
        client.sendall(b"\xff\xfe\r\n\r\n" * 10)
        client.settimeout(PATIENCE_S)
        try:
            while client.recv(4096):
                pass
        except ConnectionError:
            pass
    with connect(server) as client:
        assert received(client)["type"] == "start"


def test_a_second_program_on_the_port():
    with listening_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match="cannot listen at 127.0.0.1:%d .*another port" % port):
            listening_socket("127.0.0.1", port)
