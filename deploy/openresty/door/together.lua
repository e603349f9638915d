-- What one process can't tell, because here every service has processes of its own: the health of all, and the list of
-- their OpenAPI documents. Told as a process that holds all services tells it.

local cjson = require "cjson.safe"
local routes = require "door.routes"

local _M = {}

local function tell(status, document)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #document
    ngx.header["Cache-Control"] = "no-store"
    if status == 503 then
        ngx.header["Retry-After"] = 5
    end
    ngx.print(document)
end

-- Ask one worker of every service, at once; one that hangs or is gone shows.
local function ask_all(path)
    local services, calls = routes.settings.services, {}
    for _, service in ipairs(services) do
        calls[#calls + 1] = { "/__door__/health/" .. service .. path, { method = ngx.HTTP_GET } }
    end
    return services, { ngx.location.capture_multi(calls) }
end

-- Whether every service's process answers.
function _M.answer_alive()
    local status = 200
    local _, answers = ask_all("/__lbheartbeat__")
    for _, answer in ipairs(answers) do
        status = answer.status == 200 and status or 503
    end
    tell(status, status == 200 and '{"status":"ok"}' or '{"status":"error"}')
end

-- How every service's backends are.
function _M.answer_backends()
    local services, answers = ask_all("/__heartbeat__")
    local checks, status = {}, 200
    for at, answer in ipairs(answers) do
        local told = cjson.decode(answer.body)
        status = answer.status == 200 and status or 503
        if type(told) == "table" and type(told.checks) == "table" then
            for name, outcome in pairs(told.checks) do
                checks[name] = outcome
            end
        else
            checks[services[at] .. ".process"] = answer.status == 200 and "ok" or "unreachable"
        end
    end
    tell(status, cjson.encode({ status = status == 200 and "ok" or "error", checks = checks }))
end

-- Which services have an OpenAPI document.
function _M.answer_documents()
    tell(200, cjson.encode({ items = routes.settings.documents }))
end

return _M
