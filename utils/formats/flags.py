"""The flag of the scripts that read Live Link Face takes."""
from utils.formats.face_kinds import BY_NAME, LIVE_LINK_SIDES


def add_live_link_sides_flag(parser):
    """Add --live_link_sides to an argparse parser."""
    parser.add_argument("--live_link_sides", choices=LIVE_LINK_SIDES, default=BY_NAME,
                        help="whose MouthLeft/Right and JawLeft/Right of Live Link CSVs are: as "
                             "named, or crosswise, as the app seems to name them (%(default)s)")
