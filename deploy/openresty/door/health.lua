-- The health of all services behind this door: asks one worker of each, at once. One that hangs or is gone shows.

local cjson = require "cjson.safe"
local routes = require "door.routes"

local _M = {}

-- Answers 200 where every service did, else 503. `path` is a Dockerflow path.
function _M.answer(path)
    local services, calls = routes.settings.services, {}
    for _, service in ipairs(services) do
        calls[#calls + 1] = { "/__door__/health/" .. service .. path, { method = ngx.HTTP_GET } }
    end
    local answers, status, told = { ngx.location.capture_multi(calls) }, 200, {}
    for at, service in ipairs(services) do
        local answer = answers[at]
        if answer.status ~= 200 then
            status = 503
        end
        told[service] = cjson.decode(answer.body) or { status = answer.status == 200 and "ok" or "error" }
    end
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Cache-Control"] = "no-store"
    if status == 503 then
        ngx.header["Retry-After"] = 5
    end
    ngx.print(cjson.encode({ status = status == 200 and "ok" or "error", services = told }))
end

return _M
