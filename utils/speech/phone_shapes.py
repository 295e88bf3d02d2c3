"""Which face each phone aims at: the table behind the training labels.

One row per ARPABET phone (no stress digits), one column per blendshape, in hundredths;
a name without Left or Right stands for both sides. The last five columns say how strongly the
phone insists on its own jaw, rounding, spreading, lips and tongue against its neighbours
(the dominance magnitudes of Cohen & Massaro, see utils/speech/coarticulation.py).

How the numbers were set. Jaw height lies halfway between the vowel chart (open AA AE, mid EH AH,
close IY UW, teeth nearly together for S Z SH ZH CH JH) and what one real speaker does, as the
means of his opening at each aligned phone (GRID s1: wide for K T D S CH and front vowels, narrow
for AO R W TH and all that rounds), its range between that of Live Link Face takes (95th percentile
of jawOpen 0.14 and 0.17) and of two labelled speakers (0.32 and 0.37); rounding (mouthFunnel, lips
forward and apart; mouthPucker, lips forward and together) for UW OW AO UH W R ER SH ZH CH JH; lips
spread for IY IH EY S Z; the lower lip under the upper teeth for F V (mouthRollLower with a
raised upper lip); lips pressed together for P B M; the tongue between the teeth for TH DH and
just seen for L. The amplitudes are those of Live Link Face recordings of unexaggerated speech:
jawOpen seldom above 0.5, mouthLowerDown about twice mouthUpperUp, mouthSmile below 0.25.
Phones made behind the teeth (T D N K G NG HH) insist on little and take their neighbours' lips.
"""
import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.speech.phones import SILENCE

# Blendshapes that move together against those of the other groups.
GROUPS = {
    "jaw": ("jawOpen", "jawForward"),
    "round": ("mouthFunnel", "mouthPucker"),
    "spread": ("mouthSmile", "mouthStretch", "mouthDimple"),
    "lips": ("mouthLowerDown", "mouthUpperUp", "mouthRollLower", "mouthRollUpper",
             "mouthPress", "mouthShrugLower", "mouthShrugUpper", "cheekPuff"),
    "tongue": ("tongueOut",),
}

_COLUMNS = tuple(shape for group in GROUPS.values() for shape in group)

# Targets in hundredths                                                      | dominance in tenths
# jawOpen      Funnel   Smile       LowerDown      Press    cheek tongue
#    Forward      Pucker   Stretch     UpperUp        ShrugLower     jaw  spread  tongue
#                             Dimple      RollLower      ShrugUpper     round    lips
#                                            RollUpper
_TABLE = """
sil   0  0   0  1   0  0  1   0  0  3  1   2  3  1   0   0  |  15 10 10 30 10
AA   48  0   2  0   2  3  0  18  7  0  0   0  0  0   0   0  |  10  6  6 10  4
AE   41  0   0  0  10  9  2  22 10  0  0   0  0  0   0   0  |  10  6  8 10  4
AH   30  0   2  0   3  3  1  15  6  0  0   0  0  0   0   0  |   9  4  5  8  4
AO   28  2  26 14   0  0  0  14  5  0  0   0  0  0   0   0  |  10 16  6  9  4
EH   34  0   0  0  10  8  3  20  8  0  0   0  0  0   0   0  |   9  6  8  8  4
ER   19  3  20 16   0  0  0  16  6  0  0   0  1  1   0   0  |   8 14  6  8  4
IH   22  0   0  0  10  8  3  18  7  0  0   0  0  0   0   0  |   8  6  8  8  4
IY   19  0   0  0  20 14  6  20  9  0  0   0  0  0   0   0  |   9 10 14 10  4
UH   18  2  22 20   0  0  0  10  4  0  0   0  1  1   0   0  |   8 14  6  8  4
UW   11  4  22 46   0  0  0   6  3  0  0   0  2  2   0   0  |   9 22 10  8  4
P     5  0   0  0   0  1  2   0  0 12 10  26  8  5   6   0  |   9  2  3 10  4
B     5  0   0  0   0  1  2   0  0 11  9  22  7  4   5   0  |   9  2  3 10  4
M     5  0   0  0   1  1  3   0  0 10  8  20  7  4   1   0  |   9  2  3 10  4
F     8  0   2  0   2  3  2   2 14 38  0   4 10  2   2   0  |   9  4  4 14  4
V     9  0   2  0   2  3  2   3 12 32  0   3  8  2   1   0  |   9  4  4 14  4
W     8  3  20 55   0  0  0   4  2  0  0   0  3  3   0   0  |   9 34 12 10  4
R    14  3  24 24   0  0  0  14  5  0  0   0  2  1   0   0  |   7 18  7  7  4
L    18  0   0  0   4  4  1  17  6  0  0   0  0  0   0   2  |   6  3  3  6 10
Y    16  0   0  2  14 10  4  17  7  0  0   0  0  0   0   0  |   7  6  9  7  4
TH   10  0   0  0   3  4  1  16  7  0  0   0  0  0   0  26  |   9  3  4  8 16
DH   10  0   0  0   3  4  1  16  7  0  0   0  0  0   0  20  |   8  3  4  7 14
S    15  1   0  0  11 10  4  24 11  0  0   0  0  0   0   0  |  10  5 10 12  4
Z    14  1   0  0  10  9  3  22 10  0  0   0  0  0   0   0  |  10  5 10 12  4
SH   12  7  36 26   0  0  0  18 10  0  0   0  0  0   0   0  |  14 22 12 12  4
ZH   12  6  33 24   0  0  0  17  9  0  0   0  0  0   0   0  |  13 22 12 12  4
CH   16  6  33 24   0  0  0  18 10  0  0   0  0  0   0   0  |  14 20 12 12  4
JH   15  6  31 22   0  0  0  17  9  0  0   0  0  0   0   0  |  13 20 12 12  4
T    18  0   0  0   4  4  1  16  6  0  0   0  0  0   0   0  |   7  2  3  5  4
D    18  0   0  0   4  4  1  16  6  0  0   0  0  0   0   0  |   7  2  3  5  4
DX   18  0   0  0   4  4  1  15  6  0  0   0  0  0   0   0  |   3  1  2  3  4
N    15  0   0  0   4  4  1  15  6  0  0   0  0  0   0   0  |   6  2  3  5  4
K    25  0   0  0   4  4  1  14  5  0  0   0  0  0   0   0  |   5  2  2  4  4
G    20  0   0  0   4  4  1  14  5  0  0   0  0  0   0   0  |   5  2  2  4  4
NG   20  0   0  0   4  4  1  14  5  0  0   0  0  0   0   0  |   5  2  2  4  4
HH   15  0   0  0   3  3  1  14  5  0  0   0  0  0   0   0  |   2  1  1  2  3
"""

# Phones made of two shapes one after the other, with the share of the first; and spellings of
# other phone sets for what the table holds under another name.
GLIDES = {
    "AY": ("AA", "IH", 0.6), "AW": ("AA", "UH", 0.55), "OY": ("AO", "IH", 0.55),
    "EY": ("EH", "IY", 0.55), "OW": ("AO", "UW", 0.45), "EL": ("AH", "L", 0.4),
    "EM": ("AH", "M", 0.3), "EN": ("AH", "N", 0.4),
}
SAME_AS = {
    "AX": "AH", "AXR": "ER", "IX": "IH", "UX": "UW", "WH": "W", "NX": "N",
    "HV": "HH", "Q": "HH", "SIL": SILENCE, "PAU": SILENCE, "SP": SILENCE, "SPN": SILENCE,
    "H#": SILENCE, "": SILENCE,
}

# Lips that have to meet, whatever the neighbours want; each with the part of the phone during
# which they are shut (the rest of a stop is its burst).
LIPS_SHUT = {"P": 0.7, "B": 0.8, "M": 1.0}
# Phones whose own target is reached to this degree at any speaking rate, in these groups.
ATTAINED = {
    "F": (0.92, ("jaw", "lips")), "V": (0.88, ("jaw", "lips")),
    "SH": (0.75, ("jaw", "round")), "ZH": (0.7, ("jaw", "round")),
    "CH": (0.75, ("jaw", "round")), "JH": (0.7, ("jaw", "round")),
    "W": (0.75, ("round",)), "TH": (0.7, ("tongue",)),
}


def _columns_of(shape):
    """Indices into MODEL_CHANNELS of a shape named with or without its side."""
    names = (shape,) if shape in MODEL_CHANNELS else (shape + "Left", shape + "Right")
    return [MODEL_CHANNELS.index(name) for name in names]


def _read_table():
    targets, dominance = {}, {}
    for line in _TABLE.strip().splitlines():
        shapes, strengths = line.split("|")
        phone, shapes = shapes.split()[0], shapes.split()[1:]
        target = np.zeros(len(MODEL_CHANNELS))
        for shape, hundredths in zip(_COLUMNS, shapes):
            target[_columns_of(shape)] = int(hundredths) / 100.0
        targets[phone] = target
        dominance[phone] = dict(zip(GROUPS, (int(s) / 10.0 for s in strengths.split())))
    return targets, dominance


# {phone: float [52] in MODEL_CHANNELS order} and {phone: {group: magnitude}}
TARGETS, DOMINANCE = _read_table()
# {group: indices into MODEL_CHANNELS}
GROUP_COLUMNS = {group: sum((_columns_of(shape) for shape in shapes), [])
                 for group, shapes in GROUPS.items()}


def table_phone(symbol):
    """The table's name of a phone: upper case, no stress digit, `sil` for silence and noise.

    Raises ValueError for a symbol that is no ARPABET phone.
    """
    name = symbol.strip().upper().rstrip("012")
    name = SAME_AS.get(name, name)
    if name not in TARGETS and name not in GLIDES:
        raise ValueError("phone %r is none of the ARPABET phones %s"
                         % (symbol, " ".join(sorted(list(TARGETS) + list(GLIDES)))))
    return name
