-- name: get -> row
-- The one query of every signed-in request: the live session with its user as of now. A guest's row has no user.
-- A closed account finds nothing, so that closing it counts from the next request on; a block ends by itself when its date passes.
-- Staff and admins are held to shorter limits here and not in expires_at, so that a change of role counts at once too: 2 hours
-- without use, 12 in all.
SELECT s.id AS session_id, s.kind, s.data, s.browser, s.os, s.ip,
       s.seen_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND AS stale,
       COALESCE(s.stepped_up_at > UTC_TIMESTAMP(6) - INTERVAL :fresh_minutes MINUTE, FALSE) AS stepped_up,
       u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.created_at,
       t.confirmed_at IS NOT NULL AS totp
  FROM sessions s
  LEFT JOIN users u ON u.id = s.user_id
  LEFT JOIN totps t ON t.user_id = s.user_id
 WHERE s.token_hash = :token_hash AND s.kind = :kind
   AND s.expires_at > UTC_TIMESTAMP(6)
   AND (s.user_id IS NULL
        OR (u.status = 'active' AND (u.blocked_until IS NULL OR u.blocked_until <= UTC_TIMESTAMP(6))
            AND (u.role = 'customer'
                 OR (s.seen_at > UTC_TIMESTAMP(6) - INTERVAL 2 HOUR AND s.created_at > UTC_TIMESTAMP(6) - INTERVAL 12 HOUR))));

-- name: get_account -> row
SELECT id, username, email, first_name, last_name, phone, role, created_at
  FROM users
 WHERE id = :user_id AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6));

-- name: touch -> count
-- Every use of a browser puts the idle end off, but never past the absolute end of 90 days. A token ends when it says.
UPDATE sessions
   SET expires_at = IF(kind = 'token', expires_at,
                       LEAST(UTC_TIMESTAMP(6) + INTERVAL TIMESTAMPDIFF(SECOND, seen_at, expires_at) SECOND, created_at + INTERVAL 90 DAY)),
       seen_at = UTC_TIMESTAMP(6), ip = :ip
 WHERE id = :id;

-- name: step_up -> count
-- The same session under a new id. Zero rows: it ended since the proof was checked, or a password was
-- proven that is not the account's any more, or that no longer suffices because a second factor is on.
UPDATE sessions
   SET stepped_up_at = UTC_TIMESTAMP(6), token_hash = COALESCE(:token_hash, token_hash)
 WHERE id = :id
   AND (:password_hash IS NULL
        OR (EXISTS (SELECT 1 FROM users u WHERE u.id = sessions.user_id AND u.password_hash = :password_hash)
            AND NOT EXISTS (SELECT 1 FROM totps t WHERE t.user_id = sessions.user_id AND t.confirmed_at IS NOT NULL)));

-- name: end_step_up -> count
UPDATE sessions SET stepped_up_at = NULL WHERE user_id = :user_id AND stepped_up_at IS NOT NULL;

-- name: lock_user -> value
SELECT id
  FROM users
 WHERE id = :user_id AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6))
   FOR UPDATE;

-- name: lock_proven -> value
-- Nothing: the account was closed meanwhile, or the password that was proven is another one now.
SELECT id
  FROM users
 WHERE id = :user_id AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6))
   AND (:password_hash IS NULL OR password_hash = :password_hash)
   FOR UPDATE;

-- name: add -> count
INSERT INTO sessions (kind, token_hash, user_id, data, ip, user_agent, browser, os, created_at, seen_at, expires_at)
VALUES (:kind, :token_hash, :user_id, :data, :ip, :user_agent, :browser, :os,
        UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :idle_minutes MINUTE);

-- name: change -> count
-- Zero rows: it was ended meanwhile, or belongs to nobody any more. Whose it is never changes: a sign-in makes a new one.
UPDATE sessions
   SET data = :data, ip = :ip, user_agent = :user_agent, seen_at = UTC_TIMESTAMP(6),
       expires_at = LEAST(UTC_TIMESTAMP(6) + INTERVAL :idle_minutes MINUTE, created_at + INTERVAL 90 DAY)
 WHERE token_hash = :token_hash AND user_id <=> :user_id;

-- name: list_newest -> rows
SELECT id
  FROM sessions
 WHERE user_id = :user_id AND kind = :kind AND expires_at > UTC_TIMESTAMP(6)
 ORDER BY created_at DESC, id DESC
 LIMIT :most;

-- name: list_of -> rows
-- What the account can be used from now, by the same rules as get.
SELECT s.id, s.kind, s.browser, s.os, s.ip, s.created_at, s.seen_at
  FROM sessions s
  JOIN users u ON u.id = s.user_id
 WHERE s.user_id = :user_id AND s.expires_at > UTC_TIMESTAMP(6)
   AND (u.role = 'customer'
        OR (s.seen_at > UTC_TIMESTAMP(6) - INTERVAL 2 HOUR AND s.created_at > UTC_TIMESTAMP(6) - INTERVAL 12 HOUR))
 ORDER BY s.kind, s.seen_at DESC, s.id DESC
 LIMIT 100;

-- name: delete_older -> count
DELETE FROM sessions WHERE user_id = :user_id AND kind = :kind AND id NOT IN (:kept);

-- name: delete_others -> count
DELETE FROM sessions WHERE user_id = :user_id AND id <> :kept_id;

-- name: delete_of_kind -> count
DELETE FROM sessions WHERE user_id = :user_id AND kind = :kind;

-- name: delete_one -> count
-- Zero rows: no such session, or somebody else's.
DELETE FROM sessions WHERE id = :id AND user_id = :user_id;

-- name: delete -> count
DELETE FROM sessions WHERE token_hash = :token_hash;

-- name: delete_of_user -> count
DELETE FROM sessions WHERE user_id = :user_id;

-- name: delete_expired -> count
DELETE FROM sessions WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT 1000;

-- name: is_known_device -> value
SELECT EXISTS (SELECT 1 FROM known_devices WHERE device_hash = :device_hash AND user_id = :user_id);

-- name: know_device -> count
INSERT INTO known_devices (user_id, device_hash, seen_at)
VALUES (:user_id, :device_hash, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at);

-- name: forget_devices -> count
DELETE FROM known_devices WHERE seen_at <= UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY seen_at LIMIT 1000;
