"""A scorecard as one HTML page that needs nothing beside it: tables, and the curves as pictures."""
import base64
import html
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from utils.common.files import written_aside
from utils.pages.html import STYLE, html_table
from utils.preview.curve_pictures import COLOURS, draw_curve, dress
from utils.scoring.metrics import SIGNALS
from utils.scoring.scorecard import LABELS, LOUDNESS, MEAN, SYSTEM, measure_names, shown

CLOSE_UP_S = 10.0                   # shown frame by frame; the whole clip is drawn above it
LINES = ((LABELS, "#9aa4af"), (LOUDNESS, COLOURS[0]), (SYSTEM, COLOURS[1]))


def write_page(path, card, curves):
    """The page of what utils.scoring.scorecard.score returned; `card` also says system, audio,
    labels.

    Raises UserError where the file cannot be written.
    """
    content = page(card, curves)
    with written_aside(path) as aside, open(
            aside, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(content)


def page(card, curves):
    """The page as text."""
    kinds = list(card["systems"])
    title = "%s on %s" % (card["system"], card["audio"])
    parts = [
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>%s</title>"
        "<style>%s</style></head><body>" % (html.escape(title), STYLE),
        "<h1>%s</h1>" % html.escape(title),
        "<p class='facts'>against %s; %.1f s, %d frames at %d a second, %.1f s of them silent. "
        "%s: channel by channel, the sum of RMS, dB and a constant that fits these labels best. "
        "%s: that of %s. &ndash;: has no value (a curve that stands still has no r).</p>"
        % (html.escape(card["labels"]), card["scored_s"], card["frames"], card["fps"],
           card["silent_s"], LOUDNESS, MEAN, html.escape(", ".join(card["mean_of"])))]
    parts += ["<h2>Measures</h2>", html_table(["measure"] + kinds, [
        [name] + [shown(card["systems"][kind].get(name), name) for kind in kinds]
        for name in measure_names(card)])]
    parts += ["<h2>Curves</h2>"]
    for from_s, length_s, caption in _stretches(card["scored_s"]):
        parts.append("<p>%s</p><img alt='%s' src='data:image/png;base64,%s'>" % (
            caption, caption, _picture(curves, card["fps"], from_s, length_s)))
    for key, heading in (("mae", "Mean absolute error"), ("r", "Correlation")):
        rows = [[part] + [shown(card["regions"][kind][part][key], key) for kind in kinds]
                for part in card["regions"][SYSTEM]]
        rows += [[name] + [shown(values[kind][key], key) for kind in kinds]
                 for name, values in card["channels"].items()]
        parts += ["<h2>%s by region and channel</h2>" % heading, html_table(["part"] + kinds, rows)]
    parts.append("<p class='facts'>Not scored, since they do not move in the labels: %s.</p>"
                 % (", ".join(card["still_channels"]) or "none"))
    return "\n".join(parts) + "\n</body></html>\n"


def _stretches(duration_s):
    """[(from_s, length_s, caption)] of the pictures: the whole, and the middle close up."""
    whole = [(0.0, duration_s, "the whole clip")]
    if duration_s <= 1.5 * CLOSE_UP_S:
        return whole
    from_s = (duration_s - CLOSE_UP_S) / 2.0
    return whole + [(from_s, CLOSE_UP_S, "%.1f to %.1f s" % (from_s, from_s + CLOSE_UP_S))]


def _picture(curves, fps, from_s, length_s):
    """Base64 PNG of each signal of the mouth that the labels have, one above the other."""
    signals = [signal for signal in SIGNALS if signal in curves[LABELS]]
    first, last = int(from_s * fps), int((from_s + length_s) * fps)
    figure = Figure(figsize=(11, 1.7 * len(signals) + 0.6), dpi=90)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    for axis, signal in zip(axes, signals):
        for kind, colour in LINES:
            if signal in curves[kind]:
                draw_curve(axis, curves[kind][signal][first:last], fps, colour, kind)
        dress(axis, signal, (last - first) / float(fps))
        highest = max(curves[kind][signal][first:last].max() for kind, _ in LINES
                      if signal in curves[kind])
        axis.set_ylim(-0.03 * highest, max(1.1 * highest, 0.01))
        axis.set_yticks([0.0, round(highest, 2)])
    axes[0].legend(loc="upper right", frameon=False, fontsize=8, ncol=len(LINES))
    axes[-1].set_xlabel("seconds from %.1f" % from_s if from_s else "seconds")
    figure.tight_layout()
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode("ascii")
