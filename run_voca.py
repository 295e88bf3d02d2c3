"""Speech in, a moving face out: 52 ARKit blendshape weights per frame.

    python run_voca.py                                  the embedded test sentence
    python run_voca.py --audio_fname speech.mp3         any file that ffmpeg reads
    python run_voca.py --audio_fname takes --jobs 4     all sounds below a folder, four at a time
    python run_voca.py --audio_fname 'takes/*.wav'      all that fit a pattern, in quotes
    python run_voca.py --audio_fname takes --scheduler tcp://head:8786      on a cluster
    python run_voca.py --tf_model_fname ./training/checkpoints --audio_fname speech.wav
    python run_voca.py --tf_model_fname './model/gstep_199800.model' \\
        --ds_fname './ds_graph/deepspeech-0.5.0-models/output_graph.tflite' \\
        --audio_fname './audio/test_sentence.wav'       the published system's files

Writes into --out_path (./animation_output/<audio name>/):
    blendshapes.csv    Live Link Face, for Unreal's importer, Blender add-ons, MetaHuman
    blendshapes.npz    weights [frames, 52] float32 in [0, 1], names, fps
    blendshapes.json   Rokoko Studio v3, values 0-100
    face.glb           a 3D head that speaks, for Blender and browsers (without the sound)
    curves.png         the curves, to look at
    preview.mp4        a drawn face with the sound (not with --no_preview)
    transcript.csv     word, start_s, end_s (with --transcript)
    face.wav           the sound beside face.glb (with --sound)
    page.html          the head, the sound and the curves, for any browser (with --page)
--formats chooses among the first four.

Of many sounds each has a folder below --out_path, named like it, with made_from.json besides. The
same command goes on where it was stopped, and leaves what it made of the same sounds by the same
settings. The exit status is 1 where a sound failed; the others are written.

Blinks and slight brow raises are not in the sound: they come from a seeded generator. --seed draws
others, --no_eye_motion leaves the network's output as it is. A published checkpoint's output gets
none.

    python run_voca.py --audio_fname take.wav --merge take_iPhone_cal.csv --smooth 5
                                        brows and eyes of a capture, the mouth of the sound
"""
import argparse
import os

from utils.common.constants import ANIMATION_FPS, DEFAULT_AUDIO, MAX_FPS, MIN_FPS
from utils.common.errors import run_script
from utils.common.quick_exit import quick_exit
from utils.common.script_flags import (add_eye_flags, add_model_flags, add_scheduler_flag,
                                       frame_rate, whole_number)
from utils.editing.flags import add_edit_flags, check_edit_flags
from utils.formats.exporters import DEFAULT_FORMATS, FORMATS


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser)
    parser.add_argument("--audio_fname", default=DEFAULT_AUDIO, metavar="AUDIO",
                        help="wav, mp3, flac, ogg, m4a, mp4 ...; a folder with many; a pattern in "
                             "quotes (%(default)s)")
    parser.add_argument("--out_path", metavar="FOLDER",
                        help="default: ./animation_output/<audio name>; of many: "
                             "./animation_output, and <audio name> below it")
    parser.add_argument("--jobs", type=whole_number(1), metavar="N",
                        help="of many sounds: how many at a time (one for every two cores)")
    add_scheduler_flag(parser)
    parser.add_argument("--modified_only", action="store_true",
                        help="of many sounds: leave what other settings made of the same sound")
    parser.add_argument("--fps", type=frame_rate(MIN_FPS, MAX_FPS), default=ANIMATION_FPS,
                        help="%d to %d (%%(default)s)" % (MIN_FPS, MAX_FPS))
    add_eye_flags(parser)
    parser.add_argument("--formats", type=format_names, default=",".join(DEFAULT_FORMATS),
                        metavar="NAME,NAME", help="which files of weights (%%(default)s); there are %s"
                                                   % ", ".join(FORMATS))
    parser.add_argument("--avatar", metavar="GLB",
                        help="the head of face.glb, with morph targets named as ARKit's shapes "
                             "(this project's)")
    parser.add_argument("--sound", action="store_true",
                        help="also write the sound beside face.glb, as face.wav (16 bits, mono)")
    parser.add_argument("--no_preview", action="store_true", help="write no preview.mp4")
    parser.add_argument("--page", action="store_true",
                        help="also write page.html: the head in 3D, the sound and the curves in "
                             "one file for the browser")
    parser.add_argument("--transcript", action="store_true",
                        help="also write the words that DeepSpeech hears, with their times")
    parser.add_argument("--reference_chunk_s", type=float, choices=(0.5, 0.1), default=0.5,
                        help="published checkpoints only: feature chunks as in their training "
                             "(0.5) or as in the published demo (0.1)")
    add_edit_flags(parser)
    return parser


def format_names(text):
    """argparse type of --formats: keys of FORMATS, each once."""
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in FORMATS]
    if unknown or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError("%r; expected some of %s, each once, with commas between"
                                         % (text, ", ".join(FORMATS)))
    return names


def main():
    parser = get_parser()
    args = parser.parse_args()
    if args.avatar and "glb" not in args.formats and not args.page:
        parser.error("--avatar is of face.glb; name glb in --formats, too")
    if args.sound and "glb" not in args.formats:
        parser.error("--sound is put beside face.glb; name glb in --formats, too")
    check_edit_flags(parser, args, args.formats)
    if args.page and "npz" not in args.formats:
        parser.error("--page is made of blendshapes.npz; name npz in --formats, too")
    from utils.batch import sounds          # and TensorFlow later: both after the flags are right
    if sounds.means_many(args.audio_fname):
        from utils.batch.many_sounds import animate_many
        if args.merge:
            parser.error("--merge is of one take; give one sound to --audio_fname")
        animate_many(args)
        return
    if args.jobs is not None or args.modified_only or args.scheduler is not None:
        parser.error("--jobs, --scheduler and --modified_only are of a folder or a pattern, and %s "
                     "is neither" % args.audio_fname)
    from utils.batch.one_sound import animate_sound, load_animator
    written = animate_sound(args, args.audio_fname, args.out_path, load_animator,
                            num_beside=os.cpu_count() or 1)
    print("wrote:")
    for path in written:
        print("  %-50s %8.1f kB" % (path, os.path.getsize(path) / 1000.0))
    if args.page:
        print("see and hear it: open %s in a browser" % written[-1])


if __name__ == "__main__":
    run_script(main)
    quick_exit()
