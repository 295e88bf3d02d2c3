"""Where sound comes from and frames go: NAME, NAME@HOST, NAME@HOST:PORT; and listening there."""
import collections
import ipaddress
import os
import re
import socket

from utils.common.errors import UserError

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

MICROPHONE, STDIN, TCP, WEB_SOCKET = "microphone", "stdin", "tcp", "websocket"
LIVE_LINK, VMC, ROKOKO, PAGE = "livelink", "vmc", "rokoko", "page"
# By name, with the usual port; None: it has no address.
SOURCES = collections.OrderedDict([(MICROPHONE, None), (STDIN, None), (TCP, 8766),
                                   (WEB_SOCKET, 8765)])
SINKS = collections.OrderedDict([(LIVE_LINK, 11111), (VMC, 39540), (ROKOKO, 14043),
                                 (WEB_SOCKET, 8765), (PAGE, 8767)])

Place = collections.namedtuple("Place", "name host port")       # host, port: None where not given


def parse_place(text):
    """The Place of `vmc@192.168.1.5:39540` or `tcp@[::1]:5005`; ValueError in words."""
    found = re.match(r"^([^@]+)(?:@(\[[^\]]+\]|[^:\[\]]*)(?::(\d{1,5}))?)?$", text.strip())
    if not found:
        raise ValueError("%r; expected NAME, NAME@HOST or NAME@HOST:PORT" % text)
    name, host, port = found.groups()
    if port is not None and int(port) > 65535:
        raise ValueError("%r; a port is from 0 to 65535" % text)
    return Place(name.lower(), (host or "").strip("[]") or None,
                 None if port is None else int(port))


def is_loopback(host):
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening_socket(host, port):
    """A TCP socket that listens; port 0 takes a free one. UserError where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError("%s is no address of this computer (%s)"
                        % (host, getattr(error, "strerror", None) or error))
    try:
        if os.name == "nt":                     # there REUSEADDR would share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise UserError("cannot listen at %s:%d (%s); another program may use that port: end it, "
                        "or name another port" % (host, port, error.strerror or error))
    return listener
