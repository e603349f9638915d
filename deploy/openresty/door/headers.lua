-- Security headers on every answer; a service that sets one itself has its way.

local routes = require "door.routes"

local _M = {}

local PAGE = table.concat({
    "default-src 'self'", "img-src 'self' data: blob:", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
    "frame-ancestors 'none'",
}, "; ")
local DATA = "default-src 'none'; frame-ancestors 'none'"

local ALWAYS = {
    ["X-Content-Type-Options"] = "nosniff",
    ["X-Frame-Options"] = "DENY",
    ["Referrer-Policy"] = "same-origin",
    ["Cross-Origin-Opener-Policy"] = "same-origin",
    ["Cross-Origin-Resource-Policy"] = "same-origin",
    ["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(self)",
}

local function default(name, value)
    if not ngx.header[name] then
        ngx.header[name] = value
    end
end

function _M.add()
    local kind = ngx.header["Content-Type"] or ""
    default("Content-Security-Policy", kind:find("^text/html") and PAGE or DATA)
    for name, value in pairs(ALWAYS) do
        default(name, value)
    end
    if routes.settings.https then
        default("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    end
    default("X-Request-Id", (ngx.var.door_traceparent or ""):sub(4, 35))
end

return _M
