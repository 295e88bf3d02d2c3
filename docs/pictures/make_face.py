"""Make docs/pictures/face.png, the README's picture of the preview face: six looks side by side.

    python -m docs.pictures.make_face
"""
import os

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

from utils.preview.face import render_face
from utils.preview.shapes import FACE_CHANNELS, INDEX

# A name without Left or Right means both sides.
LOOKS = (
    ("rest", {}),
    ("m", {"jawOpen": .06, "mouthClose": .08, "mouthPress": .45, "mouthRollLower": .15,
           "mouthRollUpper": .1}),
    ("f", {"jawOpen": .07, "mouthRollLower": .42, "mouthUpperUp": .28}),
    ("o", {"jawOpen": .38, "mouthFunnel": .55, "mouthPucker": .25}),
    ("a", {"jawOpen": .62, "mouthLowerDown": .2, "mouthUpperUp": .1, "browInnerUp": .25}),
    ("smile, blink", {"mouthSmile": .75, "cheekSquint": .5, "eyeBlink": 1, "mouthDimple": .15}))


def draw_look(label, shapes):
    """The face of `shapes` with its label, uint8 [250, 200, 3]."""
    weights = np.zeros(len(FACE_CHANNELS))
    for stem, value in shapes.items():
        for name in ([stem] if stem in INDEX else [stem + "Left", stem + "Right"]):
            weights[INDEX[name]] = value
    face = render_face(weights, FACE_CHANNELS, 384)[64:364, 72:312]
    face = cv2.resize(face, (200, 250), interpolation=cv2.INTER_AREA)
    cv2.putText(face, label, (8, 242), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (245, 240, 236), 1,
                cv2.LINE_AA)
    return face


if __name__ == "__main__":
    sheet = np.hstack([draw_look(label, shapes) for label, shapes in LOOKS])
    cv2.imwrite(os.path.join(HERE, "face.png"), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
