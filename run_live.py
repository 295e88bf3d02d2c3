"""Speak, and the face moves in the tool you use: 52 ARKit blendshape weights, sent as they come.

    python run_live.py --to livelink                    the microphone, to Unreal on this machine
    python run_live.py --to vmc@192.168.1.20            to VSeeFace or Warudo on another
    python run_live.py --to page                       to a page in the browser
    python run_live.py --audio_fname speech.wav --to vmc    a recording, at the pace it is heard
    arecord -f S16_LE -r 16000 | python run_live.py --source stdin --to rokoko
    python run_live.py --source websocket --to websocket    for your own program: docs/live.md

Sources: microphone, stdin, tcp, websocket; or --audio_fname. stdin, tcp and websocket take raw PCM.
Sinks, several at once, each with its usual port:
    livelink    Live Link Face, for Unreal             UDP 11111
    vmc         VSeeFace, Warudo, VirtualMotionCapture UDP 39540
    rokoko      Rokoko Studio Live JSON v3             UDP 14043
    websocket   JSON for any program, and a server     TCP 8765
    page        the head in a browser of this computer TCP 8767
Any of them is NAME, NAME@HOST or NAME@HOST:PORT. --record writes a file, too.

Frames come later than their sound; the program says by how much. Ctrl-C ends it.
"""
import argparse

from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import run_script
from utils.common.script_flags import add_eye_flags, add_model_flags, whole_number
from utils.live.places import MICROPHONE, SINKS, SOURCES, parse_place
from utils.live.recording import recording_format
from utils.live.sound import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SAMPLE_FORMATS, Pcm
from utils.live.sources import print_devices
from utils.live.vmc import PERFECT_SYNC, SHAPE_SETS


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=place_among(SOURCES), metavar="SOURCE",
                        help="one of %s (%s)" % (", ".join(SOURCES), MICROPHONE))
    parser.add_argument("--audio_fname", metavar="AUDIO",
                        help="a recording as the source, at the pace at which it is heard")
    parser.add_argument("--to", type=place_among(SINKS), action="append", default=[],
                        metavar="SINK", help="one of %s; may be repeated" % ", ".join(SINKS))
    parser.add_argument("--record", type=recording, action="append", default=[], metavar="FILE",
                        help="write the face, too, when it ends: blendshapes.csv, face.glb or any "
                             "other name that run_voca.py writes; may be repeated")
    parser.add_argument("--host", help="where a --to or --source without one is: the tool's "
                                       "computer, or the address to listen at (this computer)")
    parser.add_argument("--port", type=int, help="of the only --to, or of --source without one")
    parser.add_argument("--subject", default="voca", metavar="NAME",
                        help="under which tools list the face (%(default)s)")
    parser.add_argument("--fps", type=int, choices=(ANIMATION_FPS, 2 * ANIMATION_FPS),
                        default=ANIMATION_FPS, help="(%(default)s)")
    parser.add_argument("--rate", type=whole_number(MIN_RATE_HZ, MAX_RATE_HZ),
                        default=SAMPLE_RATE_HZ, metavar="HZ", help="of raw PCM (%(default)s)")
    parser.add_argument("--channels", type=whole_number(1, MAX_CHANNELS), default=1,
                        help="of raw PCM (%(default)s)")
    parser.add_argument("--sample_format", choices=list(SAMPLE_FORMATS), default="s16",
                        help="of raw PCM, little-endian (%(default)s)")
    parser.add_argument("--device", metavar="NAME", help="the microphone: its name or number")
    parser.add_argument("--list_devices", action="store_true", help="show the microphones")
    parser.add_argument("--vmc_shapes", choices=SHAPE_SETS, default=PERFECT_SYNC,
                        help="perfect_sync: JawOpen ...; camel_case: jawOpen ...; vrm0, vrm1: "
                             "vowels and lids, for a model without the 52 (%(default)s)")
    parser.add_argument("--allow_origin", action="append", default=[], metavar="URL",
                        help="a page, besides those of this computer, that may use the WebSocket")
    add_eye_flags(parser)
    add_model_flags(parser)
    return parser


def place_among(names):
    """The argparse type of NAME, NAME@HOST or NAME@HOST:PORT with a name of `names`."""
    def place(text):
        try:
            parsed = parse_place(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error))
        if parsed.name not in names:
            raise argparse.ArgumentTypeError("%r; expected one of %s"
                                             % (parsed.name, ", ".join(names)))
        if names[parsed.name] is None and (parsed.host or parsed.port is not None):
            raise argparse.ArgumentTypeError("%s has no address" % parsed.name)
        return parsed
    return place


def recording(path):
    """argparse type of --record."""
    try:
        recording_format(path)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))
    return path


def add_addresses(parser, args):
    """--host and --port into the places that name none; status 2 where that is unclear."""
    if args.source is None and args.audio_fname is None:
        args.source = parse_place(MICROPHONE)
    with_address = args.to + ([args.source] if args.source and SOURCES[args.source.name] else [])
    if args.port is not None and (len(with_address) != 1 or with_address[0].port is not None):
        parser.error("--port goes with a single --to or --source; write NAME@HOST:PORT")
    args.to = [completed(place, args) for place in args.to]
    args.source = args.source and completed(args.source, args)


def completed(place, args):
    return place._replace(host=place.host or args.host,
                          port=args.port if place.port is None else place.port)


def main():
    parser = get_parser()
    args = parser.parse_args()
    if args.list_devices:
        print_devices()
        return
    if args.audio_fname is not None and args.source is not None:
        parser.error("--source or --audio_fname, not both")
    if not args.to and not args.record:
        parser.error("where to? give --to %s, or --record FILE" % " | ".join(SINKS))
    add_addresses(parser, args)
    # TensorFlow takes seconds to import: after the flags are known to be right.
    from utils.live.session import run_live
    run_live(
        args.tf_model_fname, args.ds_fname, args.source, args.to, args.record, args.audio_fname,
        fps=args.fps, subject=args.subject,
        pcm=Pcm(args.rate, args.channels, args.sample_format), device=args.device,
        vmc_shapes=args.vmc_shapes, allowed_origins=args.allow_origin,
        eye_motion_seed=None if args.no_eye_motion else args.seed, force=args.force,
        style=args.style, tta_copies=args.tta_copies)


if __name__ == "__main__":
    run_script(main)
