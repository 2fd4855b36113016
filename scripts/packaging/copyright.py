"""Prints debian/copyright of a program: our licence, and that of each crate and C library linked into it.

Usage: python3 scripts/packaging/copyright.py sync-service >debian/copyright

The crates are asked of cargo, for all targets that are released; the notices are read from the crates' own files.
Versions are left out on purpose: an update that changes no notice changes nothing here.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"]

# What is linked in and is no crate of Cargo.lock: (name, where it comes from, holders, licence).
BESIDE = [
    ("sqlite3", "the crate libsqlite3-sys", ["none: dedicated to the public domain by its authors"], "public-domain"),
    ("libzstd", "the crate zstd-sys", ["Meta Platforms, Inc. and affiliates"], "BSD-3-Clause"),
    ("rust-std", "the Rust compiler", ["The Rust Project Contributors"], "MIT OR Apache-2.0"),
    ("musl", "the static builds for Raspberry Pi", ["2005-2020 Rich Felker, et al."], "MIT"),
]

TEXTS = {
    "Expat": """Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.""",
    "Apache-2.0": "On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.",
    "BSD-3-Clause": """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice,
   this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors
   may be used to endorse or promote products derived from this software
   without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE
LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF
SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE)
ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.""",
    "ISC": """Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY
AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM
LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR
OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.""",
    "Unicode-3.0": """NOTICE TO USER: Carefully read the following legal agreement. BY
DOWNLOADING, INSTALLING, COPYING OR OTHERWISE USING DATA FILES, AND/OR
SOFTWARE, YOU UNEQUIVOCALLY ACCEPT, AND AGREE TO BE BOUND BY, ALL OF THE
TERMS AND CONDITIONS OF THIS AGREEMENT. IF YOU DO NOT AGREE, DO NOT
DOWNLOAD, INSTALL, COPY, DISTRIBUTE OR USE THE DATA FILES OR SOFTWARE.

Permission is hereby granted, free of charge, to any person obtaining a
copy of data files and any associated documentation (the "Data Files") or
software and any associated documentation (the "Software") to deal in the
Data Files or Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, and/or sell
copies of the Data Files or Software, and to permit persons to whom the
Data Files or Software are furnished to do so, provided that either (a)
this copyright and permission notice appear with all copies of the Data
Files or Software, or (b) this copyright and permission notice appear in
associated Documentation.

THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF
THIRD PARTY RIGHTS.

IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE
BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES,
OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA
FILES OR SOFTWARE.

Except as contained in this notice, the name of a copyright holder shall
not be used in advertising or otherwise to promote the sale, use or other
dealings in these Data Files or Software without prior written
authorization of the copyright holder.""",
    "Zlib": """This software is provided 'as-is', without any express or implied warranty.
In no event will the authors be held liable for any damages arising from the
use of this software.

Permission is granted to anyone to use this software for any purpose,
including commercial applications, and to alter it and redistribute it
freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not claim
   that you wrote the original software. If you use this software in a
   product, an acknowledgment in the product documentation would be
   appreciated but is not required.
2. Altered source versions must be plainly marked as such, and must not be
   misrepresented as being the original software.
3. This notice may not be removed or altered from any source distribution.""",
    "public-domain": "The authors disclaim copyright to this source code (https://www.sqlite.org/copyright.html).",
}

# Debian's names of licences.
NAMES = {"MIT": "Expat"}


def ask(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(program):
    """Names and versions of the crates in the program: no build scripts, no macros, no tests."""
    crates = set()
    for target in TARGETS:
        tree = ask("cargo", "tree", "--locked", "-p", program, "-e", "normal,no-proc-macro", "--target", target,
                   "--prefix", "none", "--no-dedupe", "--format", "{p}")
        crates |= {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    return {(name, version.lstrip("v")) for name, version in crates}


def licence(expression):
    """An SPDX expression in Debian's words, the choices in alphabetical order."""
    expression = expression.replace("/", " OR ").replace("(", "").replace(")", "")
    ands = []
    for part in re.split(r"\s+AND\s+", expression):
        choices = [NAMES.get(one, one) for one in re.split(r"\s+OR\s+", part.strip())]
        # Of what is offered as an alternative, only what deny.toml knows is of interest.
        known = sorted(one for one in choices if one in TEXTS)
        if not known:
            sys.exit(f"copyright.py: no text for the licence {part!r}: add it to TEXTS")
        ands.append(" or ".join(known))
    comma = "," if any(" or " in part for part in ands) else ""
    return f"{comma} and ".join(sorted(set(ands)))


def holders(folder, package):
    """The notices in a crate's own files, else its authors."""
    found = {}
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        if not re.match(r"(?i)(licen[cs]e|copying|copyright|notice)", path.name):
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = re.match(r"^[\s/*#]*Copyright\s+(?:\(c\)|\u00a9|(?=\d{4}|The |[A-Z]))\s*(.*)", line, re.IGNORECASE)
            # Apache's text speaks of copyright without being a notice.
            if match and not re.match(r"(?i)\W*(\[yyyy|license|notice|owner|statement|holder|and permission notice)", match[1]):
                text = re.sub(r"(?i)\s*all rights reserved\.?|\(c\)\s*", " ", match[1])
                text = re.sub(r"\s+", " ", text).strip(" ,.")
                if len(text) > 4:
                    found[text] = None
    if not found:
        authors = [re.sub(r"\s*<.*>", "", author) for author in package["authors"]]
        found = dict.fromkeys(authors or [f"the {package['name']} developers"])
    return list(found)


def stanza(files, owners, terms, comment=None):
    first, *more = owners
    lines = [f"Files: {files}", f"Copyright: {first}"] + [f" {owner}" for owner in more] + [f"License: {terms}"]
    return "\n".join(lines + ([f"Comment: {comment}"] if comment else []))


def main():
    program = sys.argv[1]
    metadata = json.loads(ask("cargo", "metadata", "--format-version", "1", "--locked"))
    packages = {(p["name"], p["version"]): p for p in metadata["packages"]}
    ours = {p["name"] for p in metadata["packages"] if not p["source"]}
    stanzas = [stanza("*", ["2026 the sync-service developers"], "Expat")]
    used = {"Expat"}
    crates = {}
    for key in linked(program):
        if key[0] in ours:
            continue
        package = packages[key]
        if not package["license"]:
            sys.exit(f"copyright.py: {key[0]} names no licence")
        known = crates.setdefault(key[0], (licence(package["license"]), {}))
        known[1].update(dict.fromkeys(holders(Path(package["manifest_path"]).parent, package)))
    for name, source, owners, terms in BESIDE:
        crates[name] = (licence(terms) if terms != "public-domain" else terms, dict.fromkeys(owners), f"from {source}")
    for name, (terms, owners, *comment) in sorted(crates.items()):
        stanzas.append(stanza(f"{name}/*", sorted(owners), terms, *comment))
        used |= set(re.split(r",? and | or ", terms))
    for name in sorted(used):
        text = "\n".join(f" {line}" if line else " ." for line in TEXTS[name].splitlines())
        stanzas.append(f"License: {name}\n{text}")
    head = f"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: {program}
Comment: The first stanza is about this source. The others name what is linked
 into the program {program} and comes from https://crates.io, each with what its
 own files say. Made by scripts/packaging/copyright.py."""
    print("\n\n".join([head, *stanzas]))


os.chdir(Path(__file__).resolve().parent.parent.parent)
main()
