"""A take as a web page: the head in 3D with its sound, and the curves under it.

    python view.py animation_output/test_sentence/blendshapes.csv       any face file
    python view.py take.csv --sound take.wav --open                     and open it in the browser
    python view.py mine.npz --against capture.csv --sound take.wav      two takes side by side
    python view.py take.json --avatar my_head.glb --out shown.html      on a head of yours

Writes one file that holds all: it opens from the disk, without a network. In the page you can
also drop in your own head (.glb with ARKit's shapes), another take, or a sound.

What is read: CSV of Live Link Face, of Audio2Face and tables; JSON of Audio2Face, BEAT, LAM and
Rokoko; .npz of run_voca.py; .vmd; .vrma; .glb with an animation. The sound is any file ffmpeg reads.
Where none is named, one of the take's name beside it is taken, or the preview.mp4 there.
"""
import argparse
import os
import pathlib
import webbrowser

from utils.common.errors import run_script
from utils.formats.flags import add_live_link_sides_flag


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("take_path", metavar="TAKE", help="the face file to show")
    parser.add_argument("--against", metavar="OTHER",
                        help="a face file to show beside it and to score it against")
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--sound", metavar="AUDIO",
                       help="the sound or video that it goes with (the one beside TAKE)")
    sound.add_argument("--no_sound", action="store_true", help="take no sound")
    parser.add_argument("--avatar", metavar="GLB",
                        help="the head, with morph targets named as ARKit's shapes (TAKE itself "
                             "where it is a .glb, else this project's)")
    parser.add_argument("--out", metavar="PAGE", help="the page (TAKE with .html for its ending)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    add_live_link_sides_flag(parser)
    return parser


def main():
    parser = get_parser()
    args = parser.parse_args()
    out_path = args.out or os.path.splitext(args.take_path)[0] + ".html"
    if not out_path.lower().endswith((".html", ".htm")):
        parser.error("--out %s: a browser opens what ends in .html" % out_path)
    # scipy and what reads the files take a second to import: after the flags are known to be right.
    from utils.pages.viewer_page import sound_beside, view
    sound_path = args.sound
    if sound_path is None and not args.no_sound:
        sound_path = sound_beside(args.take_path)
        if sound_path:
            print("sound: %s" % sound_path)
    num_bytes = view(args.take_path, out_path, args.against, sound_path, args.avatar,
                     args.live_link_sides)
    print("wrote %s, %.1f MB: open it in a browser" % (out_path, num_bytes / 1e6))
    if args.open:
        webbrowser.open(pathlib.Path(out_path).resolve().as_uri())


if __name__ == "__main__":
    run_script(main)
