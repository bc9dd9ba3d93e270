"""Where does a policy send each of many questions, whatever it decides by?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.policy import Policy, RouteRequest, Turn
from lc_costkit.routing.target_model import TargetModel


def decided_places(
    policy: Policy, questions: Sequence[str], targets: Sequence[str]
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Ask a policy about each question once, as a router would.

    Args:
        policy: any.
        questions: each the first of a conversation.
        targets: names, cheapest first.

    Returns:
        The place of the target called for each question, and how often something failed while deciding, by kind: where
        the decision itself did, the strongest target is called.

    Raises:
        ConfigurationError: the policy cannot choose among these targets, or decided about no question at all.
    """
    chooser = TargetChooser(targets, policy=policy, strong=targets[-1])
    chooser.check_models({name: TargetModel() for name in targets})
    places = []
    for question in questions:
        request = RouteRequest(question=question, turns=(Turn("human", question),))
        places.append(chooser.targets.index(chooser.choose(request, remember=False).target))
    faults = chooser.faults.counts
    if sum(count for kind, count in faults.items() if kind.startswith("the routing policy:")) == len(questions):
        raise ConfigurationError(f"the policy decided about none of {len(questions)} prompts: {faults}")
    return np.array(places, dtype=np.intp), faults
