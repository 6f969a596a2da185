"""``python -m paxon`` is the ``paxon`` command."""

from paxon.cli.main import main

if __name__ == "__main__":
    main()
