"""Tokens: who gets one, for what, and the keys that sign them.

Owns the signing keys (sealed with the key-encryption key), the OAuth clients - every service of ours is one - and the
families of refresh tokens, one a sign-in. Calls nobody: accounts knows people, and asks here for their tokens.
"""
