"""The closed list of scopes a token can carry. An operation that names another fails at import."""

SERVICE = "service"
ADMIN = "admin"

SCOPES: dict[str, str] = {
    "activities:read": "See your activities and statistics",
    "activities:write": "Import, change and delete your activities",
    "training:read": "See your races, plans and calendar",
    "training:write": "Change your races, plans and calendar",
    "reports:read": "See your monthly reports",
    "bookings:read": "See your bookings and payments",
    "bookings:write": "Book and cancel for you",
    "account": "See and change your account",
    "hotelier": "Look after your hotels",
    ADMIN: "Look after this Runnerly",
    SERVICE: "One service calls another",
}

# A person's credentials and profile are theirs alone, and no third party acts by a role of theirs.
FOR_APPS = tuple(scope for scope in SCOPES if scope not in {"account", "hotelier", ADMIN, SERVICE})
