"""The VMC protocol, OSC over UDP: VSeeFace, Warudo, VirtualMotionCapture and others.

For each shape /VMC/Ext/Blend/Val (name, value), at the end /VMC/Ext/Blend/Apply. They go in OSC
bundles, each smaller than a network's packet, and Apply in the last.

OSC 1.0 is packed by hand here: python-osc needs several times a frame's share of the time for 53
messages (docs/live.md has the figures). The tests read these bytes with python-osc.
"""
import struct

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.live.udp import UdpSender

MAX_BUNDLE_BYTES = 1400             # Ethernet carries 1472, a tunnel less

VALUE, APPLY = "/VMC/Ext/Blend/Val", "/VMC/Ext/Blend/Apply"
AT_ONCE = struct.pack(">Q", 1)      # OSC's time tag for "now"

PERFECT_SYNC, CAMEL_CASE, VRM0, VRM1 = "perfect_sync", "camel_case", "vrm0", "vrm1"
# What a model without Perfect Sync has: the mouth's vowels and the lids.
VOWEL_NAMES = {VRM0: ("A", "I", "U", "E", "O", "Blink_L", "Blink_R"),
               VRM1: ("aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight")}
SHAPE_SETS = (PERFECT_SYNC, CAMEL_CASE, VRM0, VRM1)
# A shape of our network that moves by so much is at its full.
FULL_OPENING, FULL_ROUNDING, FULL_WIDTH = 0.5, 0.5, 0.4


def _padded(text):
    """An OSC string: ended by zeros, to a multiple of 4 bytes."""
    data = text.encode("utf-8") + b"\0"
    return data + b"\0" * (-len(data) % 4)


def osc_bundles(names):
    """([bytes] of bundles, [(bundle, offset)] of the values' places) for shapes `names`."""
    bundles, places = [], []
    messages = [_padded(VALUE) + _padded(",sf") + _padded(name) + b"\0\0\0\0" for name in names]
    messages.append(_padded(APPLY) + _padded(","))
    for message in messages:
        if not bundles or len(bundles[-1]) + 4 + len(message) > MAX_BUNDLE_BYTES:
            bundles.append(_padded("#bundle") + AT_ONCE)
        bundles[-1] += struct.pack(">i", len(message)) + message
        places.append((len(bundles) - 1, len(bundles[-1]) - 4))
    return bundles, places[:-1]


def vowels(weights, names):
    """[7]: A, I, U, E, O and the two lids, of weights [52]; the vowels add up to 1 at most."""
    of = dict(zip(names, weights))
    opening = min(max(of["jawOpen"] - of["mouthClose"], 0.0) / FULL_OPENING, 1.0)
    rounding = min(max(of["mouthFunnel"], of["mouthPucker"]) / FULL_ROUNDING, 1.0)
    width = max(of["mouthStretchLeft"] + of["mouthStretchRight"],
                of["mouthSmileLeft"] + of["mouthSmileRight"]) / 2
    wide = min(width / FULL_WIDTH, 1.0) * (1 - rounding)
    return [opening * (1 - rounding - wide), (1 - opening) * wide, (1 - opening) * rounding,
            opening * wide, opening * rounding, of["eyeBlinkLeft"], of["eyeBlinkRight"]]


class VmcSink(object):
    """Sends frames by VMC.

    shapes: PERFECT_SYNC, the 52 as VRM clips are named (JawOpen); CAMEL_CASE (jawOpen); VRM0 or
    VRM1, vowels and lids for a model without the 52.
    """

    keeps_all = False

    def __init__(self, names, host, port, shapes=PERFECT_SYNC):
        self.name = "VMC to %s:%d" % (host, port)
        self._names, self._shapes = names, shapes
        if shapes in VOWEL_NAMES:
            sent = VOWEL_NAMES[shapes]
        else:
            sent = [name[0].upper() + name[1:] if shapes == PERFECT_SYNC else name
                    for name in MODEL_CHANNELS]
        self._columns = [names.index(name) for name in MODEL_CHANNELS]
        bundles, self._places = osc_bundles(sent)
        self._bundles = [bytearray(bundle) for bundle in bundles]
        self._sender = UdpSender(host, port)

    def send(self, frame):
        values = (vowels(frame.weights.tolist(), self._names) if self._shapes in VOWEL_NAMES
                  else frame.weights[self._columns])
        packed = np.asarray(values, ">f4").tobytes()
        for i, (bundle, offset) in enumerate(self._places):
            self._bundles[bundle][offset:offset + 4] = packed[4 * i:4 * i + 4]
        for bundle in self._bundles:
            self._sender.send(bytes(bundle))

    def reset(self):
        pass

    def close(self):
        self._sender.close()
