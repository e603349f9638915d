-- Chooses the socket of the service that the door-keeper named, and how often to try.

local balancer = require "ngx.balancer"
local routes = require "door.routes"

local _M = {}

local MORE_TRIES = 2

-- The worker pool behind a socket is one peer; trying again means another worker, or the same one come back.
function _M.pick(may_repeat)
    if may_repeat and not balancer.get_last_failure() then
        balancer.set_more_tries(MORE_TRIES)
    end
    local ok, err = balancer.set_current_peer(routes.settings.sockets[ngx.var.door_service])
    if not ok then
        ngx.log(ngx.ERR, "no way to ", ngx.var.door_service, ": ", err)
        return ngx.exit(502)
    end
end

return _M
