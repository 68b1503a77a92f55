"""What all tests need of the process that they run in."""

import signal

# Who starts the tests in the background of a shell has them ignore interrupts, and so all that they start: a test that
# ends a command by Ctrl-C would then wait for good.
signal.signal(signal.SIGINT, signal.default_int_handler)
