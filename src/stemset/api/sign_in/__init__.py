"""Signing in by browser: OpenID Connect, the authorization code flow with PKCE.

A person's browser is sent to the provider with three values of one flow (``flow``): the state,
which comes back beside the code; the nonce, which comes back in the ID token; and the challenge,
whose verifier is shown when the code is redeemed (``provider``). A cookie alone holds the flow, so
nobody can finish in one browser what began in another. Whom the provider vouches for is looked up
in the list of members, and a session begins (``desk``).
"""
