"""Reading HTML strictly: what tests ask of a page that is shown in a notebook."""

from html.parser import HTMLParser

#: All that pages are made of: what a notebook that is not trusted still shows.
TAGS = {"div", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "progress"}
ATTRIBUTES = {"style", "colspan", "scope", "cellpadding", "value", "max"}


class _Page(HTMLParser):
    """A page whose every element is closed, in order, and of a kind that is allowed."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.found, self.pieces = [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, f"<{tag}> is not shown everywhere"
        assert {name for name, _ in attrs} <= ATTRIBUTES, f"attributes of <{tag}>: {attrs}"
        self.open.append(tag)
        self.found.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        raise AssertionError(f"<{tag}/> is not closed in HTML")

    def handle_endtag(self, tag):
        assert self.open[-1:] == [tag], f"</{tag}> closes nothing"
        self.open.pop()

    def handle_data(self, data):
        self.pieces.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        """All that is written."""
        return " ".join(self.pieces)

    def attributes(self, tag):
        """Attributes of all elements of a kind."""
        return [attrs for name, attrs in self.found if name == tag]

    def count(self, tag):
        """How many elements of a kind there are."""
        return len(self.attributes(tag))


def read(html):
    """Read a page; AssertionError if it is not well-formed, or has what is not shown everywhere."""
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == [], f"not closed: {page.open}"
    return page
