"""Which classes of near-equal questions do the gates tell apart, and which other wordings do they let through?"""

from __future__ import annotations

import pytest

from lc_costkit.cache.gates import DEFAULT_GATES, prepare, run_gates

REFUSED = [
    ("number", "Is the rink open from May 3 to May 9?", "Is the rink open from May 4 to May 9?"),
    ("number", "Is the pass good march 3 to march 4?", "Is the pass good march 4 to march 4?"),
    ("number", "Are the coupons good 4/1 until 4/7?", "Are the coupons good 7/1 until 4/7?"),
    ("number", "Is this schedule right for every day? 5 0 * * *", "Is this schedule right for every day? 5 0 * * 1"),
    ("number", "Do I get half of the fee back?", "Do I get a third of the fee back?"),
    ("number", "Is the film 2 hours and 30 minutes long?", "Is the film 2 hours and 20 minutes long?"),
    ("number", "Is the yard bigger than 90 square feet?", "Is the yard bigger than 90 square metres?"),
    ("kind", "How much does the crate weigh in pounds?", "How much does the crate weigh in kilos?"),
    ("kind", "What is the fee for the marathon?", "What is the age for the marathon?"),
    ("direction", "How do I copy photos from Dropbox to Flickr?", "how can my Flickr photos be copied into Dropbox"),
    ("direction", "My goat butts other goats. Why?", "Other goats butt my goat. Why?"),
    ("direction", "How do I route mail from my office to my flat?", "can mail for my flat be routed to my office"),
    ("tense", "Have you ever hosted weddings?", "Do you host weddings?"),
    ("role", "What does the examiner check first?", "What do I check the examiner first?"),
    ("opposite", "Should the valve turn clockwise?", "Should the valve turn anticlockwise?"),
    ("tense", "Will my parcel be returned?", "Has my parcel been returned?"),
    ("tense", "Is my permit going to be renewed?", "Has my permit been renewed?"),
    ("outcome", "What should I pack for the audition?", "What happens after the audition?"),
    ("quantifier", "Do I have to read every chapter?", "Do I have to read at least one chapter?"),
    ("opposite", "Should I waive the inspection?", "Should I keep the inspection?"),
    ("opposite", "How do I join the rota?", "How do I get out of the rota?"),
    ("opposite", "Do I have to keep the invoices?", "Can I throw the invoices away?"),
    ("opposite", "My phone is blocked, block it", "My phone is blocked, unblock it"),
    ("opposite", "I like selling, may I buy a stall?", "I like selling, may I sell a stall?"),
    ("condition", "Can locals hire a boat?", "Can residents hire a boat if they hold a skipper's certificate?"),
    ("role", "Who pays the broker?", "Who does the broker pay?"),
    ("extreme", "Is heating included in the price?", "Is the heating bill higher than the price?"),
    ("form", "Is the zoo open this Monday?", "Is the zoo open every Monday?"),
    ("payload", "Does this match? ^[a-f]+$", "Does this match? ^[a-f]*$"),
]  # fmt: skip

PASSED = [
    ("Is the play 90 minutes long?", "Is the play an hour and a half long?"),
    ("Is the play 150 minutes long?", "Is the play 2 hours and 30 minutes long?"),
    ("Do I get 50% of the fee back?", "Do I get half of the fee back?"),
    ("What is a rate of 0.05?", "What is a rate of 5%?"),
    ("Is the stay 7 nights?", "Is the stay one week?"),
    ("Is the hall 100 square metres?", "Is the hall 100 sqm?"),
    ("Is the kiln at 900 degrees Celsius?", "Is the kiln at 900 °C?"),
    ("Are tickets good on May 5?", "Are tickets good on 5/5?"),
    ("Does it support 2FA?", "Does it support two-factor authentication?"),
    ("How do I restart K8s?", "How do I restart Kubernetes?"),
    ("What are RMDs?", "What are required minimum distributions?"),
    ("Is ABS required?", "Is an anti-lock braking system required?"),
    ("How do I print a PPT file?", "How do I print a PowerPoint file?"),
    ("Can I pay the remainder later?", "Can I pay the rest later?"),
    ("Is the tour free of charge?", "Is the tour free?"),
    ("Can I get it tax-free?", "Can I get it without paying tax?"),
    ("Do I need a guide to climb it?", "Is a guide required when climbing it?"),
    ("Is it open to self-taught painters?", "Is it available to painters who are self-taught?"),
    ("Can I download maps to use offline?", "Is it possible to download maps and use them offline?"),
    ("How much time does the permit take?", "How long does the permit take?"),
    ("How do I get ink out of a shirt?", "How do I remove ink from a shirt?"),
    ("How do I move rows without losing formulas?", "How do I move rows and keep the formulas?"),
    ("Which rope is right for caving?", "Could I ask for your advice please: which rope is right for caving?"),
    ("How do I stop my parrot from screaming?", "How can I keep my parrot from screaming?"),
    ("Is the studio on the 3rd floor?", "Is the studio on the third floor?"),
    ("Does the pass cost $10 a month?", "Is the pass 10 dollars per month?"),
    ("Can I swim before the scan?", "Am I allowed to swim before the scan?"),
    ("Are there any risks of the scan?", "What risks does the scan have?"),
    ("Has the ferry been cancelled?", "Is the ferry cancelled?"),
]


@pytest.mark.parametrize(("gate", "cached", "new"), REFUSED)
def test_refused_both_ways(gate: str, cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert verdict(one, other, only=gate) == gate


def verdict(cached: str, new: str, *, only: str | None = None) -> str | None:
    gates = [gate for gate in DEFAULT_GATES if only is None or gate.__name__ == f"{only}_gate"]
    return run_gates(gates, prepare(cached), prepare(new)).gate


@pytest.mark.parametrize(("cached", "new"), PASSED)
def test_passed_both_ways(cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert run_gates(DEFAULT_GATES, prepare(one), prepare(other)).reason is None
