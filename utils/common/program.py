"""Which version of this program this is, and on what it runs."""
import glob
import hashlib
import os
import platform

from utils.common.constants import REPOSITORY
from utils.common.errors import UserError
from utils.common.files import sha256_of_file

try:
    from importlib import metadata
except ImportError:                     # before Python 3.8
    metadata = None


def sha256_of_program():
    """Hex sha256 of the source of this program: another version may give other files."""
    digest = hashlib.sha256()
    packages = os.path.join(glob.escape(REPOSITORY), "utils", "*")
    for path in sorted(glob.glob(os.path.join(packages, "*.py"))
                       + glob.glob(os.path.join(packages, "viewer", "*"))):
        try:
            digest.update(sha256_of_file(path).encode("ascii"))
        except OSError as error:
            raise UserError("cannot read %s: %s; check the path" % (path, error.strerror))
    return digest.hexdigest()


def versions_of(*packages):
    """{name: version} of Python (3.7, say) and of installed packages; None for an absent one."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in packages:
        found[name] = _version(name)
    return found


def _version(package):
    if metadata is not None:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None
    import pkg_resources                # takes a second
    try:
        return pkg_resources.get_distribution(package).version
    except pkg_resources.DistributionNotFound:
        return None
