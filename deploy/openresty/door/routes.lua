-- What may come through: a tree of path segments, built once from the OpenAPI documents (door.json, see allowlist.py).
-- A path is matched as it was sent, undecoded, which is also how the services match it.

local cjson = require "cjson.safe"

local _M = { settings = nil }

local function escaped(literal)
    return (literal:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"))
end

-- "{activity_id}" and "{service}.json" become Lua patterns over one segment; a plain segment has none.
local function pattern_of(segment)
    if not segment:find("{", 1, true) then
        return nil
    end
    local pattern, rest = "^", segment
    while true do
        local before, after = rest:match("^(.-){[^}]*}(.*)$")
        if not before then
            return pattern .. escaped(rest) .. "$"
        end
        pattern, rest = pattern .. escaped(before) .. "[^/]+", after
    end
end

local function new_node()
    return { literals = {}, patterns = {}, route = nil }
end

local function child(node, segment)
    local pattern = pattern_of(segment)
    if not pattern then
        node.literals[segment] = node.literals[segment] or new_node()
        return node.literals[segment]
    end
    for _, known in ipairs(node.patterns) do
        if known.pattern == pattern then
            return known.node
        end
    end
    local added = { pattern = pattern, node = new_node() }
    table.insert(node.patterns, added)
    return added.node
end

local function segments_of(path)
    local segments = {}
    for segment in (path:sub(2) .. "/"):gmatch("([^/]*)/") do
        segments[#segments + 1] = segment
    end
    return segments
end

-- The tree of these routes.
function _M.tree(routes)
    local root = new_node()
    for _, route in ipairs(routes) do
        local node = root
        for _, segment in ipairs(segments_of(route.path)) do
            node = child(node, segment)
        end
        node.route = route
    end
    return root
end

local function walk(node, segments, at)
    if at > #segments then
        return node.route
    end
    local literal = node.literals[segments[at]]
    local found = literal and walk(literal, segments, at + 1)
    if found then
        return found
    end
    for _, candidate in ipairs(node.patterns) do
        if segments[at]:find(candidate.pattern) then
            found = walk(candidate.node, segments, at + 1)
            if found then
                return found
            end
        end
    end
    return nil
end

-- A path that two parsers could read in two ways: encoded slashes, dots or nulls, dot segments.
local function is_ambiguous(path)
    local lower = path:lower()
    return lower:find("%2f", 1, true) or lower:find("%2e", 1, true) or lower:find("%5c", 1, true)
        or lower:find("%00", 1, true) or (path .. "/"):find("/%.%.?/")
end

-- The route of this undecoded path (no query), or nil.
function _M.find(tree, path)
    if path:sub(1, 1) ~= "/" or is_ambiguous(path) then
        return nil
    end
    return walk(tree, segments_of(path), 1)
end

-- Read door.json: the settings that every other module here takes from this one.
function _M.load(path)
    local file = assert(io.open(path, "r"))
    local text = file:read("*a")
    file:close()
    local settings = assert(cjson.decode(text))
    settings.tree = _M.tree(settings.routes)
    _M.settings = settings
end

return _M
