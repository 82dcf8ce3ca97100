"""`python -m bracketeer` and the command `bracketeer` start here, so that Ctrl-C is heard while the rest loads."""

import sys

EXIT_INTERRUPTED = 130


def main() -> None:
    """The entry point."""
    try:
        from .app.cli import app

        app(prog_name="bracketeer")
    except KeyboardInterrupt:  # before a command had begun, or after it ended; in between `speaking` hears it
        sys.stderr.write("interrupted\n")
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
