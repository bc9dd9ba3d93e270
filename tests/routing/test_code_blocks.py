"""Is the code of an answer found, and what is wrong with it?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.code_blocks import Block, blocks, fault


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no code", []),
        ("```\nx\n```", [Block("", "x", True)]),
        ("```Python title='a'\nx\n```\nand\n```js\ny\n```", [Block("python", "x", True), Block("js", "y", True)]),
        ("Here: ```json\n{}```", [Block("json", "{}", True)]),
        ("````md\n```py\nx\n```\n````", [Block("md", "```py\nx\n```", True)]),
        ("  ```py\n  x\n  ```", [Block("py", "  x", True)]),
        ("```py\nx", [Block("py", "x", False)]),
        ("Type ``` on a line of its own.\nThen go on.", []),
        ("`x` and ```y``` in a line", []),
    ],
)
def test_blocks(text: str, found: list[Block]) -> None:
    assert blocks(text) == found


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "!pip install x\n%matplotlib inline\nimport x"),
        ("python", "def f():\n    # to do"),
        ("python", "for x in y:\n    if x:"),
        ("python", "@app.get('/')"),
        ("py", "await f()\nreturn 1"),
        ("py", "type X = int"),
        ("py", 'print(f"{x[\'a\']} {y["b"]}")'),
        ("json", '{"a": 1}\n{"a": 2}'),
        ("json", '"scripts": {"a": 1},'),
        ("json", '{"a": 1, // one\n "b": 2}'),
        ("json", '{"a": 1,\n  ...\n}'),
        ("rust", "let x = = 1;"),
    ],
)
def test_what_answers_show_is_no_fault(language: str, source: str) -> None:
    assert fault(Block(language, source, True)) is None


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "x = = 1"),
        ("python", "def f():\nreturn 1"),
        ("python", "print('a'"),
        ("json", '{"a": 1,}'),
        ("json", "{'a': 1}"),
        ("json", '{"a": "...", "b"}'),
        ("json", '{"url": "https://a.b", "c": }'),
    ],
)
def test_faults_are_seen(language: str, source: str) -> None:
    assert fault(Block(language, source, True))
