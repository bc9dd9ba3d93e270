"""What do customers ask a support service, in which words, and which questions have one answer?"""

from __future__ import annotations

import random

TOPICS: dict[str, tuple[str, ...]] = {
    "password": (
        "How do I reset my password?",
        "How can I reset my password?",
        "What do I do to reset my password?",
        "How do I reset my account password?",
    ),
    "pin": ("How do I change my PIN?", "How can I change my PIN?", "How do I change the PIN of my card?"),
    "refund": (
        "How long does a refund take?",
        "How long do refunds take?",
        "How long will a refund take?",
        "When do I get a refund?",
    ),
    "transfer": (
        "How long does a bank transfer take?",
        "How long do bank transfers take?",
        "How long will a bank transfer take?",
    ),
    "card abroad": (
        "Can I use my card abroad?",
        "Is it possible to use my card abroad?",
        "May I use my card abroad?",
        "Does my card work abroad?",
    ),
    "address": ("How do I change my address?", "How can I change my address?", "Where do I change my address?"),
    "name": ("How do I change my name?", "How can I change my name?"),
    "close": ("How do I close my account?", "How can I close my account?", "What do I do to close my account?"),
    "open": ("How do I open an account?", "How can I open an account?", "What do I need to open an account?"),
    "limit": (
        "What is the daily limit for withdrawals?",
        "How much can I withdraw a day?",
        "What is the withdrawal limit?",
    ),
    "deposit limit": ("What is the daily limit for deposits?", "How much can I deposit a day?"),
    "lost": (
        "I lost my card, what do I do?",
        "What do I do if I lost my card?",
        "What should I do when my card is lost?",
    ),
}
"""Questions by what they are about: those of one topic have one answer."""

TOPIC_OF = {question: topic for topic, questions in TOPICS.items() for question in questions}


def stream(count: int, *, seed: int = 0) -> list[str]:
    """Draw questions as they come: some topics often, most seldom."""
    drawn = random.Random(seed)
    topics = list(TOPICS)
    weights = [1 / (rank + 1) for rank in range(len(topics))]
    return [drawn.choice(TOPICS[topic]) for topic in drawn.choices(topics, weights, k=count)]
