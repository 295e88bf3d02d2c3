"""Write training_config.cfg, the settings of run_training.py, with a comment for each key.

    python config_parser.py                         writes training_config.cfg
    python config_parser.py --config other.cfg      writes another file
    python config_parser.py --force                 writes over an edited file

A file that was edited is never written over without --force.
"""
import argparse

from utils.common.errors import run_script
from utils.common.script_flags import python_command, quoted
from utils.training.config import CONFIG_NAME, write_default_config


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=CONFIG_NAME, metavar="FILE",
                        help="the file to write (%(default)s)")
    parser.add_argument("--force", action="store_true", help="write over an edited file")
    return parser


def main():
    args = get_parser().parse_args()
    what = {"written": "wrote %s", "replaced": "replaced %s by the defaults",
            "unchanged": "%s is there already, with the defaults; left as it is"}
    print(what[write_default_config(args.config, args.force)] % args.config)
    print("train with: %s%s" % (
        python_command("run_training.py"),
        "" if args.config == CONFIG_NAME else " --config %s" % quoted(args.config)))


if __name__ == "__main__":
    run_script(main)
