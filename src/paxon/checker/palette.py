"""The colours of every page and picture, for light and for dark surroundings."""

from typing import Final

PALETTE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --dim: #59636e; --line: #d5dae0; --soft: #f3f5f7;
  --good: #1a7f37; --bad: #c4212b; --doubt: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e6e9ec; --dim: #9aa4ae; --line: #39424c;
  --soft: #1d232a; --good: #57c26f; --bad: #ff6b70; --doubt: #e0b341; } }
"""
