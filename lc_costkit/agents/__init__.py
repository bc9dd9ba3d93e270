"""What does the kit add to LangChain's agents? Middleware, which needs the extra ``agents``."""

from __future__ import annotations

from lc_costkit.errors import MissingDependency

try:
    import langchain.agents.middleware  # noqa: F401
except ImportError as error:
    raise MissingDependency("lc_costkit.agents", "agents") from error

from lc_costkit.agents.routing import RoutingMiddleware

__all__ = ["RoutingMiddleware"]
