"""Which files are recordings, and what a source says of one before features are made of it."""
import collections

from utils.media.audio import SOUND_EXTENSIONS
from utils.media.video import VIDEO_EXTENSIONS

MEDIA_EXTENSIONS = VIDEO_EXTENSIONS + SOUND_EXTENSIONS

# What a source says of one subject before features are made of it.
# sound(profile) gives (an iterator of sample blocks, their rate in Hz); windows are the
# features themselves where the source brings them, else None. valid None: every frame is.
Recording = collections.namedtuple(
    "Recording", "name audio_sha256 duration_s sound targets mask windows valid labels_sha256")
Recording.__new__.__defaults__ = (None, None)
