"""Opens the shop: python backend/run.py [--debug]. The other commands of ./shop come through here too."""

import gc
import sys

# What is imported stays, and a tenth of the time that it takes would go by looking for garbage among it.
gc.disable()
from app.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["run"]))
