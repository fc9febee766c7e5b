"""An administrator who is signed in, and somebody to administer."""

from __future__ import annotations

import pytest
from world import Tokens, World


@pytest.fixture
async def admin(world: World) -> Tokens:
    return await world.admin()


@pytest.fixture
async def user(world: World) -> Tokens:
    return await world.signed_in()


@pytest.fixture
def path(user: Tokens) -> str:
    """Of that user."""
    return f"/admin/users/{user.body['user']['id']}"
