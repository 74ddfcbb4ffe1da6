"""README and docs/: easy to read, true to the commands, and a site that needs no network."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config

from stratavox import config

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
# docs/config.md is a list of keys, made from the schema
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "config/README.md"]
PAGES += [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "config.md"]
MOST_WORDS, MOST_WORDS_IN_A_SENTENCE = 1500, 25


def sentences(text: str) -> list[str]:
    """The sentences of a page without blocks of code, tables and headings; `code` is one word."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"^[ \t]*(\||#).*$", "", text, flags=re.M)
    text = re.sub(r"!\[.*?\]\(.*?\)", "", text, flags=re.S)
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text, flags=re.S)
    text = re.sub(r"`.+?`", "code", text, flags=re.S)
    paragraphs = re.split(r"\n\s*\n|^\s*(?:[*-]|\d+\.) ", text.replace("**", ""), flags=re.M)
    parts = (re.split(r"(?<=[.?!])[\")*]*\s+", paragraph) for paragraph in paragraphs)
    return [part.strip() for some in parts for part in some if part.strip()]


def test_sentences_are_told_apart():
    text = (
        "# A long heading of a page\n\nOne [link](x.md). Two `a. b` words?\n\n"
        "```\ncode. code.\n```\n* **Item.** Four\n  five.\n1. Six\n| a. | b. |\n"
    )
    assert sentences(text) == ["One link.", "Two code words?", "Item.", "Four\n  five.", "Six"]


def test_the_readme_is_short():
    assert len(README.read_text().split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_is_long(page):
    whole = sentences(page.read_text())
    assert whole
    assert not [part for part in whole if len(part.split()) > MOST_WORDS_IN_A_SENTENCE]


def test_the_config_in_the_readme_is_valid():
    from snakemake.utils import update_config

    (shown,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), flags=re.S)
    merged = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(merged, yaml.safe_load(shown))
    checked = config.check(merged)
    assert checked["datasets"]["my_calls"]["tasks"]["call_type"]["group"] == "bird"

    # and the lines that docs/your_recordings.md adds to it
    page = (ROOT / "docs/your_recordings.md").read_text().partition("## A config by hand")[2]
    further = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.S)[1])
    whole = copy.deepcopy(merged)
    update_config(whole, further)
    assert list(config.check(whole)["datasets"]["my_calls"]["tasks"]) == ["call_type", "recorder"]


def test_commands_on_the_pages_exist():
    text = "\n".join(page.read_text() for page in PAGES)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.M))
    assert len(named) > 5
    assert named <= targets
    for module in set(re.findall(r"python -m benchmarks\.(\w+)", text)):
        path = ROOT / "benchmarks" / module
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for command in sorted(set(re.findall(r"python -m stratavox (\w+)", text))):
        shown = subprocess.run(
            [sys.executable, "-m", "stratavox", command, "--help"], capture_output=True, text=True
        )
        assert shown.returncode == 0, shown.stderr


class Page(HTMLParser):
    """The ids, links and loaded files of a page of the site."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.loaded, self.lost_lists = set(), [], [], []
        self.feed(re.sub(r"<pre>.*?</pre>", "", path.read_text(), flags=re.S))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id"))
        addresses = [values[key] for key in ("src", "href") if values.get(key)]
        (self.links if tag == "a" else self.loaded).extend(map(urlsplit, addresses))

    def handle_data(self, data):
        # a list that Markdown took for a part of the paragraph above
        self.lost_lists += re.findall(r"\n *[*-] .*", data)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the built site; a warning of mkdocs (a link into nothing) stops it."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    # 404.html is for a server, with absolute addresses
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_the_site_has_every_page_and_its_lists(site, pages):
    names = {page.relative_to(ROOT).with_suffix(".html").as_posix() for page in PAGES}
    names = {name.replace("README", "index") for name in names} | {"docs/config.html"}
    assert names <= {path.relative_to(site).as_posix() for path in pages}
    assert not [mark for page in pages.values() for mark in page.lost_lists]


def test_the_site_loads_its_own_files_alone(site, pages):
    for path, page in pages.items():
        assert page.loaded
        for address in page.loaded:
            assert not address.scheme and not address.netloc, address.geturl()
            assert (path.parent / address.path).is_file(), address.geturl()
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", sheet.read_text())


def test_links_of_the_site_lead_somewhere(pages):
    for path, page in pages.items():
        for address in page.links:
            if address.scheme in ("http", "https"):
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert target.is_file(), address.geturl()
            if target in pages and address.fragment:
                assert unquote(address.fragment) in pages[target].ids, address.geturl()
