"""Settings of all tests."""

import os

import hypothesis

# One thread everywhere: the tests share a small machine, and arithmetic must not vary.
os.environ.setdefault("OMP_NUM_THREADS", "1")
hypothesis.settings.register_profile("largestep", deadline=None, derandomize=True)
hypothesis.settings.load_profile("largestep")
