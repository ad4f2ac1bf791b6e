"""What every test starts from, however the tests were started."""

import signal

from hypothesis import HealthCheck, settings

# Who starts the tests in the background of a script has them ignore SIGINT, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A test is right or wrong, not fast or slow: hosts are busy.
settings.register_profile("any host", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any host")
