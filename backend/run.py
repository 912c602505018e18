"""Opens the shop: python backend/run.py [--debug]. The other commands of ./shop come through here too."""

import gc
import os
import sys

# The shop's files are for its own user alone. This comes before the imports, which write files, too.
os.umask(0o077)
# What is imported stays, and a tenth of the time that it takes would go by looking for garbage among it.
gc.disable()
from app.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["run"]))
