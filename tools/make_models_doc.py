#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the table of docs/models.md from the golden tests: what is compared and how near it is.

  build/release/test_model --gtest_filter='*ModelGolden*' --gtest_output=json:/tmp/models.json
  python3 tools/make_models_doc.py /tmp/models.json
"""

import json
import pathlib
import sys

DOC = pathlib.Path(__file__).resolve().parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- table: tools/make_models_doc.py -->\n", "<!-- end of table -->\n"


def main():
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    found = {}
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            if "architecture" not in test:
                continue
            if test.get("failures"):
                raise SystemExit(f"{test['name']} fails; no table is made of that")
            cases, worst = found.setdefault(test["architecture"], ([], []))
            cases.append(test["value_param"].strip('"'))
            worst.append(float(test["attention_difference"]))
    lines = ["| model_type | golden checkpoints | largest difference of a weight |", "|---|---|---|"]
    for name, (cases, worst) in sorted(found.items()):
        lines.append(f"| `{name}` | {', '.join(sorted(cases))} | {max(worst):.1f}e-6 |")
    text = DOC.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOC.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
