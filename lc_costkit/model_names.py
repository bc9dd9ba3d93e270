"""Which names does the price list know a model and its provider by?

The same model goes by many names: ``models/gemini-2.5-flash``, ``anthropic/claude-...``,
a Bedrock id or ARN, an Azure deployment. Here they are turned into what can be looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PROVIDER_IDS = {
    "azure_openai": "azure",
    "azure-openai": "azure",
    "azureopenai": "azure",
    "azure_ai": "azure",
    "azure-ai": "azure",
    "amazon_bedrock": "aws",
    "amazon-bedrock": "aws",
    "aws_bedrock": "aws",
    "aws-bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock-converse": "aws",
    "anthropic_bedrock": "aws",
    "google_genai": "google",
    "google_vertexai": "google",
    "google_anthropic_vertex": "google",
    "google-genai": "google",
    "google-vertexai": "google",
    "google-vertex": "google",
    "gemini": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "vertex-ai": "google",
    "vertexai": "google",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "openai_responses": "openai",
    "mistralai": "mistral",
    "mistral_ai": "mistral",
    "mistral-ai": "mistral",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "together-ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
}
"""What LangChain (``ls_provider``, ``model_provider``), LiteLLM and users call a provider, as genai-prices ids."""

_GATEWAYS = frozenset({"", "litellm"})
"""Words that say nothing of who bills: LiteLLM names the provider before the model."""

SELF_HOSTED = frozenset(
    {"ollama", "vllm", "llamacpp", "llama_cpp", "llamafile", "lmstudio", "lm_studio", "gpt4all", "mlx", "huggingface"}
    | {"hosted_vllm", "ollama_chat", "tgi", "sglang", "triton", "xinference", "localai", "llama-cpp", "lm-studio"}
)
"""Providers that bill no tokens of their own: the price of a namesake elsewhere says nothing about them."""

_BEDROCK_REGION = r"(?:us|us-gov|eu|apac|jp|au|ca|sa|in|global|regional)"
_BEDROCK_MAKER = (
    r"(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai|google|nvidia|writer|moonshotai|moonshot|zai"
    r"|minimax|stability|luma|twelvelabs)"
)
_BEDROCK_NAME = re.compile(rf"^(?:{_BEDROCK_REGION}\.)?{_BEDROCK_MAKER}\.[a-z]")
_BEDROCK_ARN = re.compile(
    r"^arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/(?P<name>[^/]+)$"
)
_LEADING_PATHS = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/")
_LOCATION = re.compile(
    r"^projects/[^/]+/locations/([^/]+)/"
    r"|^arn:aws[a-z-]*:bedrock:([a-z]+-[a-z-]+-\d):[^:]*:foundation-model/"
    r"|^bedrock/(?:[a-z_]+/)?([a-z]+-[a-z-]+-\d)/"
    rf"|^(?:[^/]*/)*({_BEDROCK_REGION})\.{_BEDROCK_MAKER}\.[a-z]"
)
_TUNED = re.compile(r"(?:^|/)tunedmodels/|^projects/[^/]+/locations/[^/]+/endpoints/")
_VERTEX_NAME = re.compile(r"^claude-[^@/]+@\d{8}$")
_OPENAI_NAME = re.compile(r"^(?:text-embedding-|text-moderation-|ft:|chatgpt-|computer-use-|codex-|davinci-|babbage-)")


def provider_id(name: str | None) -> str | None:
    """Return the genai-prices id for what a framework calls a provider.

    >>> provider_id("google_genai"), provider_id("bedrock_converse"), provider_id("openai"), provider_id(None)
    ('google', 'aws', 'openai', None)
    """
    if not name or not isinstance(name, str):
        return None
    plain = name.strip().lower()
    return _PROVIDER_IDS.get(plain, plain) if plain not in _GATEWAYS else None


def location_of(model: str) -> str | None:
    """Return where Vertex AI or Bedrock runs a model, if its name says so.

    >>> location_of("projects/p/locations/europe-west1/publishers/anthropic/models/claude-opus-5")
    'europe-west1'
    >>> location_of("eu.amazon.nova-lite-v1:0"), location_of("bedrock/sa-east-1/meta.llama3-8b-instruct-v1:0")
    ('eu', 'sa-east-1')
    """
    found = _LOCATION.match(model.strip().lower())
    return next((place for place in found.groups() if place), None) if found else None


def is_own_model(model: str) -> bool:
    """Say whether a name is that of a model somebody made for themselves, whose price its base does not tell.

    Gemini's tuned models and endpoints, and every Bedrock ARN but those of foundation models and of
    inference profiles that AWS defines: what stands behind the others is for an alias to say.

    >>> is_own_model("tunedModels/gemini-2.5-flash-mine"), is_own_model("models/gemini-2.5-flash")
    (True, False)
    """
    name = model.strip().lower()
    return bool(_TUNED.search(name)) or (name.startswith("arn:") and _BEDROCK_ARN.match(name) is None)


def spellings(model: str, provider: str | None) -> Iterator[tuple[str | None, str, bool]]:
    """Yield (provider, name, provider is certain) in the order in which they are tried.

    >>> list(spellings("models/gemini-2.5-flash", None))
    [(None, 'gemini-2.5-flash', True)]
    >>> list(spellings("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None))
    [('aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', True)]
    >>> list(spellings("anthropic/claude-sonnet-4-5", None))
    [('anthropic', 'claude-sonnet-4-5', True), (None, 'anthropic/claude-sonnet-4-5', True)]
    >>> list(spellings("google_genai:gemini-2.5-flash", None))
    [('google', 'gemini-2.5-flash', True), (None, 'google_genai:gemini-2.5-flash', True)]
    """
    name = model.strip().lower()
    arn = _BEDROCK_ARN.match(name)
    if arn is not None:
        yield "aws", arn.group("name"), True
        return
    if is_own_model(name):
        # Only a price of your own, by the whole name, can be meant.
        yield provider, name, True
        return
    head, _, tail = _LEADING_PATHS.sub("", name).partition("/")
    stripped = f"{head}/{tail}" if tail else head
    last = stripped.rpartition("/")[2]
    if tail and _BEDROCK_NAME.match(last) and provider_id(provider or head) == "aws":
        # LiteLLM writes the region or the route before it.
        yield "aws", last, True
        return
    if provider is not None:
        yield provider, stripped, True
        if provider == "azure" and stripped.startswith("gpt-35-"):
            yield provider, stripped.replace("gpt-35-", "gpt-3.5-", 1), True
        if tail and provider_id(head) == provider:
            yield provider, tail, True
        elif tail and provider not in SELF_HOSTED:
            yield provider_id(head), tail, False
        elif _BEDROCK_NAME.match(stripped) and provider != "aws":
            yield "aws", stripped, True
        return
    if tail:
        yield provider_id(head), tail, True
        if head in SELF_HOSTED:
            return
    elif _BEDROCK_NAME.match(stripped):
        yield "aws", stripped, True
        return
    elif _VERTEX_NAME.match(stripped):
        yield "google", stripped, True
        return
    elif _OPENAI_NAME.match(stripped):
        yield "openai", stripped, True
        return
    head, colon, tail = stripped.partition(":")
    if colon and "/" not in head:
        # LangChain's init_chat_model writes it so.
        yield provider_id(head), tail, True
    yield None, stripped, True
