"""The steps of the session store in Redis: one Lua script for each, so that each is atomic.

Three keys belong to a session: a hash with its state and best shot, the list of its judged frames,
and a small hash, the fence, that outlives both:

``term``
    counts the gateways that have had the session; every take-over raises it
``owner``
    the cell that has the session in this term
``judge``
    the cell that wrote the verdict and the verdict's digest, once there is one

The state's hash also has the time of the session's opening by Redis's clock: gateways on two
machines have no other clock in common. Each write sets it again, so that a step of that clock
matters only if it comes between the owner's last write and the take-over.

A write succeeds only for the owner in the current term. So a gateway that lost a session never
changes the record again, even if the session has come back to its own cell since.
"""

STORED, LOST, STALE = 0, -1, -2
"""Answers to a write: done; another gateway has the session; the stored log is shorter than the
writer believes, which then writes the session whole."""

_NOW = """
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

WRITE = f"""{_NOW}
local fence = redis.call('HMGET', KEYS[3], 'term', 'owner', 'judge')
local term, owner, judge = tonumber(fence[1] or '0'), fence[2], fence[3]
local me, mine, verdict, given = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local decided = verdict ~= ''
local from = tonumber(ARGV[5])
local owns = mine > term or (mine == term and owner == me)
if judge then
  if decided and judge == me .. verdict and not owns then return 0 end
  if not (decided and owns) then return -1 end
elseif not owns then
  if not given then return -1 end
  if from ~= 0 then return -2 end
  mine = term + 1
end
if from == 0 then redis.call('DEL', KEYS[2]) end
if redis.call('LLEN', KEYS[2]) ~= from then return -2 end
redis.call('HSET', KEYS[3], 'term', mine, 'owner', me)
if decided then redis.call('HSETNX', KEYS[3], 'judge', me .. verdict) end
redis.call('HSET', KEYS[1], 'state', ARGV[8], 'opened', now_ms() - tonumber(ARGV[10]))
if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'kept', ARGV[9]) end
for index = 11, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return 0
"""
"""Arguments: owner, term, digest of the verdict (empty: none), whether its client may have it,
number of judged frames stored before, lifetimes of record and fence in milliseconds, state, best
shot (empty: unchanged), milliseconds since the session's opening, judged frames.

A stored verdict is final: nothing undecided replaces it, and the cell that wrote it may give it
even if another cell owns the session now. The digest distinguishes it from the verdict of a machine
with the same name, such as one made from a copied disk. A verdict that was given during an outage
stands too: it replaces an undecided session that another gateway has taken over meanwhile, which
then loses it.
"""

READ_STATE = """
return {redis.call('HGET', KEYS[3], 'term'), redis.call('HGET', KEYS[1], 'state')}
"""

READ = """
local record = redis.call('HMGET', KEYS[1], 'state', 'kept')
return {record[1], record[2], redis.call('LRANGE', KEYS[2], 0, -1)}
"""

TAKE = f"""{_NOW}
if redis.call('HGET', KEYS[3], 'term') ~= ARGV[1] then return false end
local term = redis.call('HINCRBY', KEYS[3], 'term', 1)
redis.call('HSET', KEYS[3], 'owner', ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
local record = redis.call('HMGET', KEYS[1], 'state', 'kept', 'opened')
local elapsed = now_ms() - (tonumber(record[3]) or now_ms())
return {{term, record[1], record[2], redis.call('LRANGE', KEYS[2], 0, -1), elapsed}}
"""
"""Arguments: the term that was read, the new owner, lifetime of the fence in milliseconds. The
record is read in the same step, so that nothing the owner wrote before is missing from it. The last
part of the answer is the time since the session's opening, in milliseconds."""


def keys(session: str) -> list[str]:
    """Names of a session's keys; the braces keep them on one node of a cluster."""
    name = f"lunapass:session:{{{session}}}"
    return [name, f"{name}:log", f"{name}:fence"]
