"""Opens the shop: python backend/run.py [--debug]. The other commands of ./shop come through here too."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["run"]))
