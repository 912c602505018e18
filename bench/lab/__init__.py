"""What benches and drills share: shops to be measured, the measuring, and the floors that are measured beside them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "backend"))
