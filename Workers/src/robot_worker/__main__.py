"""`python -m robot_worker`: the server starts it, in the project's folder."""
from __future__ import annotations

import os
import sys


def main() -> int:
    """Loads the project and runs its calls until the server ends that."""
    # `-m` puts the working directory first, before Python 3.11 in any case. It is the project's, whose `queue.py` must not be ours.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    # Programs that the project starts find what lies beside them.
    os.environ.pop("PYTHONSAFEPATH", None)
    from .worker import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
