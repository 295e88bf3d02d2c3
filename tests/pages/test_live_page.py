"""The page of run_live.py: what its server gives out, and what it shows in a real Chromium."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.helpers.browser import watched_page
from tests.helpers.paths import REPOSITORY
from tests.pages.test_viewer_page import Scripts, changed, drop, notices, stage_picture, until
from utils.common.channels import MODEL_CHANNELS
from utils.common.pcm import to_int16
from utils.formats.gltf import DEFAULT_AVATAR
from utils.formats.npz import read_npz, write_npz
from utils.live.live_face import Frame
from utils.live.sound import SoundQueue
from utils.media.audio import read_audio
from utils.pages.viewer_page import live_page

NAMES = list(MODEL_CHANNELS)
JAW = NAMES.index("jawOpen")
FPS = 30
PATIENCE_S = 60
# The weights of each picture as the head gets them, with the number of their frame.
WATCH = """() => {
    window.shown = [];
    const {a} = viewer.sides, show = a.renderer.setWeights;
    a.renderer.setWeights = function (names, values) {
      window.shown.push([viewer.player.frame, names.map((name, i) => [name, values[i]])]);
      show.call(this, names, values);
    };
}"""


def speaking(number):
    """The Frame of that number: a jaw that goes up and down, no two alike; all else differs."""
    weights = np.linspace(0.1, 0.3, 52).astype(np.float32)
    weights[JAW] = 0.5 - 0.5 * np.cos(number / 4.0)
    weights[0] = number % 1000 / 1000.0
    return Frame(number, number / float(FPS), weights, False, False)


def jaw_alone(number, level):
    weights = np.zeros(52, np.float32)
    weights[JAW] = level
    return Frame(number, number / float(FPS), weights, False, False)


def shown(page):
    """[(number of the frame, weights [52])] of the pictures since WATCH."""
    return [(number, np.array([dict(pairs)[name] for name in NAMES]))
            for number, pairs in page.evaluate("window.shown")]


class Speaker(object):
    """Frames at their pace until left."""

    def __init__(self, server, first=0):
        self._server, self.number = server, first
        self._stops = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        start_s = time.monotonic() - self.number / float(FPS)
        while not self._stops.is_set():
            self._server.send(speaking(self.number))
            self.number += 1
            self._stops.wait(max(0.0, start_s + self.number / float(FPS) - time.monotonic()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stops.set()
        self._thread.join()


@pytest.fixture
def served():
    """A function that opens a server with its page; all of them are closed."""
    pytest.importorskip("websockets.sync.server")
    from utils.live.web_socket import WebSocketServer
    servers = []

    def serve(subject="me", port=0, page=None, **options):
        server = WebSocketServer(subject, "127.0.0.1", port, warn=lambda text: None,
                                 page=page or live_page(subject), **options)
        servers.append(server)
        server.open(NAMES, FPS, 0.47, SoundQueue(16000))
        return server

    yield serve
    for server in servers:
        server.close()


def address_of(server):
    return "127.0.0.1:%d" % server.address[1]


# ---- what the server gives out

def answer(server, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection(*server.address[:2], timeout=PATIENCE_S)
    connection.request(method, path, headers={
        name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response, response.read().decode("utf-8")


def test_the_page_may_reach_its_own_server_alone(served):
    hostile = "</script><img src=x>&'{{DATA}}"
    response, text = answer(served(hostile))
    assert response.status == 200 and response.getheader("Content-Type").startswith("text/html")
    assert response.getheader("Content-Security-Policy") == "frame-ancestors 'none'"
    assert response.msg.get_all("Content-Type") == ["text/html; charset=utf-8"]
    scripts = Scripts(text)
    policy = dict(part.strip().split(" ", 1) for part in scripts.policy.split(";"))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert "unsafe" not in scripts.policy and "*" not in scripts.policy
    assert json.loads(scripts.content(id="data"))["live"] == {"subject": hostile}
    assert scripts.tags == Scripts(live_page("me")).tags


def test_there_is_nothing_else(served):
    server = served(page="<p>page</p>")
    for path in ("/favicon.ico", "/../run_live.py", "//", "/?a"):
        assert answer(server, path)[0].status == 404
    # A server of the WebSocket alone gives no page.
    from utils.live.web_socket import WebSocketServer
    alone = WebSocketServer("me", "127.0.0.1", 0)
    try:
        alone.open(NAMES, FPS, 0.47, SoundQueue(16000))
        assert answer(alone)[0].status == 426
    finally:
        alone.close()


@pytest.mark.parametrize("origin, host, is_let_in", [
    ("http://192.168.1.5:8767", "192.168.1.5:8767", True),
    ("http://[fe80::1]:8767", "[fe80::1]:8767", True),
    ("http://192.168.1.5:80", "192.168.1.5:8767", False),
    ("http://192.168.1.6:8767", "192.168.1.5:8767", False),
    ("https://192.168.1.5:8767", "192.168.1.5:8767", False),
    # A site's name may be made to mean this computer.
    ("http://evil.example:8767", "evil.example:8767", False)])
def test_the_page_opened_from_another_computer(served, origin, host, is_let_in):
    server = served(page="<p>page</p>")
    with socket.create_connection(server.address[:2], PATIENCE_S) as client:
        client.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n" % (host, origin)).encode("ascii"))
        assert client.recv(12) == (b"HTTP/1.1 101" if is_let_in else b"HTTP/1.1 403")


# ---- what it does in the browser

@pytest.fixture
def opened(browser):
    """A function (server, or its address) -> its page, open and drawn."""
    contexts = []

    def open_page(server, **options):
        address = server if isinstance(server, str) else address_of(server)
        watched = watched_page(browser, 800, 480, server=address, **options)
        contexts.append(watched)
        page = watched.__enter__()
        page.goto("http://%s/" % address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for watched in contexts:
        watched.__exit__(None, None, None)


def test_the_face_moves_with_the_frames(served, opened):
    server = served("Ada")
    page = opened(server)
    until(page, "viewer.player.state === 'live'")
    server.send(jaw_alone(0, 0.0))
    until(page, "viewer.player.frame === 0 && viewer.sides.a.values")
    closed = stage_picture(page)
    page.evaluate(WATCH)
    with Speaker(server, 1) as speaker:
        until(page, "viewer.player.frame > 50")
        now_s, to_s = page.evaluate("[viewer.player.time(), viewer.timeline.to_s]")
        facts = page.inner_text("#facts")
    pictures = shown(page)
    assert len({number for number, _ in pictures}) > 10
    for number, weights in pictures:
        np.testing.assert_allclose(weights, speaking(number).weights, atol=6e-5)
    assert re.search(r"Live .* 30 frames a second .* \d+ ms from sound to picture", facts)
    assert page.title() == page.inner_text("h1") == "Ada"
    assert 470 <= int(re.search(r"(\d+) ms", facts).group(1)) < 470 + 500
    # The curves: the last seconds, with what came last in them.
    assert abs(now_s - 50 / float(FPS)) < 0.5 and to_s == pytest.approx(8.0, abs=0.2)
    assert page.evaluate("viewer.timeline.lanes")[0] == "jawOpen"
    server.send(jaw_alone(speaker.number + 5, 0.8))
    until(page, "viewer.sides.a.values[%d] > 0.79 && viewer.sides.a.values[0] === 0" % JAW)
    mouth, brow = changed(closed, stage_picture(page))
    assert mouth > 0.05 and brow < 0.02, (mouth, brow)
    assert "  5 frames missed" in page.evaluate("viewer.player.facts")
    label = page.inner_text("#lanes .labels .a >> nth=0")
    assert float(label) == pytest.approx(0.8, abs=0.006)


def test_reset_stop_and_beginning_again(served, opened):
    server = served()
    page = opened(server)
    with Speaker(server) as speaker:
        until(page, "viewer.player.clip && viewer.player.clip.times_s.length > 10")
    server.reset()
    rest = Frame(speaker.number, 9.0, np.zeros(52, np.float32), False, True)
    server.send(rest)
    until(page, "viewer.player.clip.times_s.length === 1 && viewer.sides.a.time_s === 9")
    assert page.evaluate("Math.max(...viewer.sides.a.values)") == 0
    # The connection is cut: it comes again, by itself.
    from utils.live.web_socket import _cut_off
    for connection in list(server._clients):
        _cut_off(connection)
    until(page, "viewer.player.state === 'lost'")
    assert "trying again" in page.inner_text("#facts")
    until(page, "viewer.player.state === 'live'")
    # The program ends; another one begins later at the same address.
    server.close()
    until(page, "viewer.player.state === 'ended'")
    assert page.inner_text("#facts") == "The source has ended; waiting for the next one"
    again = served(port=server.address[1], page="<p>page</p>")
    until(page, "viewer.player.state === 'live'")
    again.send(speaking(3))
    until(page, "viewer.player.frame === 3 && viewer.player.numMissed === 0")
    # Chromium says in its console that nobody was there.
    assert all("ERR_CONNECTION_REFUSED" in problem for problem in page.problems), page.problems
    del page.problems[:]


def test_the_curves_keep_the_last_seconds(served, opened):
    server = served()
    page = opened(server)
    until(page, "viewer.player.state === 'live'")
    # A minute at once, as the messages would come.
    page.evaluate("""frames => frames.forEach(frame => viewer.player._take(frame))""", [
        {"type": "frame", "frame": number, "time_s": number / float(FPS),
         "weights": speaking(number).weights.tolist()} for number in range(0, 1800)])
    until(page, "viewer.timeline.to_s > 59")
    first_s, last_s, count = page.evaluate(
        "(times => [times[0], times[times.length - 1], times.length])(viewer.player.clip.times_s)")
    assert last_s == pytest.approx(1799 / float(FPS)) and last_s - first_s >= 8
    assert count == round((last_s - first_s) * FPS) + 1 and count <= 2 * (8 * FPS + 2)
    jaw = page.evaluate("[...curveOf(viewer.player.clip, 'jawOpen')]")
    expected = [speaking(number).weights[JAW] for number in range(1800 - count, 1800)]
    np.testing.assert_allclose(jaw, expected, atol=1e-6)
    from_s, to_s = page.evaluate("[viewer.timeline.from_s, viewer.timeline.to_s]")
    assert (from_s, to_s) == (pytest.approx(last_s - 8), pytest.approx(last_s))


def test_a_head_may_be_dropped_in_and_a_take_not(served, opened, tmp_path):
    server = served()
    page = opened(server)
    write_npz(str(tmp_path / "take.npz"), np.zeros((30, 52), np.float32), NAMES, FPS)
    drop(page, str(tmp_path / "take.npz"))
    until(page, "document.querySelectorAll('.notice').length === 1")
    assert "view.py shows takes" in notices(page)[0]
    drop(page, DEFAULT_AVATAR)
    until(page, "document.querySelectorAll('.notice').length === 2")
    assert "52 of the 52 shapes" in notices(page)[1]
    for selector in ("#play", "#overview", "#compare", "#help"):
        assert not page.is_visible(selector)


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_run_live_to_the_page(opened, tmp_path):
    """A sentence through the program: what the head shows is what the recording holds."""
    samples = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))[8000:32000]
    path = str(tmp_path / "take.npz")
    live = subprocess.Popen(
        [sys.executable, "-u", os.path.join(REPOSITORY, "run_live.py"), "--source", "stdin", "--to",
         "page", "--port", "0", "--record", path, "--subject", "me"], cwd=REPOSITORY,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        address = None
        while address is None:
            line = live.stdout.readline().decode("utf-8")
            assert line, live.stderr.read()
            address = re.match(r"page at http://(127\.0\.0\.1:\d+)$", line.strip())
        page = opened(address.group(1))
        until(page, "viewer.player.state === 'live'")
        page.evaluate(WATCH)
        live.stdin.write(to_int16(samples).tobytes())
        live.stdin.flush()
        until(page, "viewer.player.clip && "
                    "Math.max(...curveOf(viewer.player.clip, 'jawOpen')) > 0.15")
        page.wait_for_timeout(1000)
        live.send_signal(signal.SIGINT)
        until(page, "viewer.player.state === 'ended'")
        pictures = shown(page)
        page.close()
        _, err = live.communicate(timeout=PATIENCE_S)
        assert live.returncode == 0 and b"Traceback" not in err, err
    finally:
        live.kill()
        live.wait()
    page.problems[:] = [one for one in page.problems if "ERR_CONNECTION_REFUSED" not in one]
    weights, names, fps = read_npz(path)
    assert fps == FPS
    jaws = set()
    for number, found in pictures:
        expected = weights[number, [list(names).index(name) for name in NAMES]]
        np.testing.assert_allclose(found, expected, atol=6e-5)
        jaws.add(round(found[JAW], 3))
    assert len(jaws) > 8 and max(jaws) - min(jaws) > 0.1
