"""Pictures of weights over time: what moved when, for people to read.

    write_curves_png("curves.png", weights, names, fps, audio_envelope)     # a clip's output
    picture = curves_image(predicted, target, names, fps)                   # for TensorBoard

matplotlib is used through its objects, without pyplot, so that nothing is shared between calls
and no display is asked for.
"""
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from utils.common.channels import reorder
from utils.common.files import written_aside

# What each panel shows: a label, and the channels whose mean its curve is.
PANELS = (
    ("jaw and lips closing", (("jaw open", ("jawOpen",)), ("mouth close", ("mouthClose",)))),
    ("lips rounding", (("funnel", ("mouthFunnel",)), ("pucker", ("mouthPucker",)))),
    ("lips spread and smile", (("stretch", ("mouthStretchLeft", "mouthStretchRight")),
                               ("smile", ("mouthSmileLeft", "mouthSmileRight")))),
    ("lips pressed and rolled", (("press", ("mouthPressLeft", "mouthPressRight")),
                                 ("roll lower", ("mouthRollLower",)),
                                 ("roll upper", ("mouthRollUpper",)))),
    ("teeth shown", (("lower lip down", ("mouthLowerDownLeft", "mouthLowerDownRight")),
                     ("upper lip up", ("mouthUpperUpLeft", "mouthUpperUpRight")))),
    ("eyes", (("blink left", ("eyeBlinkLeft",)), ("blink right", ("eyeBlinkRight",)))),
    ("brows", (("inner up", ("browInnerUp",)),
               ("down", ("browDownLeft", "browDownRight")))),
)
# The channels that a training picture compares, one a panel.
COMPARED = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthPressLeft",
            "mouthRollLower", "mouthLowerDownLeft", "mouthSmileLeft", "eyeBlinkLeft",
            "browInnerUp")
COLOURS = ("#1f6fb4", "#d9622b", "#3a8f4d")
MAX_POINTS = 2000                   # of one curve; more are told by their extremes
GRID_GREY, ENVELOPE_GREY = "#d8d8d8", "#e3e7ec"


def empty_panels():
    """(figure, axes) of write_curves_png without curves: half of its time, before they are there.
    """
    figure = Figure(figsize=(11, 1.25 * len(PANELS) + 0.9), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (title, _) in zip(axes, PANELS):
        dress(axis, title)
    return figure, axes


def write_curves_png(path, weights, names, fps, audio_envelope=None, panels=None):
    """Small multiples of `weights` [frames, 52] against time in seconds, as a PNG.

    `audio_envelope` [n], any n, spans the clip and is drawn behind the jaw, scaled to its own
    maximum. Clips of any length: curves of many frames keep each stretch's lowest and highest.
    `panels`: what empty_panels() gave, for one picture; None: they are made here. Raises ValueError
    for no frames or a channel that is not in `names`, UserError where the file cannot be written.
    """
    weights = checked(weights, names)
    figure, axes = panels or empty_panels()
    duration_s = len(weights) / float(fps)
    axes[0].set_xlim(0, duration_s)                     # of all
    for axis, (_, curves) in zip(axes, PANELS):
        for (label, channels), colour in zip(curves, COLOURS):
            values = reorder(weights, names, channels).mean(axis=1)             # [frames]
            draw_curve(axis, values, fps, colour, label)
        axis.legend(loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=8,
                    handlelength=1.2)
    if audio_envelope is not None and len(audio_envelope):
        envelope = np.abs(np.asarray(audio_envelope, np.float64))
        envelope = envelope / max(envelope.max(), 1e-12)
        times_s, lowest, highest = extremes(envelope, len(envelope) / duration_s)
        axes[0].fill_between(times_s, 0, highest, color=ENVELOPE_GREY, linewidth=0, zorder=0)
        axes[0].text(0.004, 0.86, "grey: loudness", transform=axes[0].transAxes, fontsize=7,
                     color="#7a828c")
    axes[-1].set_xlabel("time in seconds (%d frames at %g a second)" % (len(weights), fps))
    figure.subplots_adjust(left=0.055, right=0.865, top=0.97, bottom=0.065, hspace=0.42)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png")


def curves_image(predicted, target, names, fps):
    """Predicted against true curves, both [frames, 52]: uint8 RGB [height, width, 3]."""
    predicted, target = checked(predicted, names), checked(target, names)
    if predicted.shape != target.shape:
        raise ValueError("predicted %s and target %s differ in shape"
                         % (predicted.shape, target.shape))
    figure = Figure(figsize=(9, 6.5), dpi=90)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(len(COMPARED) // 2, 2, sharex=True)
    for axis, channel in zip(axes.ravel(), COMPARED):
        draw_curve(axis, reorder(target, names, (channel,))[:, 0], fps, "#9aa4af", "true")
        draw_curve(axis, reorder(predicted, names, (channel,))[:, 0], fps, COLOURS[1],
                   "predicted")
        dress(axis, channel, len(target) / float(fps))
    axes[0, 0].legend(loc="upper right", frameon=False, fontsize=7, ncol=2)
    for axis in axes[-1]:
        axis.set_xlabel("time in seconds", fontsize=8)
    figure.subplots_adjust(left=0.05, right=0.99, top=0.96, bottom=0.07, hspace=0.42, wspace=0.10)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def checked(weights, names):
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(names):
        raise ValueError("weights of shape %s, expected (frames, %d), one frame at least"
                         % (weights.shape, len(names)))
    return weights


def draw_curve(axis, values, fps, colour, label):
    """One curve [frames]; a single frame is a dot, many are a band of their extremes."""
    times_s, lowest, highest = extremes(values, fps)
    if len(values) == 1:
        axis.plot(times_s, values, "o", color=colour, label=label, markersize=4)
    elif len(times_s) == len(values):
        axis.plot(times_s, values, color=colour, label=label, linewidth=1.3)
    else:
        axis.fill_between(times_s, lowest, highest, color=colour, label=label, linewidth=0.4,
                          alpha=0.6)


def extremes(values, fps):
    """(times in s, lowest, highest) of at most MAX_POINTS stretches of `values` [n]."""
    stretch = -(-len(values) // MAX_POINTS)                 # frames a stretch, rounded up
    starts = np.arange(0, len(values), stretch)
    return (starts / float(fps), np.minimum.reduceat(values, starts),
            np.maximum.reduceat(values, starts))


def dress(axis, title, duration_s=None):
    axis.set_title(title, loc="left", fontsize=9, pad=3)
    if duration_s is not None:
        axis.set_xlim(0, duration_s)
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.5, 1])
    axis.tick_params(labelsize=7, length=2)
    axis.grid(True, color=GRID_GREY, linewidth=0.6)
    axis.set_axisbelow(True)
    for edge in ("top", "right"):
        axis.spines[edge].set_visible(False)
