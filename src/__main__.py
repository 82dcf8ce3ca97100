"""`python -m bracketeer` and the command `bracketeer` start here, so that Ctrl-C is heard while the rest loads."""

import signal
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
    finally:
        # What is left is to wait for what must end. Who will not wait for that ends the process, without a traceback.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
