"""What does an answer show of the tools that the provider ran itself?"""

from __future__ import annotations

import secrets
from typing import Any

from lc_costkit.testing.charges import Terms

_QUERY = "what was asked"
_URL = "https://example.com/"


def tool_items(terms: Terms) -> list[dict[str, Any]]:
    """OpenAI's output items: searches, those that failed, and a page that a search was followed up with."""
    items = [_search("completed") for _ in range(terms.web_searches)]
    items += [_search("failed") for _ in range(terms.failed_web_searches)]
    if terms.web_searches:
        items.append({**_search("completed"), "action": {"type": "open_page", "url": _URL}})
    items += [
        {"type": "file_search_call", "id": _id("fs_"), "status": "completed", "queries": [_QUERY], "results": None}
        for _ in range(terms.file_searches)
    ]
    return items


def tool_blocks(terms: Terms) -> list[dict[str, Any]]:
    """Anthropic's content blocks: the summary of a compaction, and each tool's call and result."""
    blocks: list[dict[str, Any]] = [
        {"type": "compaction", "content": "A summary of what was said."}
        for one in terms.iterations
        if one.kind == "compaction"
    ]
    found = {"type": "web_search_result", "url": _URL, "title": "A page", "encrypted_content": "", "page_age": None}
    unavailable = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    source = {"type": "text", "media_type": "text/plain", "data": "A page."}
    page = {"type": "document", "source": source, "title": "A page", "citations": None}
    fetched = {"type": "web_fetch_result", "url": _URL, "content": page, "retrieved_at": None}
    advice = {"type": "advisor_result", "text": "Look again."}
    for _ in range(terms.web_searches):
        blocks += _ran("web_search", {"query": _QUERY}, [found])
    for _ in range(terms.failed_web_searches):
        blocks += _ran("web_search", {"query": _QUERY}, unavailable)
    for _ in range(terms.web_fetches):
        blocks += _ran("web_fetch", {"url": _URL}, fetched)
    for one in terms.iterations:
        if one.kind == "advisor_message":
            blocks += _ran("advisor", {}, advice)
    return blocks


def _search(status: str) -> dict[str, Any]:
    action = {"type": "search", "query": _QUERY, "queries": [_QUERY]}
    return {"type": "web_search_call", "id": _id("ws_"), "status": status, "action": action}


def _ran(name: str, given: dict[str, Any], result: Any) -> list[dict[str, Any]]:
    call = _id("srvtoolu_01")
    return [
        {"type": "server_tool_use", "id": call, "name": name, "input": given},
        {"type": f"{name}_tool_result", "tool_use_id": call, "content": result},
    ]


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)
