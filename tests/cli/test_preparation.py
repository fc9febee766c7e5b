"""What `idp serve` makes before it serves, in development: the demo clients."""

from __future__ import annotations

from dataclasses import replace

from world import World

from idp.cli.preparation import DEMO_APP, DEMO_SPA, prepare


async def test_the_demo_clients_can_sign_users_in(world: World) -> None:
    await prepare(world.settings, world.services)

    app, spa = [await world.services.clients.present(name) for name in (DEMO_APP, DEMO_SPA)]
    assert app is not None
    assert spa is not None
    assert app.redirect_uris == ("http://localhost:3000/callback",)
    assert spa.redirect_uris == spa.post_logout_redirect_uris == (f"{world.settings.issuer}/demo/",)
    assert spa.public
    assert world.settings.issuer in spa.origins


async def test_the_demo_follows_an_issuer_that_has_moved(world: World) -> None:
    await prepare(world.settings, world.services)
    moved = replace(world.settings, issuer="http://localhost:9")

    await prepare(moved, world.services)

    spa = await world.services.clients.present(DEMO_SPA)
    assert spa is not None
    assert spa.redirect_uris == ("http://localhost:9/demo/",)
    await prepare(world.settings, world.services)


async def test_a_demo_client_that_an_administrator_changed_stays_changed(world: World) -> None:
    await prepare(world.settings, world.services)
    await world.services.clients.change(DEMO_APP, lambda client: replace(client, name="Ours"))

    await prepare(world.settings, world.services)

    app = await world.services.clients.present(DEMO_APP)
    assert app is not None
    assert app.name == "Ours"
