"""Live Link Face over UDP, packet version 6: what Unreal's Apple ARKit source takes.

All numbers big-endian: uint8 version, device id and subject (int32 length and UTF-8), int32 frame
and float32 part of a frame since midnight, int32 rate as numerator and denominator, uint8 count,
61 float32: 52 shapes in Unreal's order, then nine angles, which are 0 here.

Written from the layout; the tests have the lengths and header of two packets of real devices.
"""
import struct
import time
import uuid

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.live.udp import UdpSender

VERSION = 6
NUM_ANGLES = 9
NUM_VALUES = len(UNREAL_CHANNELS) + NUM_ANGLES          # 61
S_PER_DAY = 24 * 3600


def live_link_packet(device_id, subject, time_of_day_s, fps, weights):
    """The bytes of one frame; weights: [52] in UNREAL_CHANNELS order."""
    frame, part = divmod(time_of_day_s % S_PER_DAY * fps, 1.0)
    values = np.zeros(NUM_VALUES, ">f4")
    values[:len(weights)] = weights
    return (struct.pack(">B", VERSION) + _text(device_id) + _text(subject)
            + struct.pack(">ifiiB", int(frame), part, fps, 1, NUM_VALUES) + values.tobytes())


def _text(text):
    data = text.encode("utf-8")
    return struct.pack(">i", len(data)) + data


class LiveLinkSink(object):
    """Sends frames to Unreal; subject: the name under which Live Link lists them."""

    keeps_all = False

    def __init__(self, names, fps, subject, host, port):
        self.name = "Live Link to %s:%d" % (host, port)
        self._columns = [names.index(name) for name in UNREAL_CHANNELS]
        self._fps, self._subject = fps, subject
        # The same at each start, so that Unreal knows the subject again.
        self._device_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, subject)).upper()
        self._start_s = None
        self._sender = UdpSender(host, port)

    def send(self, frame):
        if self._start_s is None:
            now = time.localtime()
            of_day_s = 3600 * now.tm_hour + 60 * now.tm_min + now.tm_sec + time.time() % 1.0
            self._start_s = of_day_s - frame.time_s
        self._sender.send(live_link_packet(
            self._device_id, self._subject, self._start_s + frame.time_s, self._fps,
            frame.weights[self._columns]))

    def reset(self):
        pass                                    # the face at rest follows as a frame

    def close(self):
        self._sender.close()
