"""`python -m bracketeer`: the same as the command `bracketeer`."""

from .app.cli import main

if __name__ == "__main__":
    main()
