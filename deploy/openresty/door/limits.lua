-- A token bucket a client, on nothing but a shared dictionary's atomic `incr`: it loads in OpenResty and in Debian's nginx.
-- It is the generic cell rate algorithm: the stored number is the time at which the bucket would be full again.
-- Numbers are those of this node; door.json has them divided by the number of nodes already.

local _M = {}

-- Take one token. Returns nil, or the seconds to wait where the bucket is empty. `now` is for tests.
function _M.take(dict, key, rate, burst, now)
    now = now or ngx.now()
    local cost = 1 / rate
    local full_at, err = dict:incr(key, cost, now, burst / rate + 60)
    if not full_at then
        ngx.log(ngx.ERR, "rate limit not kept: ", err)
        return nil
    end
    if full_at < now + cost then
        -- Idle since its bucket filled up. Two workers may race here, which gives one token away: harmless.
        dict:set(key, now + cost, burst / rate + 60)
        return nil
    end
    local wait = full_at - now - burst * cost
    if wait > 1e-6 then
        dict:incr(key, -cost)
        return wait
    end
    return nil
end

-- The key of the client: an IPv4 address, or the /64 network of an IPv6 one, which is one household.
function _M.client()
    local address = ngx.var.binary_remote_addr
    return #address == 16 and address:sub(1, 8) or address
end

return _M
