"""A cluster of processes with its dashboard, what its page remembers, and a real browser."""

import shutil

import numpy as np
import pytest
from browsers import Browser

from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, stack


@pytest.fixture(scope="module")
def ctx():
    with DistributedContext(n_workers=2, processes=True) as made:
        yield made


@pytest.fixture(scope="module")
def record(ctx):
    return ctx._cluster.scheduler.plugins["daskphys"].record


@pytest.fixture(scope="module")
def A():
    """Eight sensors whose AᴴA does not merge, so that calls go to the cluster."""
    rng = np.random.default_rng(0)
    return stack(*[Blur(rng.random((5, 5)), "valid") for _ in range(8)])


@pytest.fixture(scope="module")
def D(A, ctx):
    return distribute(A, ctx, chunks=1)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).random((2, 64, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("there is no chromium with its chromedriver: on Debian, apt-get install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1180"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield Browser(driver)
    driver.quit()
