"""The vendor library, as a site directory: so that its .pth files are processed."""

import site
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def add():
    before = list(sys.path)
    site.addsitedir(str(ROOT / "requirements/vendor/lib/python"))
    added = [path for path in sys.path if path not in before]
    sys.path[:] = [str(ROOT), *added, *(path for path in before if path != str(ROOT))]
