"""Is a call of the kind that a budget's scope names?"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from lc_costkit.catalog import provider_id

_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def fits(name: str, wanted: str, value: str) -> bool:
    """Tell whether ``value`` of the key ``name`` is what a scope wants: equal, or of its pattern.

    >>> fits("model", "gpt-4o", "GPT-4o-2024-08-06"), fits("model", "gpt-4o", "gpt-4o-mini")
    (True, False)
    >>> fits("model", "gpt-4o*", "openai/gpt-4o-mini"), fits("provider", "Bedrock", "aws"), fits("team", "Ads", "ads")
    (True, True, False)
    """
    if wanted == value:
        return True
    if name == "provider":
        return provider_id(wanted) == provider_id(value) or fnmatchcase(value.lower(), wanted.lower())
    if name != "model":
        return "*" in wanted and fnmatchcase(value, wanted)
    asked, plain = wanted.lower(), value.lower().rpartition("/")[2]
    names = {value.lower(), plain, _SNAPSHOT.sub("", plain)}
    # A snapshot that is named is also what its plain name may answer with.
    return any(each == asked or fnmatchcase(each, asked) for each in names) or plain == _SNAPSHOT.sub("", asked)
