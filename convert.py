"""A face file in another format: any that run_voca.py, captures and other systems write.

    python convert.py take.csv take.npz                     what the name of the second file means
    python convert.py take.json out.csv --to csv            where it could be several formats
    python convert.py capture.csv face.vmd --fps 30         at another frame rate
    python convert.py take.npz out.json --to audio2face --gain 'mouthSmile*=0.8' --gain jawOpen=1.2
    python convert.py take.npz late.npz --offset 0.25       the face moves a quarter second later

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
shapes are found by name. Head and eye angles, and a take's time of day, are not carried over.
"""
import argparse
import math

from utils.common.errors import run_script
from utils.common.script_flags import frame_rate
from utils.formats.convert import convert, format_of_name, formats_of_extension, parse_gain
from utils.formats.exporters import FORMATS
from utils.formats.face_kinds import BY_NAME, LIVE_LINK_SIDES

MIN_FPS, MAX_FPS = 1, 240           # of captures and of what tools read
MAX_OFFSET_S = 3600


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("in_path", metavar="IN", help="the file to read")
    parser.add_argument("out_path", metavar="OUT", help="the file to write")
    parser.add_argument("--to", choices=list(FORMATS), help="the format of OUT")
    parser.add_argument("--fps", type=frame_rate(MIN_FPS, MAX_FPS), metavar="RATE",
                        help="of OUT, %d to %d (that of IN)" % (MIN_FPS, MAX_FPS))
    parser.add_argument("--gain", type=gain, action="append", default=[], metavar="NAME=FACTOR",
                        help="amplify the shapes of that name, * for any letters; may be repeated")
    parser.add_argument("--offset", type=offset_s, default=0.0, metavar="SECONDS",
                        help="how much later the face moves; below 0: what to cut from its start")
    parser.add_argument("--avatar", metavar="GLB",
                        help="the head of a .glb that is written (this project's)")
    parser.add_argument("--live_link_sides", choices=LIVE_LINK_SIDES, default=BY_NAME,
                        help="whose MouthLeft/Right and JawLeft/Right of a Live Link CSV are: as "
                             "named, or crosswise, as the app seems to name them (%(default)s)")
    return parser


def gain(text):
    """argparse type of --gain."""
    try:
        return parse_gain(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


def offset_s(text):
    """argparse type of --offset: seconds, an hour at most."""
    value = float(text)                         # argparse words the ValueError
    if math.isnan(value) or abs(value) > MAX_OFFSET_S:
        raise argparse.ArgumentTypeError("%s is not from -%d to %d"
                                         % (text, MAX_OFFSET_S, MAX_OFFSET_S))
    return value


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
    num_frames, fps = convert(
        args.in_path, args.out_path, output_format(parser, args), args.fps, args.gain, args.offset,
        args.live_link_sides, avatar_path=args.avatar)
    print("wrote %s: %d frames at %g a second" % (args.out_path, num_frames, fps))


if __name__ == "__main__":
    run_script(main)
