"""What goes over the wire: Live Link, VMC and Rokoko, read by receivers that are not ours."""
import json
import socket
import struct
import threading

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.formats.rokoko_json import read_rokoko_json
from utils.live.live_face import Frame
from utils.live.live_link import LiveLinkSink, live_link_packet
from utils.live.rokoko import RokokoSink
from utils.live.udp import UdpSender
from utils.live.vmc import MAX_BUNDLE_BYTES, SHAPE_SETS, VmcSink, osc_bundles, vowels

NAMES = list(MODEL_CHANNELS)
MTU_PAYLOAD = 1472


def a_frame(number=0, time_s=0.0, weights=None):
    weights = np.linspace(0, 1, 52, dtype=np.float32) if weights is None else weights
    return Frame(number, time_s, weights, False, False)


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        yield sock


def port_of(sock):
    return sock.getsockname()[1]


def read_live_link(packet):
    """A receiver written from the packet's table, as strict as Unreal."""
    assert len(packet) >= 264
    at = [0]

    def take(form):
        values = struct.unpack_from(">" + form, packet, at[0])
        at[0] += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    version = take("B")
    texts = []
    for _ in range(2):
        size = take("i")
        texts.append(packet[at[0]:at[0] + size].decode("utf-8"))
        at[0] += size
    frame, part, numerator, denominator, count = take("ifiiB")
    values = take("%df" % count)
    assert at[0] == len(packet) and version == 6 and count == 61 and denominator == 1
    return texts, frame, part, numerator, values


def test_the_header_of_a_real_packet():
    """An iPhone's, as it was captured: 06, 36 bytes of id, "iPhone", frame 671705 of the day."""
    device_id = "5904AA4B-0000-0000-0000-000000000000"
    part, = struct.unpack(">f", bytes(bytearray.fromhex("3f070280")))
    packet = live_link_packet(device_id, "iPhone", (0x000a3fd9 + part) / 60.0, 60, np.zeros(52))
    assert len(packet) == 312
    expected = (bytearray.fromhex("0600000024") + device_id.encode() + bytearray.fromhex(
        "00000006") + b"iPhone" + bytearray.fromhex("000a3fd9"))
    assert packet[:len(expected)] == bytes(expected)
    # The part of a frame: to a float's rounding of the time of day.
    assert struct.unpack_from(">f", packet, len(expected))[0] == pytest.approx(part, abs=1e-6)
    after = len(expected) + 4
    assert packet[after:after + 9] == bytes(bytearray.fromhex("0000003c000000013d"))


def test_the_length_of_another_real_packet():
    """320 bytes, of a device with an id of 32 bytes and a subject of 18."""
    assert len(live_link_packet("a" * 32, "b" * 18, 0.0, 60, np.zeros(52))) == 320


@pytest.mark.parametrize("fps", [30, 60])
def test_live_link(receiver, fps):
    sink = LiveLinkSink(NAMES, fps, u"M\u00fcller", "127.0.0.1", port_of(receiver))
    for number in range(3):
        sink.send(a_frame(number, number / float(fps)))
    received = [read_live_link(receiver.recv(2000)) for _ in range(3)]
    sink.close()
    (device_id, subject), frame, part, rate, values = received[0]
    assert (len(device_id), subject, rate) == (36, u"M\u00fcller", fps)
    by_name = dict(zip(UNREAL_CHANNELS, values))
    for i, name in enumerate(NAMES):
        assert by_name[name] == pytest.approx(i / 51.0, abs=1e-6)
    assert values[52:] == (0.0,) * 9
    steps = np.diff([frame + part for _, frame, part, _, _ in received])
    np.testing.assert_allclose(steps, 1.0, atol=2e-3)


def test_live_link_at_midnight():
    packet = live_link_packet("a", "b", 24 * 3600 + 0.5, 60, np.zeros(52))
    assert read_live_link(packet.ljust(264, b"\0") if len(packet) < 264 else packet)[1] == 30


def decoded(packet):
    """[(address, arguments)] of a bundle, by python-osc."""
    osc_bundle = pytest.importorskip("pythonosc.osc_bundle")
    bundle = osc_bundle.OscBundle(packet)
    return [(message.address, message.params) for message in bundle]


@pytest.mark.parametrize("shapes", SHAPE_SETS)
def test_vmc_as_python_osc_reads_it(receiver, shapes):
    sink = VmcSink(NAMES, "127.0.0.1", port_of(receiver), shapes)
    weights = np.linspace(0, 1, 52, dtype=np.float32)
    num_packets = len(osc_bundles(["x" * 12] * 52)[0]) if "vrm" not in shapes else 1
    for _ in range(2):                          # the bundles are used again
        sink.send(a_frame(weights=weights))
        packets = [receiver.recv(65536) for _ in range(num_packets)]
        assert max(map(len, packets)) <= MAX_BUNDLE_BYTES <= MTU_PAYLOAD
        messages = sum((decoded(packet) for packet in packets), [])
        assert messages.pop() == ("/VMC/Ext/Blend/Apply", [])
        assert {address for address, _ in messages} == {"/VMC/Ext/Blend/Val"}
        values = dict(parameters for _, parameters in messages)
        assert len(values) == len(messages)
        if shapes == "perfect_sync":
            assert "JawOpen" in values and len(values) == 52
        if "vrm" not in shapes:
            for i, name in enumerate(NAMES):
                key = name[0].upper() + name[1:] if shapes == "perfect_sync" else name
                assert values[key] == pytest.approx(weights[i], abs=1e-7)
        else:
            expected = vowels(weights.tolist(), NAMES)
            lid = "Blink_L" if shapes == "vrm0" else "blinkLeft"
            assert values[lid] == pytest.approx(weights[NAMES.index("eyeBlinkLeft")])
            assert list(values.values()) == pytest.approx(expected, abs=1e-6)
    sink.close()


def test_vmc_to_python_oscs_own_server():
    dispatcher_module = pytest.importorskip("pythonosc.dispatcher")
    osc_server = pytest.importorskip("pythonosc.osc_server")
    got, applied = {}, threading.Event()
    dispatcher = dispatcher_module.Dispatcher()
    dispatcher.map("/VMC/Ext/Blend/Val", lambda _, name, value: got.update({name: value}))
    dispatcher.map("/VMC/Ext/Blend/Apply", lambda _, *arguments: applied.set())
    server = osc_server.BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        sink = VmcSink(NAMES, "127.0.0.1", server.server_address[1])
        sink.send(a_frame())
        assert applied.wait(20)
        sink.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(got) == 52 and got["CheekSquintRight"] == pytest.approx(1.0)


def mouth(**shapes):
    values = dict.fromkeys(NAMES, 0.0)
    values.update(shapes)
    return vowels([values[name] for name in NAMES], NAMES)


def test_vowels():
    assert mouth() == [0.0] * 7
    a, i, u, e, o = range(5)
    assert np.argmax(mouth(jawOpen=0.4)) == a
    assert np.argmax(mouth(mouthSmileLeft=0.4, mouthSmileRight=0.4)) == i
    assert np.argmax(mouth(mouthPucker=0.5)) == u
    assert np.argmax(mouth(jawOpen=0.5, mouthStretchLeft=0.4, mouthStretchRight=0.4)) == e
    assert np.argmax(mouth(jawOpen=0.5, mouthFunnel=0.5)) == o
    assert mouth(jawOpen=0.4, mouthClose=0.4)[:5] == [0.0] * 5
    random = np.random.RandomState(0)
    for _ in range(200):
        values = vowels(random.uniform(0, 1, 52).tolist(), NAMES)
        assert min(values) >= 0 and sum(values[:5]) <= 1 + 1e-9


def test_rokoko(receiver, tmp_path):
    sink = RokokoSink(NAMES, 30, "me", "127.0.0.1", port_of(receiver))
    packets = []
    for number in range(3):
        sink.send(a_frame(number, number / 30.0))
        packets.append(json.loads(receiver.recv(65536).decode("utf-8")))
    sink.close()
    assert packets[0]["scene"]["actors"][0]["name"] == "me"
    path = tmp_path / "packets.json"
    path.write_text(json.dumps(packets))
    rows = read_rokoko_json(str(path), pytest.fail)
    np.testing.assert_allclose(rows.times_s, [0, 1 / 30.0, 2 / 30.0], atol=1e-5)
    by_name = dict(zip(rows.names, rows.weights[2]))
    for i, name in enumerate(NAMES):
        assert by_name[name] == pytest.approx(i / 51.0, abs=1e-4)


def test_a_receiver_that_is_not_there(receiver):
    port = port_of(receiver)
    receiver.close()
    sender = UdpSender("127.0.0.1", port)
    for _ in range(50):
        sender.send(b"x" * 312)
    sender.close()


def test_a_packet_that_is_lost():
    """The values of the bundle that came still hold; the next frame mends the others."""
    sent = []
    sink = VmcSink(NAMES, "127.0.0.1", 9)
    sink._sender.close()
    sink._sender = type("Wire", (), {"send": lambda self, packet: sent.append(packet)})()
    sink.send(a_frame(weights=np.full(52, 0.5, np.float32)))
    sink.send(a_frame(weights=np.full(52, 0.25, np.float32)))
    values = {}
    for packet in sent[1:]:                         # the first is lost
        values.update(p for address, p in decoded(packet) if address.endswith("Val"))
    assert set(values.values()) == {0.25} and len(values) == 52


def test_a_host_without_an_address():
    with pytest.raises(UserError, match="no.such.host.invalid has no address"):
        UdpSender("no.such.host.invalid", 11111)
