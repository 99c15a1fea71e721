#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A tree of documents as URLs, and the pages that came back.

documents.py list ROOT BASE COUNT          prints the URLs of at most COUNT files below ROOT
documents.py verify ROOT FOLDER JSON LIST  every URL of LIST is good in JSON, identical in FOLDER
"""

import hashlib
import json
import os
import sys
import urllib.parse


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).digest()


def list_urls(root, base, count):
    paths = []
    for folder, folders, names in os.walk(os.fsencode(root), followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.R_OK):
                paths.append(os.path.relpath(path, os.fsencode(root)))
    # Spread over the whole tree, so that any number of them is as mixed as all.
    step = max(1, len(paths) // int(count))
    for path in paths[::step][: int(count)]:
        print(f"{base}/{urllib.parse.quote(path)}")


def verify(root, folder, results, urls):
    with open(urls, encoding="utf-8") as file:
        wanted = sorted(file.read().split())
    with open(results, encoding="utf-8") as file:
        pages = [json.loads(line) for line in file]
    bad = [page for page in pages if page["error"] is not None]
    assert not bad, f"{len(bad)} failed, the first: {bad[0]}"
    assert sorted(page["url"] for page in pages) == wanted, "other URLs than those asked for"
    assert len({page["file"] for page in pages}) == len(pages), "two pages in one file"
    assert sorted(os.listdir(folder)) == sorted(page["file"] for page in pages), "other files"
    size = 0
    for page in pages:
        source = urllib.parse.unquote_to_bytes(urllib.parse.urlsplit(page["url"]).path.lstrip("/"))
        path = os.path.join(folder, page["file"])
        assert os.path.getsize(path) == page["bytes"], page
        assert digest(path) == digest(os.path.join(os.fsencode(root), source)), page
        size += page["bytes"]
    retried = sum(page["attempts"] > 1 for page in pages)
    print(f"  {len(pages)} files, {size} bytes, identical; {retried} needed another attempt")


if sys.argv[1] == "list":
    list_urls(*sys.argv[2:])
else:
    verify(*sys.argv[2:])
