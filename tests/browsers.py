"""A real browser, and waiting for what is told beside the calls."""

import json
import time


def wait_until(condition, seconds=30.0):
    """Poll; what is told travels beside the calls."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


class Browser:
    """A headless Chromium: the text of a page, whatever shadow it is in, and what the page asked for."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url):
        self.driver.get("about:blank")
        self.requests(), self.errors()  # those of the page before, whose cluster may be gone
        self.driver.get(url)

    def text(self):
        return self.driver.execute_script(
            "const seen = root => Array.from(root.childNodes).map(n =>"
            "  n.nodeType == 3 ? n.data : ['STYLE', 'SCRIPT'].includes(n.nodeName) ? ''"
            "  : (n.shadowRoot ? seen(n.shadowRoot) : '') + seen(n)).join(' ');"
            "return seen(document.body)"
        )

    def shows(self, *texts):
        return wait_until(lambda: all(text in self.text() for text in texts))

    def data(self, column):
        """The columns of that name in all sources of the page, as the browser has them."""
        return self.driver.execute_script(
            "const name = arguments[0]; return Array.from(Bokeh.documents[0]._all_models.values())"
            ".filter(m => m.type == 'ColumnDataSource' && m.data[name] !== undefined)"
            ".map(m => Array.from(m.data[name]))",
            column,
        )

    def requests(self):
        """Addresses that were asked for, web sockets too."""
        logged = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [m["params"]["request"]["url"] for m in logged if m["method"] == "Network.requestWillBeSent"]
        return asked + [m["params"]["url"] for m in logged if m["method"] == "Network.webSocketCreated"]

    def errors(self):
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]
