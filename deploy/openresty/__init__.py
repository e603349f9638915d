"""The door: nginx with Lua in front of the services, configured from the committed OpenAPI documents by `render`."""
