"""What plugins of your own import; docs/plugin-development.md describes how to write one.

The other modules may change in any release.
"""

from aggregator.plugins.base import (
    FrameJudgement,
    NoAnswer,
    Plugin,
    Question,
    SessionContext,
    numbers_of,
)
from aggregator.policy import Stated
from lunapass_client.codes import Code
from shared.config.service import Config
from shared.errors import ConfigError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile

__all__ = [
    "BestShot",
    "Code",
    "Config",
    "ConfigError",
    "Estimate",
    "FrameJudgement",
    "NoAnswer",
    "Plugin",
    "Profile",
    "Question",
    "SessionContext",
    "Stated",
    "numbers_of",
]
