-- The door-keeper: is there such a call, may this client make it now, and which service answers?

local origins = require "door.origins"
local limits = require "door.limits"
local problems = require "door.problems"
local routes = require "door.routes"
local trace = require "door.trace"

local _M = {}

local UNSAFE = { POST = true, PATCH = true }
local PREFLIGHT = { operation = "preflight", class = "any" }

local function refuse_unless_within_rate(class)
    local limit = routes.settings.limits[class]
    local wait = limits.take(ngx.shared.limits, class .. ngx.var.door_client, limit.rate, limit.burst)
    if wait then
        problems.answer("too-many-requests", {
            detail = "You ask faster than this door takes; wait a moment.",
            retry_after_s = wait,
        })
    end
end

local function matched_call()
    local route = routes.find(routes.settings.tree, ngx.var.request_uri:match("^([^?]*)"))
    if not route then
        return problems.answer("not-found")
    end
    ngx.var.door_route = route.path
    local method = ngx.req.get_method()
    local call = route.methods[method] or (method == "HEAD" and route.methods.GET)
    if not call and method == "OPTIONS" and not route.page and origins.is_preflight() then
        call = PREFLIGHT
    end
    if not call then
        return problems.answer("method-not-allowed", { headers = { Allow = route.allow } })
    end
    return route, call
end

-- Lets the request through to its service, or ends it with a problem.
function _M.keep()
    ngx.var.door_traceparent = trace.of_request()
    refuse_unless_within_rate("any")
    local route, call = matched_call()
    if call.class ~= "any" then
        refuse_unless_within_rate(call.class)
    end
    ngx.var.door_operation = call.operation
    ngx.var.door_service = route.service
    -- A call that may not be repeated gets a connection of its own: a kept one may be closed under it by a
    -- worker that is leaving, and nobody could tell whether the call had been made.
    local once = UNSAFE[ngx.req.get_method()] and not ngx.var.http_idempotency_key
    ngx.var.door_upstream = once and "once" or "again"
end

return _M
