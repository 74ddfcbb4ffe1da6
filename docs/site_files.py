"""A hook of mkdocs: the site's files and its menu.

The site has the folders of the repository, so that links between README, docs/ and other files
lead to the same files in both.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)[^)]*\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The menu: README, then a submenu for each line of its list "All pages"."""
    lists = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## All pages\n")[2]
    lines = re.findall(r"^\* \*\*(.+)\*\*: (.+)$", lists, flags=re.MULTILINE)
    config.nav = [{"Start": "README.md"}] + [
        {name: [{title.capitalize(): path} for title, path in LINK.findall(pages)]}
        for name, pages in lines
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages by their place in the repository, and each file that one of them links to."""
    folders = (ROOT, ROOT / "config", ROOT / "docs")
    pages = [page for folder in folders for page in sorted(folder.glob("*.md"))]
    paths = dict.fromkeys([*pages, *(ROOT / style for style in config.extra_css)])
    for page in pages:
        links = (link for _, link in LINK.findall(page.read_text(encoding="utf-8")))
        targets = ((page.parent / link).resolve() for link in links if "://" not in link)
        paths |= dict.fromkeys(target for target in targets if target.is_file())
    own = [
        File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path))
        for path in paths
    ]
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files(theme + own)
