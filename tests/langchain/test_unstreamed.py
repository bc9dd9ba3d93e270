"""Do handlers of streams miss a call, and all others hear of it?"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler, CallbackManager
from langchain_core.tracers.event_stream import _AstreamEventsCallbackHandler
from langchain_core.tracers.log_stream import LogStreamCallbackHandler
from langgraph.pregel._messages import StreamMessagesHandler

from lc_costkit import CostCallbackHandler, Ledger
from lc_costkit.langchain.unstreamed import stream_handlers, unstreamed


def streams() -> list[BaseCallbackHandler]:
    return [
        LogStreamCallbackHandler(),
        _AstreamEventsCallbackHandler(),
        StreamMessagesHandler(lambda piece: None, subgraphs=False),
    ]


@pytest.mark.parametrize("make", [CallbackManager, AsyncCallbackManager])
def test_a_managers_streams_are_left_out_of_a_copy(make: Any) -> None:
    with Ledger() as ledger:
        meter, found = CostCallbackHandler(ledger), streams()
        manager = make([*found, meter], inheritable_handlers=[*found, meter], inheritable_metadata={"user": "u1"})
        quiet: Any = unstreamed({"callbacks": manager, "metadata": {"user": "u1"}})["callbacks"]
        assert quiet.handlers == quiet.inheritable_handlers == [meter]
        assert quiet.inheritable_metadata == {"user": "u1"}
        assert stream_handlers(manager) == found, "the manager itself stays as it is"


def test_a_list_and_nothing_will_do() -> None:
    with Ledger() as ledger:
        meter, found = CostCallbackHandler(ledger), streams()
        assert unstreamed({"callbacks": [*found, meter]})["callbacks"] == [meter]
        assert stream_handlers([*found, meter]) == found
        assert stream_handlers(None) == []
        assert unstreamed({})["callbacks"] is None


def test_the_call_is_tagged_for_langgraph_once() -> None:
    config: Any = {"tags": ["beta"], "metadata": {"user": "u1"}}
    quiet = unstreamed(unstreamed(config))
    assert quiet["tags"] == ["beta", "nostream"]
    assert quiet["metadata"] == {"user": "u1"}
    assert config["tags"] == ["beta"]
