-- Pages of other sites, as far as the door itself answers them (see services/chassis/origins.py): the services tell the rest.

local routes = require "door.routes"

local _M = {}

local function listed()
    local origin = ngx.var.http_origin
    return origin and routes.settings.origins[origin] and origin
end

-- Whether a browser asks, before a page of a listed site makes a call.
function _M.is_preflight()
    return ngx.var.http_access_control_request_method and listed() and true or false
end

-- Let a page of a listed site read the refusal that is about to be sent: that it was too fast, and for how long to wait.
function _M.let_read()
    if next(routes.settings.origins) == nil then
        return
    end
    ngx.header["Vary"] = "Origin"
    local origin = listed()
    if origin then
        ngx.header["Access-Control-Allow-Origin"] = origin
        ngx.header["Access-Control-Expose-Headers"] = routes.settings.exposed
    end
end

return _M
