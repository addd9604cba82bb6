"""Opens report.html files from disk in headless Chromium, light and dark, wide and narrow.

    check.py REPORT.html...

Asserts: no console error, no request but for the file itself, tables sort both ways, no horizontal overflow at 1280 and
390 px, every picture has tooltips.
"""
import json
import pathlib
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]


def browser(dark, profile):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS + [f"--user-data-dir={profile}"] + (["--force-dark-mode"] if dark else []):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def requests(driver):
    """Addresses that a document on disk asked for. What the browser's own pages ask for is not the report's."""
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith("file:"):
            yield message["params"]["request"]["url"]


# A column at once: a question a cell takes minutes.
COLUMN = """
const cells = arguments[0].querySelectorAll(`tbody tr td:nth-child(${arguments[1]})`);
return Array.from(cells, cell => cell.dataset.value || cell.innerText);
"""


def numbers(table, column):
    found = []
    for text in table.parent.execute_script(COLUMN, table, column):
        try:
            found.append(float(text.replace(",", "").replace("\u2212", "-")))
        except ValueError:
            pass  # a cell without a number
    return found


def sorts(driver):
    """Clicks a numeric heading of every table with at least three numbers in it; the order must follow."""
    sorted_tables = 0
    for table in driver.find_elements(By.CSS_SELECTOR, "table"):
        headings = table.find_elements(By.CSS_SELECTOR, "thead th")
        for column, heading in enumerate(headings, 1):
            before = numbers(table, column)
            if len(set(before)) < 3:
                continue
            button = heading.find_element(By.CSS_SELECTOR, "button")
            orders = []
            for _ in range(2):
                driver.execute_script("arguments[0].click()", button)
                after = numbers(table, column)
                assert sorted(after) == sorted(before), "sorting lost a row"
                orders.append(after)
            assert sorted(before) in orders and sorted(before, reverse=True) in orders, (column, orders)
            sorted_tables += 1
            break
    return sorted_tables


def check(path):
    url = path.resolve().as_uri()
    sorted_tables = pictures = 0
    for dark in (False, True):
        with tempfile.TemporaryDirectory() as profile:
            driver = browser(dark, profile)
            try:
                for width in (1280, 390):
                    driver.set_window_size(width, 900)
                    # A window has a least width: the page itself is made as narrow as a telephone.
                    driver.execute_cdp_cmd(
                        "Emulation.setDeviceMetricsOverride",
                        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
                    )
                    driver.get(url)
                    overflow = driver.execute_script(
                        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    )
                    assert overflow <= 0, f"{path}: {overflow} px of horizontal overflow at {width} px"
                sorted_tables = sorts(driver)
                assert sorted_tables > 0, f"{path}: no table could be sorted"
                pictures = len(driver.find_elements(By.CSS_SELECTOR, "figure svg"))
                assert pictures > 0, f"{path}: no picture"
                told = len(driver.find_elements(By.CSS_SELECTOR, "figure svg:has(title)"))
                assert told == pictures, f"{path}: {pictures - told} pictures without tooltips"
                errors = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
                assert not errors, f"{path}: {errors}"
                foreign = [address for address in requests(driver) if not address.startswith(("file:", "data:"))]
                assert not foreign, f"{path} asked for {foreign}"
            finally:
                driver.quit()
    print(f"browser: {path.name}: {sorted_tables} tables sort, {pictures} pictures, no overflow, no error, no request")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        check(pathlib.Path(name))
