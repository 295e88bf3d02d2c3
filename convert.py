"""A face file in another format: any that run_voca.py, captures and other systems write.

    python convert.py take.csv take.npz                     what the name of the second file means
    python convert.py take.json out.csv --to csv            where it could be several formats
    python convert.py capture.csv face.vmd --fps 30         at another frame rate
    python convert.py take.npz out.json --to audio2face --gain 'mouthSmile*=0.8' --gain jawOpen=1.2
    python convert.py take.npz late.npz --offset 0.25       the face moves a quarter second later
    python convert.py speech.npz take.csv --to csv --merge iphone.csv --start_timecode 10:20:30:12

Formats by their names, with the file names that mean them:
    csv             blendshapes.csv         Live Link Face
    npz             *.npz                   weights [frames, 52] float32 in [0, 1], names, fps
    json            blendshapes.json        Rokoko Studio v3, values 0-100
    audio2face      audio2face.json         Audio2Face's JSON (whole frame rates only)
    audio2face_csv  animation_frames.csv    Audio2Face's animation_frames.csv
    beat            beat.json               BEAT's and LAM's JSON
    table           table.csv               time in seconds, and the 52 shapes by name
    vmd             *.vmd                   MikuMikuDance (30 frames a second only)
    vrma            blendshapes.vrma        VRM animation for models with Perfect Sync: 52 shapes
    vrma_presets    presets.vrma            VRM animation for other models: 5 vowels, 2 blinks
    glb             *.glb                   glTF: a talking 3D head (--avatar names another)

What is read: each of these but vrma_presets, and the forms of them that other programs write. The
shapes are found by name. Angles of head and eyes are kept from csv to csv. A take's time of day is
not: --start_timecode gives one. What was changed stands in npz (edits), audio2face (edits), beat
(metadata.edits), vrma and glb (extras of the animation); the others have no place for it.
"""
import argparse

from utils.common.constants import DEFAULT_EYE_SEED
from utils.common.errors import run_script
from utils.common.script_flags import frame_rate, seed
from utils.editing.flags import add_edit_flags, check_edit_flags, edits_of
from utils.formats.convert import (convert, format_of_name, formats_of_extension,
                                   refuse_overwriting)
from utils.formats.exporters import FORMATS
from utils.formats.flags import add_live_link_sides_flag

MIN_FPS, MAX_FPS = 1, 240           # of captures and of what tools read


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("in_path", metavar="IN", help="the file to read")
    parser.add_argument("out_path", metavar="OUT", help="the file to write")
    parser.add_argument("--to", choices=list(FORMATS), help="the format of OUT")
    parser.add_argument("--fps", type=frame_rate(MIN_FPS, MAX_FPS), metavar="RATE",
                        help="of OUT, %d to %d (that of IN)" % (MIN_FPS, MAX_FPS))
    parser.add_argument("--avatar", metavar="GLB",
                        help="the head of a .glb that is written (this project's)")
    add_live_link_sides_flag(parser)
    eyes = parser.add_mutually_exclusive_group()
    eyes.add_argument("--eye_motion", action="store_const", const=True,
                      help="blink and raise the brows as run_voca.py does; the file's own blinks "
                           "go")
    eyes.add_argument("--no_eye_motion", action="store_const", const=False, dest="eye_motion",
                      help="take the blinks out")
    parser.add_argument("--seed", type=seed, default=DEFAULT_EYE_SEED,
                        help="of --eye_motion (%(default)s)")
    add_edit_flags(parser)
    return parser


def output_format(parser, args):
    """The key of FORMATS to write; ends with status 2 where names and flags do not say one."""
    fitting = formats_of_extension(args.out_path)
    if not fitting:
        parser.error("%s: no format ends so; name OUT .csv, .json, .npz, .vmd, .vrma or .glb"
                     % args.out_path)
    name = args.to or format_of_name(args.out_path)
    if name is None:
        parser.error("%s: which format? give one of --to %s" % (args.out_path, ", ".join(fitting)))
    if name not in fitting:
        parser.error("%s is no name for --to %s; as %s"
                     % (args.out_path, name, FORMATS[name].file_name))
    return name


def main():
    parser = get_parser()
    args = parser.parse_args()
    to_name = output_format(parser, args)
    check_edit_flags(parser, args, [to_name])
    for path in filter(None, (args.merge, args.neutral)):
        refuse_overwriting(path, args.out_path)
    edits, edit = edits_of(args, args.eye_motion, args.live_link_sides), None
    if edits:
        from utils.editing.edits import face_edit       # which imports scipy, for a second
        edit = face_edit(edits)
    num_frames, fps = convert(
        args.in_path, args.out_path, to_name, args.fps, args.offset, args.live_link_sides,
        avatar_path=args.avatar, edit=edit, start_timecode=args.start_timecode)
    print("wrote %s: %d frames at %g a second" % (args.out_path, num_frames, fps))


if __name__ == "__main__":
    run_script(main)
