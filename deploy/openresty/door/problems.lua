-- The door's own refusals, as problem documents (RFC 9457) of the same kinds and titles that the services use.

local cjson = require "cjson.safe"
local origins = require "door.origins"
local routes = require "door.routes"

local _M = {}

local RETRY_AFTER_S = 5

-- What nginx itself answers, as the kinds of problem our contract knows.
local KIND_OF_STATUS = {
    [400] = "malformed", [403] = "forbidden", [404] = "not-found", [405] = "method-not-allowed",
    [408] = "malformed", [411] = "malformed", [412] = "stale", [413] = "too-large", [414] = "malformed",
    [415] = "unsupported-media-type", [416] = "malformed", [429] = "too-many-requests", [431] = "malformed",
    [494] = "malformed", [495] = "malformed", [496] = "malformed", [497] = "malformed", [500] = "internal-error",
    [501] = "method-not-allowed", [502] = "unavailable", [503] = "unavailable", [504] = "unavailable",
}

local DETAIL_OF_STATUS = {
    [408] = "The request came too slowly.",
    [411] = "The request must say how long it is.",
    [413] = "The body is larger than this call takes.",
    [414] = "The address is too long.",
    [429] = "Too many requests of yours are under way at once.",
    [431] = "The headers are too large.",
    [494] = "The headers are too large.",
}

-- The address as it was sent, without its query: queries carry tokens.
local function instance()
    local uri = ngx.var.request_uri
    return uri and uri:match("^([^?]*)"):sub(1, 200) or "/"
end

local function document_of(known, detail)
    local encoded = cjson.encode({
        type = known.type,
        title = known.title,
        status = known.status,
        detail = detail or known.title,
        instance = instance(),
    })
    -- Debian's cjson can't tell an empty list from an empty object.
    return encoded:gsub("\\/", "/"):sub(1, -2) .. ',"errors":[]}'
end

-- Answer with a problem of this kind and end the request. `options`: detail, retry_after_s, headers.
function _M.answer(kind, options)
    options = options or {}
    local known = routes.settings.problems[kind]
    ngx.status = known.status
    ngx.header["Content-Type"] = "application/problem+json"
    ngx.header["Cache-Control"] = "no-store"
    for name, value in pairs(options.headers or {}) do
        ngx.header[name] = value
    end
    if known.status == 429 or known.status == 503 then
        ngx.header["Retry-After"] = math.max(1, math.ceil(options.retry_after_s or RETRY_AFTER_S))
    end
    origins.let_read()
    local document = document_of(known, options.detail)
    ngx.header["Content-Length"] = #document
    if ngx.req.get_method() ~= "HEAD" then
        ngx.print(document)
    end
    return ngx.exit(known.status)
end

-- The content of the error page: what nginx refused or could not reach, told our way.
function _M.answer_nginx_error()
    local status = ngx.status
    return _M.answer(KIND_OF_STATUS[status] or "internal-error", { detail = DETAIL_OF_STATUS[status] })
end

return _M
