"""A WebSocket server: frames as JSON to any number of programs, and sound and resets from them.

The messages are described in docs/live.md. Whatever comes in is read as PCM or as JSON of a few
known kinds, and nothing else is done with it. A browser that asks for the address gets the page
that shows the face, where there is one.
"""
import ipaddress
import json
import logging
import socket
import threading
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from utils.common.errors import UserError, print_warning
from utils.live.places import LOOPBACK_NAMES, listening_socket
from utils.live.sink_queue import SinkQueue
from utils.live.sound import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SAMPLE_FORMATS

PROTOCOL_VERSION = 1
DECIMALS = 4
MAX_CLIENTS = 16
MAX_MESSAGE_BYTES = 1 << 20
MAX_MESSAGES_PER_S = 1000
OPEN_TIMEOUT_S = 5
PAGE_TIMEOUT_S = 10                 # a browser has taken the page by then
# A page of another site must neither frame ours nor read it.
PAGE_HEADERS = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"),
                ("Content-Security-Policy", "frame-ancestors 'none'"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                ("X-Content-Type-Options", "nosniff"))
SEND_BUFFER_BYTES = 1 << 15         # a slow client's old frames shall not pile up in the system
END_S = 1.0


def web_socket_module():
    """websockets.sync.server; UserError that says what to install."""
    try:
        import websockets.sync.server
    except ImportError:
        raise UserError("the WebSocket needs the package websockets, 11 or later, and Python 3.7 "
                        "or later (pip install websockets)")
    return websockets


class WebSocketServer(object):
    """A sink, and where sound is taken a source, too.

    Listens from the beginning; clients are served after open(). Raises UserError where the port is
    taken.

    page: the text of an HTML page that the address shows in a browser; None: there is none.
    """

    keeps_all = False

    def __init__(self, subject, host, port, allowed_origins=(), warn=print_warning, page=None):
        self._websockets = web_socket_module()
        self._listener = listening_socket(host, port)
        self.address = self._listener.getsockname()
        self.name = "%s://%s:%d" % ("page at http" if page else "WebSocket at ws",
                                    "[%s]" % host if ":" in host else host, self.address[1])
        self._page = page
        self._subject, self._allowed_origins, self._warn = subject, tuple(allowed_origins), warn
        self._lock = threading.Lock()
        self._clients = {}                          # connection: its SinkQueue
        self._num_dropped_before = 0                # of clients that have gone
        self._speaker = None
        self._server, self._thread, self._sound, self._make_decoder = None, None, None, None

    def open(self, names, fps, latency_s, sound, make_decoder=None):
        """Serve clients.

        sound: the SoundQueue that a client's reset resets. make_decoder(rate_hz, channels,
        sample_format), each None for the usual: of the sound of a client; None takes no sound.
        """
        self._greeting = json.dumps({
            "type": "start", "version": PROTOCOL_VERSION, "subject": self._subject,
            "fps": fps, "latency_s": round(latency_s, 4), "names": list(names)})
        self._sound, self._make_decoder = sound, make_decoder
        logger = logging.getLogger("voca.live.web_socket")      # a bad client is no traceback
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        self._server = self._websockets.sync.server.serve(
            self._serve, sock=self._listener, process_request=self._answer, compression=None,
            open_timeout=OPEN_TIMEOUT_S, close_timeout=END_S, max_size=MAX_MESSAGE_BYTES,
            logger=logger)
        self._thread = threading.Thread(target=self._server.serve_forever, name="WebSocket")
        self._thread.daemon = True
        self._thread.start()

    @property
    def num_clients(self):
        with self._lock:
            return len(self._clients)

    @property
    def num_dropped(self):
        """Frames that clients were too slow for."""
        with self._lock:
            return self._num_dropped_before + sum(
                queue.num_dropped for queue in self._clients.values())

    # ---- a sink

    def send(self, frame):
        self._send_all(json.dumps({
            "type": "frame", "frame": frame.number, "time_s": round(frame.time_s, 4),
            "weights": [round(value, DECIMALS) for value in frame.weights.tolist()]},
            separators=(",", ":")))

    def reset(self):
        with self._lock:
            queues = list(self._clients.values())
        for queue in queues:
            queue.reset()

    def close(self):
        """Tell the clients, then cut them off."""
        self._send_all(json.dumps({"type": "end"}))
        with self._lock:
            clients = dict(self._clients)
        until_s = time.monotonic() + END_S
        for connection, queue in clients.items():
            queue.drain(until_s - time.monotonic())
            _cut_off(connection)
        if self._server is not None:
            self._server.shutdown()
            self._thread.join(END_S)
        self._listener.close()

    def _send_all(self, text):
        with self._lock:
            queues = list(self._clients.values())
        for queue in queues:
            queue.put(text)

    # ---- clients

    def _answer(self, connection, request):
        """The page, or the answer to a client that is not let in; None lets it in."""
        if self._page is not None and "Upgrade" not in request.headers:
            return self._page_response(connection, request.path)
        origins = request.headers.get_all("Origin")
        hosts = request.headers.get_all("Host")
        if len(origins) > 1 or origins and not (
                self._is_allowed(origins[0]) or self._is_own_page(origins[0], hosts)):
            self._warn("a page of %s wanted the face and was refused; --allow_origin lets it"
                       % ", ".join(origins)[:200])
            return connection.protocol.reject(HTTPStatus.FORBIDDEN, "this origin is not allowed\n")
        if self.num_clients >= MAX_CLIENTS:
            return connection.protocol.reject(
                HTTPStatus.SERVICE_UNAVAILABLE, "there are %d clients already\n" % MAX_CLIENTS)
        return None

    def _is_allowed(self, origin):
        """A page of another site must not listen in: only those of this computer may."""
        if origin in self._allowed_origins:
            return True
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and parts.hostname in LOOPBACK_NAMES
        except ValueError:
            return False

    def _is_own_page(self, origin, hosts):
        """Whether it is the page of this server, opened by its number.

        A name would not do: any site can give this computer's number for its own name.
        """
        try:
            parts = urlsplit(origin)
            ipaddress.ip_address(parts.hostname or "")
        except ValueError:
            return False
        return self._page is not None and parts.scheme == "http" and [parts.netloc] == hosts

    def _page_response(self, connection, path):
        connection.socket.settimeout(PAGE_TIMEOUT_S)
        if path != "/":
            return connection.protocol.reject(HTTPStatus.NOT_FOUND, "the page is at /\n")
        response = connection.protocol.reject(HTTPStatus.OK, self._page)
        del response.headers["Content-Type"]
        for name, value in PAGE_HEADERS:
            response.headers[name] = value
        return response

    def _serve(self, connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        queue = SinkQueue(_Client(connection, self._websockets), warn=_say_nothing)
        queue.put(self._greeting)
        with self._lock:
            self._clients[connection] = queue
        try:
            self._listen(connection)
        except self._websockets.exceptions.ConnectionClosed:
            pass
        except UserError as error:
            _close(connection, str(error))
        finally:
            with self._lock:
                self._clients.pop(connection, None)
                self._num_dropped_before += queue.num_dropped
                if self._speaker is connection:
                    self._speaker = None
            _cut_off(connection)
            queue.close()

    def _listen(self, connection):
        decoder, second, num_messages = None, 0, 0
        sound_is = (None, None, None)
        for message in connection:
            if int(time.monotonic()) != second:
                second, num_messages = int(time.monotonic()), 0
            num_messages += 1
            if num_messages > MAX_MESSAGES_PER_S:
                raise UserError("more than %d messages in a second" % MAX_MESSAGES_PER_S)
            if isinstance(message, bytes):
                if decoder is None:
                    self._let_speak(connection)
                    decoder = self._make_decoder(*sound_is)
                self._sound.put(decoder.feed(message))
                continue
            kind, sound = _control_message(message)
            if kind == "reset":
                self._sound.reset()
            elif kind == "sound":
                sound_is, decoder = sound, None

    def _let_speak(self, connection):
        if self._make_decoder is None:
            raise UserError("no sound is taken here; start with --source websocket")
        with self._lock:
            if self._speaker not in (None, connection):
                raise UserError("another program speaks")
            self._speaker = connection


def _control_message(text):
    """("reset", None) or ("sound", (rate_hz, channels, format)); UserError for anything else."""
    try:
        message = json.loads(text)
        kind = message["type"]
        if kind == "reset":
            return kind, None
        if kind == "sound":
            rate_hz, channels = message["rate_hz"], message.get("channels", 1)
            sample_format = message.get("format", "s16")
            if (type(rate_hz) is int and MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ
                    and type(channels) is int and 1 <= channels <= MAX_CHANNELS
                    and sample_format in tuple(SAMPLE_FORMATS)):
                return kind, (rate_hz, channels, sample_format)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise UserError('no message that is known; {"type": "reset"}, or {"type": "sound", "rate_hz": '
                    '16000, "channels": 1, "format": "s16"}')


class _Client(object):
    """The sink of one client: texts."""

    keeps_all = False

    def __init__(self, connection, websockets):
        self.name = "a client"
        self._connection, self._websockets = connection, websockets

    def send(self, text):
        try:
            self._connection.send(text)
        except self._websockets.exceptions.ConnectionClosed as error:
            raise OSError(str(error))

    def reset(self):
        self.send(json.dumps({"type": "reset"}))

    def close(self):
        pass


def _say_nothing(_):
    """A client that goes is no fault."""


def _close(connection, reason):
    try:
        connection.close(1008, reason.encode("utf-8")[:120].decode("utf-8", "ignore"))
    except OSError:
        pass


def _cut_off(connection):
    """End the connection, also where a send to it waits."""
    try:
        connection.socket.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass                                        # it has gone already
