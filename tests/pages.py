"""The report as a page, for tests."""

import json
import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Text, pictures and addresses of a page; complains about tags that do not match."""

    def __init__(self, file):
        super().__init__()
        self.text, self.pictures, self.addresses, self.open = "", [], [], []
        self.feed(file.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "img", "input", "br"):
            self.open.append(tag)
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("src", "href") if attrs.get(name)]
        if tag == "img":
            self.pictures.append(attrs["src"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def frames(run):
    page = run.report_file.read_text(encoding="utf-8")
    return json.loads(re.search(r'class="frames">(.*?)</script>', page)[1])
