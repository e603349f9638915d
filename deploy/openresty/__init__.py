"""The door: nginx with Lua in front of the services. `render` writes its configuration from the committed OpenAPI documents."""
