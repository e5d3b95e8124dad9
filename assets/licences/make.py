"""Writes crates.json, the licences of all crates that Fovea is built of, from what `cargo about` found:

    cargo about generate --frozen --fail -c assets/licences/about.toml --format json \
        | python3 assets/licences/make.py > assets/licences/crates.json

Texts that differ in white space and in their copyright lines alone are written once; the copyright lines are kept beside each crate. What Cargo.lock names besides (for tests, for building, for other systems) is listed as `others`, so that
tests/licences.rs notices when the list is behind.
"""

import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

COPYRIGHT = re.compile(r"^[\s#*-]*(?:copyright\b|©|\(c\)\s+\d{4})(?! (?:license|owner|notice|holder|statement)).*", re.IGNORECASE)
# Boilerplate that names nobody.
PLACEHOLDER = re.compile(r"[\[{<](?:yyyy|year|name)", re.IGNORECASE)


def words_of_header(lines):
    """A licence that heads a file of code: the words of its comment, without the code that follows."""
    first = next((line for line in lines if line.strip()), "")
    if not re.match(r"\s*(?://|/?\*)", first):
        return lines
    header = []
    for line in lines:
        if not re.match(r"\s*(?://|/?\*|$)", line) or header and not line.strip():
            break
        header.append(re.sub(r"^\s*(?://|\*/|/?\*) ?", "", line).rstrip(" */"))
    return header


def parts(text):
    """The copyright lines of a licence, and its text without them."""
    lines = [line.rstrip() for line in text.replace("\r", "").replace("\t", "    ").split("\n")]
    lines = words_of_header(lines)
    # A sentence about copyright that goes on in the next line is no notice: a notice is a line, or lines, of its own.
    notice = [bool(COPYRIGHT.match(line)) and bool(re.search(r"\d{4}|\(c\)|©|\[", line, re.IGNORECASE)) for line in lines]
    found = [line.strip() for line, is_notice in zip(lines, notice) if is_notice and not PLACEHOLDER.search(line)]
    body = "\n".join(line for line, is_notice in zip(lines, notice) if not is_notice)
    return found, re.sub(r"\n{3,}", "\n\n", body).strip("\n")


def same(body):
    """What two texts that say the same have in common."""
    return re.sub(r"\W+", " ", body.lower().replace("https", "http")).strip()


def main():
    found = json.load(sys.stdin)
    groups, of_crate = defaultdict(Counter), defaultdict(lambda: defaultdict(set))
    for licence in found["licenses"]:
        notice, body = parts(licence["text"])
        key = (licence["id"], same(body))
        crates = {(used["crate"]["name"], used["crate"]["version"]) for used in licence["used_by"]}
        groups[key][body] += len(crates)
        for crate in crates:
            of_crate[crate][key].update(notice)
    keys = sorted(groups, key=lambda key: (-sum(groups[key].values()), key))
    place = {key: at for at, key in enumerate(keys)}
    texts = [{"id": key[0], "text": max(groups[key].items(), key=lambda item: (item[1], item[0]))[0]} for key in keys]
    crates = [
        {"name": name, "version": version, "licences": sorted((place[key], "\n".join(sorted(held[key]))) for key in held)}
        for (name, version), held in sorted(of_crate.items())
    ]
    lock = tomllib.loads((Path(__file__).parents[2] / "Cargo.lock").read_text())
    locked = [(package["name"], package["version"]) for package in lock["package"] if "source" in package]
    others = [f"{name} {version}" for name, version in sorted(locked) if (name, version) not in of_crate]
    lines = lambda values: ",\n".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)
    print('{"texts":[\n' + lines(texts) + '\n],"crates":[\n' + lines(crates) + '\n],"others":[\n' + lines(others) + "\n]}")


main()
