"""For all tests."""

import signal

# A shell that runs something in the background, and `nohup`, have it ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
