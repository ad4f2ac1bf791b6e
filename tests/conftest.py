"""What every test starts from, however the tests were started."""

import signal

# Who starts the tests in the background of a script has them ignore SIGINT, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
