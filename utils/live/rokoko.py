"""Rokoko Studio Live's JSON v3 over UDP, a packet for each frame, not compressed."""
import json

from utils.common.channels import UNREAL_CHANNELS
from utils.formats.rokoko_json import ROKOKO_FULL, rokoko_packet
from utils.live.udp import UdpSender


class RokokoSink(object):
    """Sends frames as Rokoko Studio does; subject: the actor's name."""

    keeps_all = False

    def __init__(self, names, fps, subject, host, port):
        self.name = "Rokoko to %s:%d" % (host, port)
        self._columns = [names.index(name) for name in UNREAL_CHANNELS]
        self._fps, self._subject = fps, subject
        self._sender = UdpSender(host, port)

    def send(self, frame):
        values = [round(value, 3)
                  for value in (frame.weights[self._columns] * ROKOKO_FULL).tolist()]
        packet = rokoko_packet(frame.time_s, self._fps, values, self._subject)
        self._sender.send(json.dumps(packet, separators=(",", ":")).encode("utf-8"))

    def reset(self):
        pass

    def close(self):
        self._sender.close()
