-- name: get_by_username -> row
SELECT u.id, u.username, u.email, u.password_hash, u.status, u.block_reason,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.blocked_until, NULL) AS blocked_until,
       t.confirmed_at IS NOT NULL AS totp
  FROM users u
  LEFT JOIN totps t ON t.user_id = u.id
 WHERE u.username_key = :username_key;

-- name: get_by_email -> row
SELECT u.id, u.username, u.email, u.password_hash, u.status, u.block_reason,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.blocked_until, NULL) AS blocked_until,
       t.confirmed_at IS NOT NULL AS totp
  FROM users u
  LEFT JOIN totps t ON t.user_id = u.id
 WHERE u.email_key = :email_key;

-- name: get_by_id -> row
SELECT id, username, email
  FROM users
 WHERE id = :user_id;

-- name: add -> id
INSERT INTO users (username, username_key, email, email_key, password_hash, role, created_at, updated_at)
VALUES (:username, :username_key, :email, :email_key, :password_hash, :role, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: add_first_admin -> count
-- Zero rows: there is an admin already.
INSERT INTO users (username, username_key, email, email_key, password_hash, role, created_at, updated_at)
SELECT :username, :username_key, :email, :email_key, :password_hash, 'admin', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
  FROM DUAL
 WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin');

-- name: has_admin -> value
SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin');

-- name: set_password -> count
UPDATE users
   SET password_hash = :password_hash, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :user_id;

-- name: get_hash -> value
SELECT password_hash FROM users WHERE id = :user_id;

-- name: replace_hash -> count
-- The same password under today's parameters; a password changed meanwhile stays.
UPDATE users
   SET password_hash = :password_hash
 WHERE id = :user_id AND password_hash = :former_hash;

-- name: take_turn -> count
-- Whoever writes this row makes others of the same name wait until the transaction ends: what is counted and then added stays exact.
INSERT INTO leases (name, holder, ends_at)
VALUES (:name, '', UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE)
    ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at);

-- name: get_codes_of_last_hour -> row
-- Codes are counted by the address that was typed, whether or not anybody has an account with it.
SELECT COUNT(*) AS sent, CEIL(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), MIN(k.created_at) + INTERVAL 1 HOUR) / 1000000) AS seconds_until_next
  FROM challenges c
  JOIN codes k ON k.challenge_id = c.id
 WHERE c.email_key = :email_key
   AND k.created_at > UTC_TIMESTAMP(6) - INTERVAL 1 HOUR;

-- name: seconds_since_last_code -> value
SELECT TIMESTAMPDIFF(MICROSECOND, MAX(created_at), UTC_TIMESTAMP(6)) / 1000000
  FROM codes
 WHERE challenge_id = :challenge_id;

-- name: add_challenge -> id
INSERT INTO challenges (token_hash, purpose, email, email_key, user_id, username, password_hash, created_at, expires_at)
VALUES (:token_hash, :purpose, :email, :email_key, :user_id, :username, :password_hash,
        UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :minutes MINUTE);

-- name: prolong_challenge -> count
-- A challenge lives as long as its youngest code.
UPDATE challenges
   SET expires_at = UTC_TIMESTAMP(6) + INTERVAL :minutes MINUTE
 WHERE id = :challenge_id;

-- name: add_code -> count
INSERT INTO codes (challenge_id, code_hash, created_at, expires_at)
VALUES (:challenge_id, :code_hash, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :minutes MINUTE);

-- name: get_challenge -> row
SELECT id, purpose, email, email_key, user_id, username, password_hash
  FROM challenges
 WHERE token_hash = :token_hash AND purpose IN (:purposes)
   AND tries < :most_tries AND expires_at > UTC_TIMESTAMP(6);

-- name: count_try -> count
-- Counted before the code is looked at, by the condition alone: no number of requests at once gets a sixth try.
UPDATE challenges
   SET tries = tries + 1
 WHERE token_hash = :token_hash AND purpose = :purpose
   AND tries < :most_tries AND expires_at > UTC_TIMESTAMP(6);

-- name: get_tried_challenge -> row
-- The challenge whose try was just counted; it may have been the last one. It is held: a statement's clock is read when it begins, so
-- one that had to wait for the end of a challenge would still see it alive. Who holds it first begins the next statement after that end.
SELECT id, email, user_id, username, password_hash
  FROM challenges
 WHERE token_hash = :token_hash AND purpose = :purpose
   AND expires_at > UTC_TIMESTAMP(6)
   FOR UPDATE;

-- name: is_code_right -> value
SELECT EXISTS (SELECT 1
                 FROM codes
                WHERE challenge_id = :challenge_id AND code_hash = :code_hash
                  AND used_at IS NULL AND expires_at > UTC_TIMESTAMP(6));

-- name: use_code -> count
-- Uses the code and ends its challenge in one step, so that of several good codes one is used, once. Zero rows: wrong, late or used.
UPDATE challenges c
  JOIN codes k ON k.challenge_id = c.id
   SET k.used_at = UTC_TIMESTAMP(6), c.expires_at = UTC_TIMESTAMP(6), c.password_hash = ''
 WHERE c.id = :challenge_id AND c.expires_at > UTC_TIMESTAMP(6)
   AND k.code_hash = :code_hash AND k.used_at IS NULL AND k.expires_at > UTC_TIMESTAMP(6);

-- name: end_resets -> count
UPDATE challenges
   SET expires_at = UTC_TIMESTAMP(6)
 WHERE user_id = :user_id AND purpose = 'reset' AND expires_at > UTC_TIMESTAMP(6);

-- name: forget_expired -> count
-- A sign-up that was not confirmed in time leaves nothing of the person behind but the address, which counts for an hour.
UPDATE challenges
   SET username = '', password_hash = ''
 WHERE expires_at <= UTC_TIMESTAMP(6) AND username <> ''
 LIMIT 1000;

-- name: delete_expired -> count
DELETE FROM challenges WHERE expires_at <= UTC_TIMESTAMP(6) - INTERVAL 1 HOUR ORDER BY expires_at LIMIT 1000;

-- name: delete_turns -> count
-- An ended lease and no lease are the same.
DELETE FROM leases WHERE ends_at <= UTC_TIMESTAMP(6) LIMIT 1000;
