"""The kinds of labels that process_data.py takes, with a line each. Cheap to import."""
import collections

from utils.formats.face_kinds import FACE_FILE_KINDS

DEBUGOUT, TRACKER, PUBLISHED = "debugout", "tracker", "published"

# What find_label_source finds: a file of a face, a tracker's log, the video itself.
KINDS = collections.OrderedDict(
    list(FACE_FILE_KINDS.items()) + [
        (DEBUGOUT, "the published tracker's log, debugout-*.txt or NAME.txt"),
        (TRACKER, "the video: its face is tracked"),
    ])
# And what only --labels asks for: a folder's published files are no file beside a recording.
LABEL_KINDS = collections.OrderedDict(
    list(KINDS.items()) + [(PUBLISHED, "every subject of the published files in the folder")])
