"""Settings for all tests, and the browser for those that need one."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones, and for longer.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=30, database=None)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

REQUIRED = "TINYGRAD_RNN_REQUIRE_BROWSER"
"""The environment variable that makes a missing browser a failure; without it what needs one is skipped."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by selenium, that keeps what pages write to its console."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, program in programs.items() if program is None]
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing.append("selenium")
    if missing:
        why = f"needs {', '.join(missing)}: apt-get install chromium chromium-driver, pip install selenium"
        pytest.fail(why) if os.environ.get(REQUIRED) == "1" else pytest.skip(why)
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.add_argument("--window-size=1280,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()
