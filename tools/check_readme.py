#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands that the Markdown pages show, in a clean copy of the tree.

A command is a line that begins with "$ " in a ```console block; a line that ends with a backslash
goes on in the next. `regard` is the program given with --program. `./check` itself is not run.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
SECONDS = 1200


def commands(text):
    """(line number, command) of each command of the page's console blocks."""
    found = []
    inside = joining = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
            joining = False
        elif inside and joining:
            found[-1] = (found[-1][0], found[-1][1][:-1] + line.strip())
            joining = line.endswith("\\")
        elif inside and line.startswith("$ "):
            found.append((number, line[2:].strip()))
            joining = line.endswith("\\")
    return found


def copy_tree(target):
    """The files that git knows or would add, as they are now."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, capture_output=True, check=True).stdout
    existing = b"".join(n + b"\0" for n in names.split(b"\0") if n and (ROOT / os.fsdecode(n)).exists())
    subprocess.run(f"xargs -0 cp -p --parents -t '{target}'", shell=True, cwd=ROOT, input=existing,
                   check=True)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    options = parser.parse_args(arguments)

    ran = failed = 0
    with tempfile.TemporaryDirectory(prefix="regard-readme-") as folder:
        copy_tree(folder)
        environment = dict(os.environ)
        environment["PATH"] = f"{options.program.resolve().parent}:{environment['PATH']}"
        for page in PAGES:
            for number, command in commands((ROOT / page).read_text(encoding="utf-8")):
                if command.split()[0] == "./check":
                    continue
                begin = time.monotonic()
                done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder,
                                      env=environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      errors="replace", timeout=SECONDS, check=False)
                ran += 1
                print(f"{page}:{number}: {command} ({time.monotonic() - begin:.1f} s)")
                if done.returncode:
                    failed += 1
                    print(f"{page}:{number}: exit status {done.returncode}\n{done.stdout}",
                          file=sys.stderr)
    print(f"{ran} commands, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
