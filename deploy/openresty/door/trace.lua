-- W3C trace context, level 1: a well-formed `traceparent` is passed on, an absent or malformed one is replaced.

local _M = {}

local NO_TRACE, NO_SPAN = ("0"):rep(32), ("0"):rep(16)

function _M.is_valid(header)
    local trace, span = header:match("^00%-(%x+)%-(%x+)%-%x%x$")
    return trace ~= nil and #trace == 32 and #span == 16 and not header:find("%u")
        and trace ~= NO_TRACE and span ~= NO_SPAN
end

-- The traceparent of this request.
function _M.of_request()
    local header = ngx.var.http_traceparent
    if header and _M.is_valid(header) then
        return header
    end
    local id = ngx.var.request_id
    return "00-" .. id .. "-" .. ngx.md5(id):sub(1, 16) .. "-01"
end

return _M
