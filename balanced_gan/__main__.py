"""`python -m balanced_gan`: the same as `python train.py`."""

from balanced_gan.cli import main

main()
