"""SIGTERM ends a run of Snakemake whatever it is doing at that moment."""

import signal
import threading


def handle_apart() -> None:
    """Let Snakemake handle SIGTERM in a thread of its own, from now on.

    Its handler waits for the scheduler's lock. Python runs handlers in the main thread, which may
    be holding that lock (Snakemake 9.27): the run would then wait for itself for ever, and keep
    others out of its results.
    """
    handler = signal.getsignal(signal.SIGTERM)
    signal.signal(
        signal.SIGTERM, lambda *given: threading.Thread(target=handler, args=given).start()
    )
