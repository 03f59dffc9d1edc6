"""Runs the Python blocks of a page as one program:  readme.py README.md"""

import re
import sys

page = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
assert blocks
session = {"__name__": "__main__"}
for i, block in enumerate(blocks):
    print(f"-- block {i + 1}", flush=True)
    line = page[:page.index(block)].count("\n")
    exec(compile("\n" * line + block, sys.argv[1], "exec"), session)
print(f"{len(blocks)} blocks of {sys.argv[1]} run")
