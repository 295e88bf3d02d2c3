"""Make docs/pictures/architecture.png: what one second of sound becomes on its way to a face.

    python -m docs.pictures.make_architecture

The sizes in the picture are those of utils/common/constants.py.
"""
import os

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from utils.common.constants import (ACOUSTIC_FPS, ANIMATION_FPS, MFCC_COEFFICIENTS,
                                    NUM_BLENDSHAPES, NUM_LETTERS, SAMPLE_RATE_HZ, WINDOW_FRAMES)
from utils.network.layers import FULL_FILTERS

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEIGHT = 1240, 560
PAPER, INK, GREY = "#f7f9fc", "#343c46", "#6b7682"
SOUND, LETTERS, FACE, FILES = "#4c78a8", "#8064a2", "#d9622b", "#3a8f4d"
BOX_WIDTH, BOX_HEIGHT = 226, 128

# Left to right, top row then bottom row: title, what it does, what comes out, colour, package.
STAGES = (
    ("Sound file", "any that ffmpeg reads,\nmade 16 kHz mono",
     "samples\n[%d]" % SAMPLE_RATE_HZ, SOUND, "utils/media"),
    ("MFCC", "%d coefficients from\n32 ms, every 20 ms" % MFCC_COEFFICIENTS,
     "[%d, %d]" % (ACOUSTIC_FPS, MFCC_COEFFICIENTS), SOUND, "utils/deepspeech"),
    ("Acoustic graph", "DeepSpeech 0.5.0: LSTM;\nlog-probabilities of\n28 letters and the blank",
     "letters\n[%d, %d]" % (ACOUSTIC_FPS, NUM_LETTERS), LETTERS,
     "utils/deepspeech"),
    ("Windows", "%d to %d rows a second,\n%d rows around each frame"
     % (ACOUSTIC_FPS, ANIMATION_FPS, WINDOW_FRAMES),
     "[%d, %d, %d]" % (ANIMATION_FPS, WINDOW_FRAMES, NUM_LETTERS), LETTERS, "utils/deepspeech"),
    ("Speech encoder", "four convolutions in time\n(%s filters),\n128 tanh, 50 linear"
     % ", ".join(str(filters) for filters in FULL_FILTERS),
     "[%d, 50]" % ANIMATION_FPS, FACE, "utils/network"),
    ("Expression layer", "one dense layer, sigmoid:\n%d ARKit channels" % NUM_BLENDSHAPES,
     "0..1\n[%d, %d]" % (ANIMATION_FPS, NUM_BLENDSHAPES), FACE, "utils/network"),
    ("Eye motion", "seeded blinks and\nslight brow raises",
     "[%d, %d]" % (ANIMATION_FPS, NUM_BLENDSHAPES), FACE, "utils/animation"),
    ("Files", "Live Link CSV, NPZ,\nRokoko JSON, curves,\npreview video", "", FILES,
     "utils/formats"),
)


def place_of(index):
    """(left, bottom) of the box of a stage, in pixels from the lower left."""
    column, row = index % 4, index // 4
    return 24 + column * 322, (334, 78)[row]


def draw_stage(axes, index):
    title, text, _, colour, package = STAGES[index]
    left, bottom = place_of(index)
    axes.add_patch(FancyBboxPatch((left, bottom), BOX_WIDTH, BOX_HEIGHT, linewidth=1.8,
                                  boxstyle="round,pad=0,rounding_size=10", facecolor="white",
                                  edgecolor=colour))
    middle = left + BOX_WIDTH / 2.0
    axes.text(middle, bottom + BOX_HEIGHT - 24, title, ha="center", va="center", color=colour,
              fontsize=13.5, weight="bold")
    axes.text(middle, bottom + BOX_HEIGHT / 2.0 - 12, text, ha="center", va="center", color=INK,
              fontsize=10.5, linespacing=1.35)
    axes.text(middle, bottom - 17, package, ha="center", va="center", color=GREY, fontsize=9,
              family="monospace")


def draw_arrow(axes, index):
    """The arrow from a stage to the next one, with the shape of what flows."""
    left, bottom = place_of(index)
    next_left, next_bottom = place_of(index + 1)
    middle, shape = bottom + BOX_HEIGHT / 2.0, STAGES[index][2]
    style = dict(arrowstyle="-|>", mutation_scale=16, linewidth=1.6, color=INK, shrinkA=0,
                 shrinkB=0)
    if bottom == next_bottom:
        axes.add_patch(FancyArrowPatch((left + BOX_WIDTH + 6, middle), (next_left - 6, middle),
                                       **style))
        axes.text((left + BOX_WIDTH + next_left) / 2.0, middle + 9, shape, ha="center",
                  va="bottom", color=INK, fontsize=10, weight="bold", linespacing=1.2)
        return
    # From the end of the upper row to the beginning of the lower one.
    out, between = left + BOX_WIDTH / 2.0, next_bottom + BOX_HEIGHT + 52
    into = next_left + BOX_WIDTH / 2.0
    axes.plot([out, out, into], [bottom - 30, between, between], color=INK, linewidth=1.6,
              solid_joinstyle="round")
    axes.add_patch(FancyArrowPatch((into, between), (into, next_bottom + BOX_HEIGHT + 6), **style))
    axes.text((out + into) / 2.0, between + 7, shape, ha="center", va="bottom", color=INK,
              fontsize=10, weight="bold")


def main():
    figure = Figure(figsize=(WIDTH / 100.0, HEIGHT / 100.0), dpi=100, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes([0, 0, 1, 1], xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.set_axis_off()
    axes.text(24, HEIGHT - 34, "One second of sound becomes %d faces" % ANIMATION_FPS,
              color=INK, fontsize=16, weight="bold", va="center")
    axes.text(24, HEIGHT - 62, "in brackets: the shape of what flows", color=GREY, fontsize=10.5,
              va="center")
    for index in range(len(STAGES)):
        draw_stage(axes, index)
    for index in range(len(STAGES) - 1):
        draw_arrow(axes, index)
    path = os.path.join(HERE, "architecture.png")
    figure.savefig(path, facecolor=PAPER)
    print("wrote %s: %.0f kB" % (path, os.path.getsize(path) / 1000.0))


if __name__ == "__main__":
    main()
