"""What one run of process_data.py did, as a table."""
import collections

from utils.common.constants import NUM_BLENDSHAPES
from utils.dataset.store import ABSENT

# subjects: {name: record} of the dataset now. redone: names made in this run. failures:
# {name: line}. dropped: names that the dataset had and has no more. passed_over: names of files in
# the folder that belong to no recording.
Summary = collections.namedtuple("Summary", "subjects redone failures dropped passed_over")
NAMED_AT_MOST = 10                      # of the files passed over


def summary_table(summary):
    """The subjects as lines of text: name, source, frames, valid, offset, moving channels."""
    rows = [("subject", "labels", "frames", "valid", "offset", "moving", "")]
    for name, record in summary.subjects.items():
        offset = record["offset"]
        masked = record["mask"]
        rows.append((
            name, record["labels"]["kind"], str(record["frames"]),
            "%.1f %%" % (100.0 * record["valid"]["share"]),
            "-" if offset is None else "%+.3f s (%.2f)%s" % (
                offset["offset_s"] + 0.0, offset["confidence"],
                " corrected" if offset["corrected"] else ""),
            "%d of %d" % (NUM_BLENDSHAPES - len(masked),
                          NUM_BLENDSHAPES - sum(why == ABSENT for why in masked.values())),
            _state(summary, record.get("held_out_of", name), record)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if column in (0, 1, 6) else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def passed_over_text(names):
    """The files that belong to no recording, in a line."""
    named = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return "passed over, as no recording and no labels of one: %s%s" % (
        named, " and %d more" % more if more > 0 else "")


def alignment_text(alignment):
    """Where labels stand in the sound and how that is known, in words."""
    return "the labels begin at %+.3f s of the sound (%s%s)" % (
        alignment["start_s"], alignment["method"], "" if alignment["confidence"] is None
        else ", confidence %.2f" % alignment["confidence"])


def _state(summary, recording, record):
    if recording in summary.failures:
        return "as an earlier run made it"
    return "" if recording in summary.redone else "unchanged"
