"""`python -m gigawatt.cli`, where no `gw` is on the path."""

from gigawatt.cli import main

if __name__ == "__main__":
    main()
