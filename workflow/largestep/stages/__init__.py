"""The command of each rule: read, call the library, write."""

import gc
import signal
import sys

if sys.argv[0] == "-m":  # one of them is about to run
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    gc.disable()  # until all is imported (stages.command): nothing of it is garbage
