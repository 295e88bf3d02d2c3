"""One sound to its files, by the flags of run_voca.py."""
import os

from utils.animation.audio_file import animate_file
from utils.common.lean_import import lean_tensorflow
from utils.editing.flags import edits_of
from utils.formats.exporters import FORMATS


def load_animator(args):
    """The SpeechAnimator of parsed flags; UserError as that class."""
    with lean_tensorflow():
        from utils.animation.animator import SpeechAnimator
        return SpeechAnimator(args.tf_model_fname, args.ds_fname, args.force,
                              args.reference_chunk_s, _eye_seed(args), args.style, args.tta_copies)


def animate_sound(args, audio_path, out_path, load, num_beside=0):
    """Write the files of one sound; returns their paths, page.html last.

    Args:
      args: run_voca.py's parsed flags.
      out_path: a folder, or None as animate_file has it.
      load: called with args for the animator, once the sound is known to be there: load_animator,
        or what keeps that one's.
      num_beside: as animate_file has it.
    Raises UserError as animate_file.
    """
    edit, edits = None, edits_of(args)
    if edits:
        from utils.editing.edits import audio_edit      # which imports scipy, for a second
        edit = audio_edit(edits)
    written = animate_file(
        audio_path, args.tf_model_fname, args.ds_fname, out_path, fps=args.fps,
        preview=not args.no_preview, transcript=args.transcript, force=args.force,
        reference_chunk_s=args.reference_chunk_s, style=args.style, tta_copies=args.tta_copies,
        eye_motion_seed=_eye_seed(args), formats=args.formats, avatar_path=args.avatar, edit=edit,
        offset_s=args.offset, start_timecode=args.start_timecode, sound=args.sound,
        load_animator=lambda: load(args), num_beside=num_beside)
    if args.page:
        from utils.pages.viewer_page import PAGE_NAME, view
        take_path, = [path for path in written
                      if os.path.basename(path) == FORMATS["npz"].file_name]
        page_path = os.path.join(os.path.dirname(take_path), PAGE_NAME)
        view(take_path, page_path, sound_path=audio_path, avatar_path=args.avatar,
             title=os.path.splitext(os.path.basename(audio_path))[0])
        written.append(page_path)
    return written


def _eye_seed(args):
    return None if args.no_eye_motion else args.seed
