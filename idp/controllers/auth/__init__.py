"""The source's REST paths, `/auth/*`: JSON in camelCase, the built-in public client `idp-rest`."""
