"""Settings for all tests."""

import os

from hypothesis import settings

# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones, and for longer.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=30, database=None)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
