"""UDP to one receiver, which need not be there."""
import socket

from utils.common.errors import UserError


class UdpSender(object):
    """Packets to host:port. Never waits: a packet that the system cannot take is lost.

    Raises UserError for a host that has no address.
    """

    def __init__(self, host, port):
        try:
            family, _, _, _, self._address = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise UserError("%s has no address (%s); give the name or number of the receiver's "
                            "computer" % (host, getattr(error, "strerror", None) or error))
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        except OSError:
            pass                                    # only needed for a broadcast address

    def send(self, packet):
        """Raises OSError where there is no way to the receiver."""
        try:
            self._socket.sendto(packet, self._address)
        except BlockingIOError:             # the system's queue is full: lost, as on the way
            pass
        except ConnectionError:             # nobody there, says an answer to one before
            pass

    def close(self):
        self._socket.close()
